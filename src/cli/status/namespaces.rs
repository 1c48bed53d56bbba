//! Governed namespaces as the operator counts them: what is declared there, and what would be held.
//!
//! Takes the status of Environments; who may not read these is shown nothing of it.

use crate::cli::{
    cluster::{Cluster, ClusterError, permitted},
    screen::{Screen, Style},
    table::{Cell, Table},
};
use kube::ResourceExt as _;
use serde_json::{Value, json};
use vouchsafe_api::{
    Environment,
    environment::{Enforcement, status::NamespaceStatus},
};

/// A namespace of an environment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Governed {
    environment: String,
    enforcement: Enforcement,
    found: NamespaceStatus,
}

/// All Environments, if they may be read.
pub(super) async fn environments(cluster: &Cluster) -> Result<Option<Vec<Environment>>, ClusterError> {
    permitted(cluster.list_global().await)
}

/// Those of all environments, or the one of this name.
pub(super) fn of(environments: &[Environment], only: Option<&str>) -> Vec<Governed> {
    let of_one = |environment: &Environment| {
        let found = environment.status.iter().flat_map(|status| &status.namespaces);
        let found = found.filter(|found| only.is_none_or(|only| found.name == only));
        let governed = |found: &NamespaceStatus| Governed {
            environment: environment.name_any(),
            enforcement: environment.spec.enforcement,
            found: found.clone(),
        };
        found.map(governed).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = environments.iter().flat_map(of_one).collect();
    all.sort_by(|one, other| one.found.name.cmp(&other.found.name));
    all
}

impl Governed {
    /// How many pods would be held, where that is counted.
    fn would_hold(&self) -> Option<u32> {
        (self.enforcement == Enforcement::Observe).then_some(self.found.would_hold)
    }

    pub(super) fn as_json(&self) -> Value {
        json!({
            "namespace": self.found.name,
            "environment": self.environment,
            "enforcement": self.enforcement,
            "agents": self.found.agents,
            "undeclared": self.found.undeclared,
            "wouldHold": self.would_hold(),
            "staticPods": self.found.static_pods,
        })
    }

    /// Says what is still to be done, if anything is.
    pub(super) fn tell(&self, screen: &mut Screen) {
        let NamespaceStatus {
            name,
            undeclared,
            static_pods,
            ..
        } = &self.found;
        let mut lines = Vec::new();
        if let Some(count) = self.would_hold().filter(|count| *count > 0) {
            lines.push(format!(
                "{count} {} be held if {} did not only observe",
                counted(count, "pod would", "pods would"),
                self.environment
            ));
        }
        if *undeclared > 0 {
            lines.push(format!(
                "{undeclared} {} named by no Agent; to write Agents: kubectl vouchsafe adopt -n {name} --all",
                counted(*undeclared, "workload is", "workloads are")
            ));
        }
        if *static_pods > 0 {
            lines.push(format!(
                "{static_pods} static {} be held; to see them: kubectl get events -n {name} --field-selector reason=StaticPod",
                counted(*static_pods, "pod cannot", "pods cannot")
            ));
        }
        if !lines.is_empty() {
            screen.line("");
        }
        for line in lines {
            screen.styled(Style::Wait, &line);
        }
    }
}

fn counted(count: u32, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}

/// Prints a table of them, and what to do next.
pub(super) fn print(governed: &[Governed], screen: &mut Screen) {
    if governed.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        "NAMESPACE",
        "ENVIRONMENT",
        "ENFORCEMENT",
        "AGENTS",
        "UNDECLARED",
        "WOULD HOLD",
        "STATIC PODS",
    ]);
    let attention = |count: u32| {
        let style = if count > 0 { Style::Wait } else { Style::Plain };
        Cell::styled(style, count.to_string())
    };
    for one in governed {
        table.row([
            one.found.name.as_str().into(),
            one.environment.as_str().into(),
            one.enforcement.as_str().into(),
            one.found.agents.to_string().into(),
            attention(one.found.undeclared),
            one.would_hold().map_or_else(|| "-".into(), attention),
            attention(one.found.static_pods),
        ]);
    }
    table.print(screen);
    if let Some(first) = governed.iter().find(|one| one.found.undeclared > 0) {
        screen.styled(
            Style::Dim,
            &format!(
                "To write Agents for what is undeclared: kubectl vouchsafe adopt -n {} --all",
                first.found.name
            ),
        );
    }
    screen.line("");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str, enforcement: &str, namespaces: &Value) -> Environment {
        serde_json::from_value(json!({
            "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name},
            "spec": {"sensitivity": "High", "enforcement": enforcement, "requires": []},
            "status": {"namespaces": namespaces},
        }))
        .unwrap()
    }

    fn all() -> Vec<Environment> {
        let prod = json!([
            {"name": "shop-prod", "agents": 2, "undeclared": 3, "wouldHold": 7},
            {"name": "desk-prod", "agents": 1, "undeclared": 0, "wouldHold": 0, "staticPods": 1},
        ]);
        let staging = json!([{"name": "shop-staging", "agents": 2, "undeclared": 1, "wouldHold": 0}]);
        vec![
            environment("prod", "Observe", &prod),
            environment("staging", "Hold", &staging),
        ]
    }

    #[test]
    fn of_every_namespace_what_is_still_to_be_done() {
        let mut screen = Screen::default();
        print(&of(&all(), None), &mut screen);
        insta::assert_snapshot!(screen.as_str(), @r"
        NAMESPACE      ENVIRONMENT   ENFORCEMENT   AGENTS   UNDECLARED   WOULD HOLD   STATIC PODS
        desk-prod      prod          Observe       1        0            0            1
        shop-prod      prod          Observe       2        3            7            0
        shop-staging   staging       Hold          2        1            -            0
        To write Agents for what is undeclared: kubectl vouchsafe adopt -n shop-prod --all
        ");
    }

    #[test]
    fn of_one_namespace_in_words() {
        for (name, expected) in [
            (
                "shop-prod",
                "\n7 pods would be held if prod did not only observe\n3 workloads are named by no Agent; to write Agents: kubectl \
                 vouchsafe adopt -n shop-prod --all\n",
            ),
            (
                "desk-prod",
                "\n1 static pod cannot be held; to see them: kubectl get events -n desk-prod --field-selector reason=StaticPod\n",
            ),
            (
                "shop-staging",
                "\n1 workload is named by no Agent; to write Agents: kubectl vouchsafe adopt -n shop-staging --all\n",
            ),
            ("other", ""),
        ] {
            let mut screen = Screen::default();
            of(&all(), Some(name)).iter().for_each(|one| one.tell(&mut screen));
            assert_eq!(screen.as_str(), expected, "{name}");
        }
    }
}
