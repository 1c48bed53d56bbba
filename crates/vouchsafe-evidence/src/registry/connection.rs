//! Connections: which roots a host's certificate must lead to, and which addresses it may have.
//!
//! Takes settings, gives for a target the client that may reach it, or the reason why none may. Addresses are judged after resolving,
//! on what is then connected to, so that a name that resolves differently the next time gains nothing.

use super::{
    RegistryError, Settings, SettingsError,
    address::is_public,
    settings::RegistryOptions,
    target::{Target, place},
};
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};
use tower_service::Service;

/// How long one address may take to answer a connection attempt.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept, and how many for one host.
const IDLE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 2;
/// The largest head of an answer.
const HEAD: usize = 64 << 10;

/// An HTTP client for hosts of one kind.
pub(super) type Http = Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// All clients, and the settings that they were made from.
pub(super) struct Connections {
    pub(super) settings: Settings,
    ordinary: Http,
    /// By "without TLS" and place.
    configured: BTreeMap<(bool, String), (bool, Http)>,
}

impl Connections {
    pub(super) fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        let ordinary = http(&system_roots()?, false, false);
        let mut configured = BTreeMap::new();
        for (name, options) in &settings.registries {
            let RegistryOptions {
                plain_http,
                private_addresses,
                ca,
            } = options;
            let roots = match ca {
                Some(pem) => own_roots(name, pem)?,
                None => system_roots()?,
            };
            let host = if name == "docker.io" {
                "registry-1.docker.io"
            } else {
                name
            };
            let client = http(&roots, *plain_http, *private_addresses);
            configured.insert((*plain_http, place(host, *plain_http)), (*private_addresses, client));
        }
        Ok(Self {
            settings,
            ordinary,
            configured,
        })
    }

    /// The base URL of a registry's API.
    pub(super) fn registry(&self, host: &str, path_and_query: &str) -> Result<Target, &'static str> {
        let plain = self.configured.contains_key(&(true, place(host, true)));
        let scheme = if plain { "http" } else { "https" };
        Target::read(&format!("{scheme}://{host}{path_and_query}"))
    }

    /// The client for a target, which refuses what the target may not be.
    pub(super) fn client(&self, target: &Target) -> Result<&Http, Barred> {
        let (private, client) = match self.configured.get(&(target.is_plain(), target.place().to_owned())) {
            Some((private, client)) => (*private, client),
            None if target.is_plain() => return Err(Barred::Plain),
            None => (false, &self.ordinary),
        };
        match target.host().parse::<IpAddr>() {
            // The connector does not resolve what is an address already.
            Ok(address) if !private && !is_public(address) => Err(Barred::Address(address)),
            _ => Ok(client),
        }
    }
}

/// Why no request may go to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barred {
    /// It would go without TLS, and the settings do not name that host.
    Plain,
    /// It is an address inside the cluster or the machine.
    Address(IpAddr),
}

/// Tells a refused address from a connection that failed.
pub(super) fn unreachable(target: &Target, error: hyper_util::client::legacy::Error) -> RegistryError {
    let host = target.place().to_owned();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(deeper) = cause {
        if let Some(ResolveError::NotPublic(address)) = deeper.downcast_ref() {
            let address = *address;
            return RegistryError::Address { host, address };
        }
        cause = deeper.source();
    }
    RegistryError::Unreachable {
        host,
        source: Box::new(error),
    }
}

fn http(roots: &ClientConfig, plain: bool, private: bool) -> Http {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { private });
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    tcp.set_nodelay(true);
    let tls = HttpsConnectorBuilder::new().with_tls_config(roots.clone());
    let tls = if plain { tls.https_or_http() } else { tls.https_only() };
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_timer(TokioTimer::new())
        .http1_max_buf_size(HEAD)
        .build(tls.enable_http1().wrap_connector(tcp))
}

fn system_roots() -> Result<ClientConfig, SettingsError> {
    let builder = tls()?;
    match builder.clone().with_native_roots() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        // Without any, registries with a CA of their own still work, and the others say that their issuer is unknown.
        Err(_) => Ok(builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth()),
    }
}

fn own_roots(name: &str, pem: &[u8]) -> Result<ClientConfig, SettingsError> {
    let wrong = || SettingsError::Certificates(name.to_owned());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    if roots.is_empty() {
        return Err(wrong());
    }
    Ok(tls()?.with_root_certificates(roots).with_no_client_auth())
}

fn tls() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, SettingsError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SettingsError::Tls)
}

/// Resolves names, and drops the addresses that the host may not have.
#[derive(Clone)]
pub(super) struct Resolver {
    private: bool,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// It has nothing but addresses inside the cluster or the machine.
    #[error("the address {0} is not public")]
    NotPublic(IpAddr),
    /// It has none.
    #[error("the name cannot be resolved")]
    Lookup(#[from] io::Error),
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.private;
        let addresses = GaiResolver::new().call(name);
        Box::pin(async move { admitted(private, addresses.await?.collect()) })
    }
}

fn admitted(private: bool, addresses: Vec<SocketAddr>) -> Result<vec::IntoIter<SocketAddr>, ResolveError> {
    let (good, bad): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| private || is_public(address.ip()));
    match bad.first() {
        Some(refused) if good.is_empty() => Err(ResolveError::NotPublic(refused.ip())),
        _ => Ok(good.into_iter()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_admitted_addresses_are_connected_to() {
        let addresses =
            |texts: &str| -> Vec<SocketAddr> { texts.split(' ').map(|text| text.parse().unwrap()).collect() };
        let mixed = addresses("127.0.0.1:0 1.1.1.1:0 [::1]:0");
        let left = |private| admitted(private, mixed.clone()).unwrap().collect::<Vec<_>>();
        assert_eq!(left(false), addresses("1.1.1.1:0"));
        assert_eq!(left(true), mixed);
        let error = admitted(false, addresses("169.254.169.254:0")).unwrap_err();
        assert_eq!(error.to_string(), "the address 169.254.169.254 is not public");
    }

    #[test]
    fn bad_settings_are_refused() {
        let with = |name: &str, ca: Option<&[u8]>| {
            let options = RegistryOptions {
                ca: ca.map(<[u8]>::to_vec),
                ..RegistryOptions::default()
            };
            let registries = BTreeMap::from([(name.to_owned(), options)]);
            Connections::new(Settings {
                registries,
                ..Settings::default()
            })
            .err()
            .map(|error| error.to_string())
        };
        let name = |name| {
            Some(format!(
                "`{name}` is not the name of a registry (`host` or `host:port`, in lower case)"
            ))
        };
        let certificates = Some("the certificates for the registry `registry.example` cannot be read".to_owned());
        assert_eq!(with("registry.example:5000", None), None);
        for wrong in ["https://registry.example", "Registry.example", "registry.example/a", ""] {
            assert_eq!(with(wrong, None), name(wrong));
        }
        assert_eq!(with("registry.example", Some(b"")), certificates);
        assert_eq!(
            with(
                "registry.example",
                Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            ),
            certificates
        );
    }
}
