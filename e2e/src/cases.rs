//! What is shown, each module one part of it.

mod access;
mod adoption;
mod api_server;
mod bad_input;
mod changes;
mod chart;
mod chart_values;
mod commands;
mod configuration;
mod content;
mod cost;
mod dead_operator;
mod disaster;
mod environments;
mod evidence;
mod fields;
mod files;
mod gitops;
mod grandfathered;
mod grants;
mod ground;
mod hold_webhook;
mod identity;
mod kinds;
mod latency;
mod ledgers;
mod lifecycle;
mod manifest;
mod metrics;
mod offline;
mod one_release;
mod operator;
mod people;
mod policies;
mod real_node;
mod registries;
mod replicas;
mod reports;
mod rights;
mod roles;
mod rollout;
mod sidecars;
mod soak;
mod static_pods;
mod storm;
mod story;
mod subresources;
mod switch;
mod three_environments;
mod traces;
mod unlabelled;
mod unreadable;
mod upgrade;
mod verbs;
mod waivers;
mod webhooks;
mod workload_changes;
mod workload_kinds;

use crate::suite::Case;

/// Every case on a real node.
#[must_use]
pub fn on_node() -> Vec<Case> {
    real_node::cases()
}

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    [
        access::cases(),
        adoption::cases(),
        api_server::cases(),
        bad_input::cases(),
        changes::cases(),
        chart::cases(),
        chart_values::cases(),
        commands::cases(),
        configuration::cases(),
        content::cases(),
        cost::cases(),
        dead_operator::cases(),
        disaster::cases(),
        environments::cases(),
        evidence::cases(),
        fields::cases(),
        files::cases(),
        gitops::cases(),
        grandfathered::cases(),
        grants::cases(),
        ground::cases(),
        hold_webhook::cases(),
        identity::cases(),
        kinds::cases(),
        latency::cases(),
        ledgers::cases(),
        manifest::cases(),
        metrics::cases(),
        lifecycle::cases(),
        offline::cases(),
        one_release::cases(),
        operator::cases(),
        people::cases(),
        policies::cases(),
        registries::cases(),
        replicas::cases(),
        reports::cases(),
        rights::cases(),
        roles::cases(),
        rollout::cases(),
        sidecars::cases(),
        soak::cases(),
        static_pods::cases(),
        storm::cases(),
        story::cases(),
        subresources::cases(),
        switch::cases(),
        three_environments::cases(),
        traces::cases(),
        unreadable::cases(),
        unlabelled::cases(),
        upgrade::cases(),
        verbs::cases(),
        waivers::cases(),
        webhooks::cases(),
        workload_changes::cases(),
        workload_kinds::cases(),
    ]
    .concat()
}
