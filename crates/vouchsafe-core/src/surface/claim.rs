//! A surface that somebody claims: checked, not believed.

use super::{Component, Facet, MAX_COMPONENTS, MAX_NAME, MAX_SUMMARY, MAX_VALUE, Surface};
use crate::digest::Digest;
use serde::Deserialize;

/// Why a claim is no surface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// More components than a surface holds.
    #[error("{0} components, at most {MAX_COMPONENTS} are allowed")]
    TooManyComponents(usize),
    /// A name is empty or too long.
    #[error("the name of a {0} has {1} bytes, from 1 to {MAX_NAME} are allowed")]
    Name(Facet, usize),
    /// A name or a summary has control characters, which could steer a terminal.
    #[error("the name or summary of a {0} has control characters")]
    Control(Facet),
    /// A summary is too long.
    #[error("the summary of {0} `{1}` is longer than {MAX_SUMMARY} characters")]
    Summary(Facet, String),
    /// A value is too large.
    #[error("the value of {0} `{1}` is larger than {MAX_VALUE} bytes")]
    ValueSize(Facet, String),
    /// A value is not what its digest says.
    #[error("the value of {0} `{1}` does not have the digest that is claimed for it")]
    ValueDigest(Facet, String),
    /// A component of a facet whose digest is of bytes has a value.
    #[error("{0} `{1}` has a value, but its digest is of bytes")]
    UnexpectedValue(Facet, String),
    /// A component appears twice.
    #[error("{0} `{1}` appears twice")]
    Twice(Facet, String),
}

/// How a surface is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    components: Vec<Component>,
}

impl TryFrom<Claim> for Surface {
    type Error = ClaimError;

    fn try_from(claim: Claim) -> Result<Self, Self::Error> {
        check(claim.components)
    }
}

pub(super) fn check(mut components: Vec<Component>) -> Result<Surface, ClaimError> {
    if components.len() > MAX_COMPONENTS {
        return Err(ClaimError::TooManyComponents(components.len()));
    }
    for component in &components {
        check_one(component)?;
    }
    components.sort_by(|a, b| (a.facet, &a.name).cmp(&(b.facet, &b.name)));
    let mut pairs = components.iter().zip(components.iter().skip(1));
    match pairs.find(|(a, b)| a.facet == b.facet && a.name == b.name) {
        Some((twice, _)) => Err(ClaimError::Twice(twice.facet, twice.name.clone())),
        None => Ok(Surface { components }),
    }
}

/// Whether the digests of this facet are of bytes, so that there is no value.
pub(super) fn of_bytes(facet: Facet) -> bool {
    matches!(facet, Facet::Image | Facet::Config | Facet::Prompt)
}

fn check_one(component: &Component) -> Result<(), ClaimError> {
    let (facet, name) = (component.facet, || component.name.clone());
    if component.name.is_empty() || component.name.len() > MAX_NAME {
        return Err(ClaimError::Name(facet, component.name.len()));
    }
    let words = component
        .name
        .chars()
        .chain(component.summary.iter().flat_map(|summary| summary.chars()));
    if words.into_iter().any(char::is_control) {
        return Err(ClaimError::Control(facet));
    }
    if component
        .summary
        .as_ref()
        .is_some_and(|summary| summary.chars().count() > MAX_SUMMARY)
    {
        return Err(ClaimError::Summary(facet, name()));
    }
    let Some(value) = &component.value else { return Ok(()) };
    if of_bytes(facet) {
        return Err(ClaimError::UnexpectedValue(facet, name()));
    }
    if value.to_string().len() > MAX_VALUE {
        return Err(ClaimError::ValueSize(facet, name()));
    }
    if Digest::of_json(value) == component.digest {
        Ok(())
    } else {
        Err(ClaimError::ValueDigest(facet, name()))
    }
}
