//! Registries, as the user who runs the verb reaches them: docker's own logins, and what is special about some.
//!
//! Takes flags and docker's configuration; gives a client that trusts no registry.

use super::{
    Advice,
    manifests::{ManifestError, read_file},
};
use clap::Args;
use std::{collections::BTreeMap, env, path::PathBuf};
use vouchsafe_evidence::{
    credentials::{Credentials, CredentialsError},
    reference::{ImageReference, TaggedReference},
    registry::{Client, RegistryError, RegistryOptions, Settings, SettingsError},
};

/// What is special about some registries.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct RegistryArgs {
    /// A registry in a private network, as host:port.
    #[arg(long, value_name = "REGISTRY", value_delimiter = ',', help_heading = "Registries")]
    pub(crate) private_registry: Vec<String>,
    /// A registry that is spoken to without TLS, for tests; it may be in a private network.
    #[arg(long, value_name = "REGISTRY", value_delimiter = ',', help_heading = "Registries")]
    pub(crate) plain_http_registry: Vec<String>,
    /// Certificates that a registry's must lead to, as registry=file.
    #[arg(long, value_name = "REGISTRY=FILE", help_heading = "Registries")]
    pub(crate) registry_ca: Vec<String>,
}

/// Why registries cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistriesError {
    /// A flag is not `registry=file`.
    #[error("`{0}` is not `registry=file`")]
    Pair(String),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] ManifestError),
    /// The flags make no settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Docker's configuration cannot be read.
    #[error("`{file}` cannot be used")]
    Credentials {
        /// The file.
        file: String,
        /// Why.
        source: CredentialsError,
    },
}

impl Advice for RegistriesError {
    fn fix(&self) -> String {
        match self {
            Self::Pair(_) => "write it as `--registry-ca registry.example:5000=ca.pem`".to_owned(),
            Self::File(error) => error.fix(),
            Self::Settings(_) => {
                "name registries as images do: `registry.example` or `registry.example:5000`".to_owned()
            }
            Self::Credentials { .. } => "log in anew (`docker login`), or point DOCKER_CONFIG elsewhere".to_owned(),
        }
    }
}

/// What to do when a registry does not give what is asked of it.
pub(crate) fn fix(error: &RegistryError) -> &'static str {
    match error {
        RegistryError::NotThere { .. } => "correct the image's name or tag, or push it",
        RegistryError::Refused { .. } => {
            "log in with `docker login`; logins are read from docker's config.json, not from credential helpers"
        }
        RegistryError::Address { .. } => "name it with --private-registry",
        RegistryError::Busy { .. } | RegistryError::Timeout { .. } => "try again later",
        _ => "see whether the registry's name is right and it can be reached from here",
    }
}

/// A client and the user's logins.
pub(crate) struct Registries {
    /// The client.
    pub(crate) client: Client,
    /// The logins.
    pub(crate) credentials: Credentials,
}

impl Registries {
    /// Reads docker's configuration; nothing is asked of a registry yet.
    pub(crate) fn open(args: &RegistryArgs) -> Result<Self, RegistriesError> {
        let client = Client::new(settings(args)?)?;
        Ok(Self {
            client,
            credentials: credentials()?,
        })
    }

    /// What a tag points at now.
    pub(crate) async fn resolve(&self, image: &TaggedReference) -> Result<ImageReference, RegistryError> {
        self.client.resolve(image, &self.credentials).await
    }
}

fn settings(args: &RegistryArgs) -> Result<Settings, RegistriesError> {
    let mut registries: BTreeMap<String, RegistryOptions> = BTreeMap::new();
    for name in &args.private_registry {
        registries.entry(name.clone()).or_default().private_addresses = true;
    }
    for name in &args.plain_http_registry {
        let options = registries.entry(name.clone()).or_default();
        options.plain_http = true;
        options.private_addresses = true;
    }
    for pair in &args.registry_ca {
        let Some((name, file)) = pair.split_once('=') else {
            return Err(RegistriesError::Pair(pair.clone()));
        };
        registries.entry(name.to_owned()).or_default().ca = Some(read_file(&PathBuf::from(file))?);
    }
    Ok(Settings {
        registries,
        ..Settings::default()
    })
}

/// The logins of `config.json` in `DOCKER_CONFIG` or `~/.docker`; none when there is no such file.
fn credentials() -> Result<Credentials, RegistriesError> {
    let mut credentials = Credentials::anonymous();
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let folder = env::var_os("DOCKER_CONFIG").map(PathBuf::from).or_else(home);
    let Some(file) = folder
        .map(|folder| folder.join("config.json"))
        .filter(|file| file.is_file())
    else {
        return Ok(credentials);
    };
    let bytes = read_file(&file)?;
    let added = credentials.add_docker_config(&bytes);
    let file = file.display().to_string();
    added.map_err(|source| RegistriesError::Credentials { file, source })?;
    Ok(credentials)
}
