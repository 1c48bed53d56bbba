//! What the status of Environments does not tell: a namespace whose label leads nowhere, and pods that are held.
//!
//! Takes namespaces and pods as far as they may be read; who may not is told nothing of it.

use crate::cli::{
    cluster::{Cluster, ClusterError, ENVIRONMENT, permitted},
    held,
    screen::{Screen, Style},
};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::ResourceExt as _;
use vouchsafe_api::Environment;

/// The environment of the probe namespace, which is meant not to be there.
const PROBE: &str = "vouchsafe-probe";

/// Says of all namespaces which are labelled for an environment that is not there.
pub(super) async fn everywhere(
    environments: &[Environment],
    cluster: &Cluster,
    screen: &mut Screen,
) -> Result<(), ClusterError> {
    let namespaces = permitted(cluster.list_global::<Namespace>().await)?.unwrap_or_default();
    tell(&strays(&namespaces, environments), screen);
    Ok(())
}

/// Says the same of this namespace, or that it belongs to no environment; and how to learn why pods are held.
pub(super) async fn here(
    environments: Option<&[Environment]>,
    cluster: &Cluster,
    screen: &mut Screen,
) -> Result<(), ClusterError> {
    let found = permitted(cluster.find_global::<Namespace>(&cluster.namespace).await)?.flatten();
    if let (Some(namespace), Some(environments)) = (&found, environments) {
        tell(&strays(std::slice::from_ref(namespace), environments), screen);
    }
    if found.is_some_and(|namespace| environment(&namespace).is_none()) {
        let words = format!("It has no label `{ENVIRONMENT}`, so that nothing is asked there.");
        screen.styled(Style::Dim, &words);
    }
    let pods = held::labelled(cluster).await?.unwrap_or_default();
    tell_held(&pods, &cluster.namespace, screen);
    Ok(())
}

fn environment(namespace: &Namespace) -> Option<&str> {
    let label = namespace.labels().get(ENVIRONMENT).map(String::as_str);
    label.filter(|name| !name.is_empty())
}

fn strays(namespaces: &[Namespace], environments: &[Environment]) -> Vec<String> {
    let missing = |name: &str| environments.iter().all(|environment| environment.name_any() != name);
    let stray = |namespace: &Namespace| {
        let name = environment(namespace).filter(|name| *name != PROBE && missing(name))?;
        Some(format!(
            "namespace {} is labelled for the environment `{name}`, which does not exist: nothing new is cleared there; correct the label, or create it",
            namespace.name_any()
        ))
    };
    namespaces.iter().filter_map(stray).collect()
}

fn tell(lines: &[String], screen: &mut Screen) {
    lines.iter().for_each(|line| screen.styled(Style::Wait, line));
}

fn tell_held(pods: &[Pod], namespace: &str, screen: &mut Screen) {
    let held: Vec<_> = pods.iter().filter(|pod| held::is_gated(pod)).collect();
    if let Some(first) = held.first() {
        let count = match held.len() {
            1 => "1 pod is held".to_owned(),
            more => format!("{more} pods are held"),
        };
        let line = format!(
            "{count}; to see why: kubectl vouchsafe why pod/{} -n {namespace}",
            first.name_any()
        );
        screen.styled(Style::Wait, &line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn namespace(name: &str, labels: &Value) -> Namespace {
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap()
    }

    #[test]
    fn a_label_that_leads_nowhere_is_told() {
        let prod: Environment = serde_json::from_value(json!({
            "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Environment", "metadata": {"name": "prod"},
            "spec": {"sensitivity": "High", "enforcement": "Hold", "requires": []},
        }))
        .unwrap();
        let all = [
            namespace("shop", &json!({"vouchsafe.dev/environment": "prod"})),
            namespace("desk", &json!({"vouchsafe.dev/environment": "prdo"})),
            namespace("any-probe", &json!({"vouchsafe.dev/environment": "vouchsafe-probe"})),
            namespace("free", &json!({})),
            namespace("empty", &json!({"vouchsafe.dev/environment": ""})),
        ];
        let told = strays(&all, &[prod]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("namespace desk is labelled for the environment `prdo`"),
            "{told:?}"
        );
    }

    #[test]
    fn only_pods_that_wait_are_held_and_the_command_names_one() {
        let pod = |name: &str, gates: Value| -> Pod {
            serde_json::from_value(
                json!({"metadata": {"name": name}, "spec": {"containers": [], "schedulingGates": gates}}),
            )
            .unwrap()
        };
        let gate = json!([{"name": "vouchsafe.dev/clearance"}]);
        let mut screen = Screen::default();
        tell_held(
            &[pod("runs", json!([])), pod("waits", gate.clone())],
            "shop",
            &mut screen,
        );
        tell_held(&[pod("runs", json!([]))], "shop", &mut screen);
        tell_held(&[pod("one", gate.clone()), pod("two", gate)], "shop", &mut screen);
        insta::assert_snapshot!(screen.as_str(), @r"
        1 pod is held; to see why: kubectl vouchsafe why pod/waits -n shop
        2 pods are held; to see why: kubectl vouchsafe why pod/one -n shop
        ");
    }
}
