//! Environments and Checks from files.

use crate::cli::{
    Advice, Failure,
    manifests::{Manifest, Manifests},
    schema,
};
use serde::de::DeserializeOwned;
use vouchsafe_api::{Check, Environment, GROUP, lower};
use vouchsafe_core::decision::Policy;

/// Why there is no policy to judge by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PolicyError {
    /// There is no such Environment.
    #[error("there is no Environment `{name}`{}", known(others))]
    NoEnvironment {
        /// The one that was asked for.
        name: String,
        /// Those that there are.
        others: Vec<String>,
    },
}

fn known(others: &[String]) -> String {
    if others.is_empty() {
        ": there is none at all".to_owned()
    } else {
        format!("; there are: {}", others.join(", "))
    }
}

impl Advice for PolicyError {
    fn fix(&self) -> String {
        let Self::NoEnvironment { others, .. } = self;
        match others.as_slice() {
            [] => "name the files of your Environments and Checks with --policy",
            _ => "name one of these with --environment, or more files with --policy",
        }
        .to_owned()
    }
}

/// The policy of an environment, and what is wrong with the objects that it is made of.
pub(super) fn read(
    places: &[String],
    manifests: &Manifests,
    environment: &str,
) -> Result<(Policy, Vec<String>), Failure> {
    let others = Manifests::read(places)?;
    let both: Vec<_> = manifests.objects.iter().chain(&others.objects).collect();
    let environments: Vec<Environment> = typed(&both, "Environment")?;
    let checks: Vec<Check> = typed(&both, "Check")?;
    let named = |of: &Environment| of.metadata.name.clone().unwrap_or_default();
    let Some(found) = environments.iter().find(|of| named(of) == environment) else {
        return Err(PolicyError::NoEnvironment {
            name: environment.to_owned(),
            others: environments.iter().map(named).collect(),
        }
        .into());
    };
    let catalogue = lower::Catalogue::new(&environments, &checks);
    let (policy, mut problems) = lower::policy(environment, &found.spec, &catalogue);
    problems.sort();
    problems.dedup();
    Ok((policy, problems.iter().map(ToString::to_string).collect()))
}

fn typed<T: DeserializeOwned>(manifests: &[&Manifest], kind: &str) -> Result<Vec<T>, Failure> {
    let of_kind = manifests.iter().filter(|manifest| manifest.is(GROUP, kind));
    of_kind
        .map(|manifest| schema::typed(manifest).map_err(Failure::from))
        .collect()
}
