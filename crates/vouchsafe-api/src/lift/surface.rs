//! A surface and its problems, as stored in Promotions and in an Agent's status.

use super::cut;
use crate::{
    agent::status::Problem,
    promotion::{Component, SurfaceClaim},
};
use vouchsafe_core::surface::{self, Surface};

/// Unresolved components that are told.
const MAX_UNRESOLVED: usize = 64;

/// A surface, as a Promotion carries it.
#[must_use]
pub fn surface(surface: &Surface) -> SurfaceClaim {
    SurfaceClaim {
        components: surface.components().iter().map(component).collect(),
    }
}

fn component(component: &surface::Component) -> Component {
    let surface::Component {
        facet,
        name,
        digest,
        resolution,
        value,
        summary,
    } = component;
    Component {
        facet: (*facet).into(),
        name: name.clone(),
        digest: *digest,
        resolution: (*resolution).into(),
        value: value.clone(),
        summary: summary.clone(),
    }
}

/// What could not be pinned down, as an Agent's status says it.
#[must_use]
pub fn unresolved(surface: &Surface) -> Vec<String> {
    let named = surface
        .unresolved()
        .map(|component| cut(&format!("{} {}", component.facet, component.name), 544));
    named.take(MAX_UNRESOLVED).collect()
}

/// One problem, as an Agent's status says it.
#[must_use]
pub fn problem(problem: &surface::Problem) -> Problem {
    let surface::Problem {
        reason,
        object,
        field,
        message,
        fix,
        blocking,
    } = problem;
    Problem {
        reason: reason.to_string(),
        object: cut(object, 320),
        field: cut(field, 512),
        message: cut(message, 1024),
        fix: cut(fix, 1024),
        blocking: *blocking,
    }
}
