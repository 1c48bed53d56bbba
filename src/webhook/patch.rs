//! What is changed in an object that is created. Pure: it knows the ledger of the object's namespace and whoever asks, and no more.
//!
//! The same as `hold.yaml`, `stamp.yaml` and the chart's default environment say to an API server that serves mutating policies.

use crate::observe::{ENVIRONMENT, GATE, HELD};
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vouchsafe_api::clearance::ClearanceSpec;
use vouchsafe_core::clearance::ProfileEntry;

/// What a cleared release of a workload is claimed by.
const RELEASE: &str = "vouchsafe.dev/release";

/// Groups of a stamp; the schema refuses more.
const MAX_GROUPS: usize = 256;

/// Operations of RFC 6902, none when nothing has to change.
pub(super) type Patch = Vec<Value>;

/// A pod gets the gate when no profile of the ledger is like it, and loses it when one is; expired or not, which is judged elsewhere. What has
/// no ledger that we know waits.
pub(super) fn pod(pod: &Value, ledger: Option<&ClearanceSpec>) -> Patch {
    let gates = pod.pointer("/spec/schedulingGates").and_then(Value::as_array);
    let is_ours = |gate: &&Value| gate.get("name").and_then(Value::as_str) == Some(GATE);
    let waits = gates.is_some_and(|gates| gates.iter().any(|gate| is_ours(&gate)));
    let is_listed = ledger.is_some_and(|ledger| lists(ledger, pod));
    match (is_listed, waits, gates) {
        (true, true, Some(gates)) => {
            let others: Vec<&Value> = gates.iter().filter(|gate| !is_ours(gate)).collect();
            let mut patch = vec![json!({"op": "replace", "path": "/spec/schedulingGates", "value": others})];
            if pod
                .pointer("/metadata/labels")
                .and_then(|labels| labels.get(HELD))
                .is_some()
            {
                patch.push(json!({"op": "remove", "path": pointer("/metadata/labels", HELD)}));
            }
            patch
        }
        (false, false, gates) => {
            let gate = json!({"name": GATE});
            let gate = match gates {
                Some(_) => json!({"op": "add", "path": "/spec/schedulingGates/-", "value": gate}),
                None => json!({"op": "add", "path": "/spec/schedulingGates", "value": [gate]}),
            };
            vec![gate, labelled(pod, HELD, "true")]
        }
        _ => Patch::new(),
    }
}

/// A Job waits by being suspended, so that its deadlines do not run; unless it claims a cleared release or has the template of one: its pods
/// are judged by what they are.
pub(super) fn job(job: &Value, ledger: Option<&ClearanceSpec>) -> Patch {
    let suspended = job.pointer("/spec/suspend") == Some(&Value::Bool(true));
    if suspended || ledger.is_some_and(|ledger| claims(ledger, job) || has_template(ledger, job)) {
        return Patch::new();
    }
    let suspend = json!({"op": "add", "path": "/spec/suspend", "value": true});
    vec![suspend, labelled(job, HELD, "true")]
}

/// Who grants is whoever asks, whatever the object says; but for groups, to which those of whoever asks are added, as to a set: `grants.yaml`
/// refuses the others, and the schema what is no set.
pub(super) fn stamp(object: &Value, kind: &str, user: &UserInfo) -> Patch {
    if !object.get("spec").is_some_and(Value::is_object) {
        // The schema refuses it.
        return Patch::new();
    }
    let field = if kind == "Promotion" { "requestedBy" } else { "by" };
    let said = object.pointer(&format!("/spec/{field}/groups"));
    let has: BTreeSet<&str> = user.groups.iter().flatten().map(String::as_str).collect();
    let groups = match said.unwrap_or(&Value::Null) {
        Value::Null => json!(has),
        Value::Array(said) if said.len() <= MAX_GROUPS => {
            let there: BTreeSet<&str> = said.iter().filter_map(Value::as_str).collect();
            let missing = has.difference(&there).map(|group| Value::from(*group));
            said.iter().cloned().chain(missing).collect()
        }
        other => other.clone(),
    };
    let by = json!({
        "username": user.username.as_deref().unwrap_or_default(),
        "uid": user.uid.as_deref().unwrap_or_default(),
        "groups": groups,
    });
    vec![json!({"op": "add", "path": format!("/spec/{field}"), "value": by})]
}

/// A namespace that does not say where it belongs belongs here.
pub(super) fn namespace(namespace: &Value, environment: &str) -> Patch {
    let label = namespace
        .pointer("/metadata/labels")
        .and_then(|labels| labels.get(ENVIRONMENT));
    match label.and_then(Value::as_str) {
        None | Some("") => vec![labelled(namespace, ENVIRONMENT, environment)],
        Some(_) => Patch::new(),
    }
}

/// Whether a profile of the ledger is like the pod.
fn lists(ledger: &ClearanceSpec, pod: &Value) -> bool {
    let Some(keys) = image(pod, "/spec").and_then(|image| ledger.index.get(image)) else {
        return false;
    };
    // Controllers leave the end of a name to the API server, which writes it after this.
    let mut named = pod.clone();
    let given = |pointer: &str| {
        pod.pointer(pointer)
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
    };
    if let (None, Some(begins)) = (given("/metadata/name"), given("/metadata/generateName"))
        && let Some(metadata) = named.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.insert("name".to_owned(), json!(begins));
    }
    let token = Value::Object(ledger.token.clone());
    let profiles = keys.iter().filter_map(|key| ledger.profiles.get(key));
    let mut entries = profiles.filter_map(|profile| {
        let entry = serde_json::to_value(profile).ok()?;
        serde_json::from_value::<ProfileEntry>(entry).ok()
    });
    entries.any(|entry| entry.profile.matches(&named, &token))
}

/// Whether a Job says that it is of a release that is cleared.
fn claims(ledger: &ClearanceSpec, job: &Value) -> bool {
    ["/metadata/annotations", "/spec/template/metadata/annotations"]
        .iter()
        .any(|annotations| {
            let claim = job
                .pointer(annotations)
                .and_then(|annotations| annotations.get(RELEASE));
            let digest = claim
                .and_then(Value::as_str)
                .and_then(|claim| claim.strip_prefix("v1:sha256:"));
            digest.is_some_and(|digest| ledger.releases.contains_key(digest))
        })
}

/// Whether a Job has the template of a release that is cleared.
fn has_template(ledger: &ClearanceSpec, job: &Value) -> bool {
    let spec = job.pointer("/spec/template/spec").and_then(Value::as_object);
    let keys = image(job, "/spec/template/spec").and_then(|image| ledger.template_index.get(image));
    let mut known = keys.into_iter().flatten().filter_map(|key| ledger.templates.get(key));
    spec.is_some_and(|spec| known.any(|known| known.spec == *spec))
}

fn image<'v>(object: &'v Value, spec: &str) -> Option<&'v str> {
    object.pointer(spec)?.pointer("/containers/0/image")?.as_str()
}

fn labelled(object: &Value, label: &str, value: &str) -> Value {
    if object.pointer("/metadata/labels").is_some_and(Value::is_object) {
        json!({"op": "add", "path": pointer("/metadata/labels", label), "value": value})
    } else {
        json!({"op": "add", "path": "/metadata/labels", "value": {label: value}})
    }
}

/// A JSON Pointer (RFC 6901) to a member whose name may have slashes.
fn pointer(parent: &str, member: &str) -> String {
    format!("{parent}/{}", member.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str =
        "registry.example/agent@sha256:1111111111111111111111111111111111111111111111111111111111111111";
    const RELEASE_HEX: &str = "2222222222222222222222222222222222222222222222222222222222222222";

    fn container() -> Value {
        json!([{"name": "agent", "image": IMAGE}])
    }

    /// With one pod, and one template, that are cleared.
    fn ledger(varies: &[&str]) -> ClearanceSpec {
        let entry = |more: Value| {
            let mut entry = json!({"agent": "refund", "role": "server", "release": format!("v1:sha256:{RELEASE_HEX}"),
                "notAfter": "2020-01-01T00:00:00Z", "spec": {"containers": container()}});
            entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            entry
        };
        let mut template = entry(json!({}));
        template.as_object_mut().unwrap().remove("role");
        let ledger = json!({
            "environment": "prod", "namespaceUid": "u", "enforcement": "Hold", "token": {"defaultMode": 420},
            "index": {IMAGE: ["a".repeat(32)]},
            "profiles": {"a".repeat(32): entry(json!({"varies": varies, "refers": [], "metadata": {}}))},
            "templateIndex": {IMAGE: ["b".repeat(32)]}, "templates": {"b".repeat(32): template},
            "releases": {RELEASE_HEX: {"agent": "refund", "notAfter": "2027-01-01T00:00:00Z"}},
        });
        serde_json::from_value(ledger).unwrap()
    }

    fn pod_of(spec: &Value) -> Value {
        json!({"metadata": {"generateName": "agent-"}, "spec": spec})
    }

    /// The object after it, as an API server applies it.
    fn after(object: &Value, patch: Patch) -> Value {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(patch)).unwrap();
        let mut object = object.clone();
        json_patch::patch(&mut object, &patch).unwrap();
        object
    }

    #[test]
    fn what_is_listed_is_left_alone_also_when_it_has_expired() {
        let cleared = pod_of(&json!({"containers": container(), "tolerations": [{"key": "any"}]}));
        assert_eq!(pod(&cleared, Some(&ledger(&[]))), Patch::new());
        assert_eq!(
            job(&json!({"spec": {"suspend": true}}), None),
            Patch::new(),
            "it waits already"
        );
    }

    #[test]
    fn what_is_not_listed_waits_and_says_so() {
        let other = pod_of(&json!({"containers": [{"name": "agent", "image": IMAGE, "command": ["sh"]}]}));
        let no_pod = json!({"metadata": {}, "spec": {}});
        for (uncleared, ledger) in [
            (&other, Some(&ledger(&[]))),
            (&other, None),
            (&no_pod, Some(&ledger(&[]))),
        ] {
            let held = after(uncleared, pod(uncleared, ledger));
            assert_eq!(held["spec"]["schedulingGates"], json!([{"name": GATE}]));
            assert_eq!(held["metadata"]["labels"], json!({HELD: "true"}));
            assert_eq!(pod(&held, ledger), Patch::new(), "asked again it changes nothing");
        }
        let mut more = other;
        more["spec"]["schedulingGates"] = json!([{"name": "theirs"}]);
        more["metadata"]["labels"] = json!({"app": "agent"});
        let held = after(&more, pod(&more, None));
        assert_eq!(
            held["spec"]["schedulingGates"],
            json!([{"name": "theirs"}, {"name": GATE}])
        );
        assert_eq!(held["metadata"]["labels"], json!({"app": "agent", HELD: "true"}));
    }

    /// A webhook made it what was cleared after it was held, or somebody set the gate.
    #[test]
    fn what_is_listed_loses_the_gate() {
        let mut cleared =
            pod_of(&json!({"containers": container(), "schedulingGates": [{"name": "theirs"}, {"name": GATE}]}));
        let free = after(&cleared, pod(&cleared, Some(&ledger(&[]))));
        assert_eq!(free["spec"]["schedulingGates"], json!([{"name": "theirs"}]));
        cleared["metadata"]["labels"] = json!({HELD: "true", "app": "agent"});
        let free = after(&cleared, pod(&cleared, Some(&ledger(&[]))));
        assert_eq!(free["metadata"]["labels"], json!({"app": "agent"}));
    }

    /// An Indexed Job's pod has its hostname before it has its whole name.
    #[test]
    fn a_name_that_is_not_whole_yet_is_the_beginning_of_one() {
        let named = |host: &str| {
            let spec = json!({"containers": container(), "hostname": host});
            json!({"metadata": {"name": "", "generateName": "batch-0-"}, "spec": spec})
        };
        let ledger = ledger(&["Hostname"]);
        assert_eq!(pod(&named("batch-0"), Some(&ledger)), Patch::new());
        assert!(!pod(&named("other-0"), Some(&ledger)).is_empty());
    }

    #[test]
    fn a_job_is_suspended_unless_it_claims_or_has_what_is_cleared() {
        let of = |annotations: Value, image: &str| json!({"metadata": {"annotations": annotations}, "spec": {"template": {"spec": {"containers": [{"name": "agent", "image": image}]}}}});
        let ledger = ledger(&[]);
        let uncleared = of(json!({}), "other");
        let held = after(&uncleared, job(&uncleared, Some(&ledger)));
        assert_eq!(held["spec"]["suspend"], true);
        assert_eq!(held["metadata"]["labels"], json!({HELD: "true"}));
        assert_eq!(job(&held, Some(&ledger)), Patch::new());
        assert!(
            !job(&of(json!({}), IMAGE), None).is_empty(),
            "without a ledger nothing is known"
        );
        let claim = json!({RELEASE: format!("v1:sha256:{RELEASE_HEX}")});
        assert_eq!(job(&of(claim.clone(), "other"), Some(&ledger)), Patch::new());
        let mut below = uncleared.clone();
        below["spec"]["template"]["metadata"] = json!({"annotations": claim});
        assert_eq!(job(&below, Some(&ledger)), Patch::new());
        assert_eq!(job(&of(json!({}), IMAGE), Some(&ledger)), Patch::new());
        for wrong in [RELEASE_HEX.to_owned(), format!("v1:sha256:{}", "3".repeat(64))] {
            assert!(!job(&of(json!({RELEASE: wrong}), "other"), Some(&ledger)).is_empty());
        }
    }

    #[test]
    fn a_stamp_is_of_whoever_asks_and_of_nobody_else() {
        let user = UserInfo {
            username: Some("ada".to_owned()),
            uid: None,
            groups: Some(vec!["b".to_owned(), "a".to_owned(), "b".to_owned()]),
            extra: None,
        };
        let expected = json!({"username": "ada", "uid": "", "groups": ["a", "b"]});
        let forged = json!({"spec": {"role": "security", "by": {"username": "boss", "uid": "boss", "extra": 1}}});
        let approval = after(&forged, stamp(&forged, "Approval", &user));
        assert_eq!(approval, json!({"spec": {"role": "security", "by": expected}}));
        // What is refused afterwards has to be there to be seen.
        let forged = json!({"spec": {"by": {"groups": ["system:masters", "a"]}}});
        let approval = after(&forged, stamp(&forged, "Approval", &user));
        assert_eq!(approval["spec"]["by"]["groups"], json!(["system:masters", "a", "b"]));
        for none in [json!(["x", "x"]), json!([1]), json!("a"), json!({"a": "b"})] {
            let forged = json!({"spec": {"by": {"groups": none}}});
            let groups = after(&forged, stamp(&forged, "Approval", &user))["spec"]["by"]["groups"].clone();
            let begins = |all: &Vec<Value>| none.as_array().is_some_and(|none| all.starts_with(none));
            let is_kept = groups == none || groups.as_array().is_some_and(begins);
            assert!(is_kept, "{groups} instead of {none}");
        }
        let promotion = json!({"spec": {}});
        let promotion = after(&promotion, stamp(&promotion, "Promotion", &user));
        assert_eq!(promotion, json!({"spec": {"requestedBy": expected}}));
        assert_eq!(stamp(&json!({"spec": []}), "Approval", &user), Patch::new());
        assert_eq!(stamp(&json!({}), "Approval", &user), Patch::new());
    }

    #[test]
    fn a_namespace_that_says_nothing_gets_the_default() {
        let label = json!({ENVIRONMENT: "preview"});
        for (labels, expected) in [
            (json!(null), label.clone()),
            (json!({ENVIRONMENT: ""}), label.clone()),
            (json!({ENVIRONMENT: "prod"}), json!({ENVIRONMENT: "prod"})),
        ] {
            let mut object = json!({"metadata": {"name": "n"}});
            if labels.is_object() {
                object["metadata"]["labels"] = labels;
            }
            assert_eq!(
                after(&object, namespace(&object, "preview"))["metadata"]["labels"],
                expected
            );
        }
    }
}
