use super::*;
use serde_json::{Value, json};
use vouchsafe_core::decision::CheckRule;

fn environment(extra: &Value) -> EnvironmentSpec {
    let mut spec = json!({"sensitivity": "High", "enforcement": "Hold", "requires": []});
    let fields = extra.as_object().unwrap().clone();
    spec.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(spec).unwrap()
}

fn after(names: &[&str]) -> EnvironmentSpec {
    environment(&json!({"after": names.iter().map(|name| json!({"environment": name})).collect::<Vec<_>>()}))
}

fn surface_check() -> CheckSpec {
    serde_json::from_value(json!({"surface": {"policy": "true"}, "owner": "security"})).unwrap()
}

/// What lowering says of `prod` among these environments.
fn said(environments: &[(&str, EnvironmentSpec)]) -> (Vec<String>, Vec<String>) {
    let catalogue = Catalogue {
        environments: environments.iter().map(|(name, spec)| (*name, spec)).collect(),
        checks: BTreeMap::new(),
    };
    let (policy, problems) = policy("prod", catalogue.environments["prod"], &catalogue);
    (policy.problems, problems.iter().map(ToString::to_string).collect())
}

#[test]
fn every_field_survives() {
    let spec = environment(&json!({
        "after": [{"environment": "staging", "soak": "24h"}],
        "requires": [{"check": "red-team", "maxAge": "720h", "parameters": {"minimum": "0.95"}}],
        "approvals": [{"role": "security", "count": 2, "contact": "#sec", "exclude": ["Author"]}],
        "unknownAuthor": "Refuse",
        "onBindingChange": "Reapprove",
        "existing": {"grandfatherUntil": "2027-01-31T00:00:00Z"},
        "clearance": {"validFor": "100h", "keepPrevious": 3, "onFailure": "Evict", "gracePeriod": "30m"},
    }));
    let (staging, mut check) = (environment(&json!({})), surface_check());
    check.parameters = serde_json::from_value(json!([{"name": "minimum", "type": "Number"}])).unwrap();
    let catalogue = Catalogue {
        environments: [("staging", &staging), ("prod", &spec)].into(),
        checks: [("red-team", &check)].into(),
    };
    let (lowered, problems) = policy("prod", &spec, &catalogue);
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["spec.clearance.onFailure"], "what is not enforced yet is said");
    insta::assert_yaml_snapshot!(lowered);
}

#[test]
fn what_is_left_out_has_its_default() {
    let (lowered, problems) = policy("dev", &environment(&json!({})), &Catalogue::default());
    assert_eq!(problems, []);
    insta::assert_yaml_snapshot!(lowered);
}

#[test]
fn a_circle_of_environments_clears_nothing() {
    let circle = "Environment/prod spec.after[0].environment: the environments come before one another in a circle: prod after staging after dev after prod";
    let (policy, problems) = said(&[
        ("prod", after(&["staging"])),
        ("staging", after(&["dev"])),
        ("dev", after(&["prod"])),
    ]);
    assert_eq!((policy, problems), (vec![circle.to_owned()], vec![circle.to_owned()]));
    let itself = "Environment/prod spec.after[0].environment: the environments come before one another in a circle: prod after prod";
    assert_eq!(said(&[("prod", after(&["prod"]))]).0, [itself]);
}

#[test]
fn a_circle_elsewhere_is_not_ours() {
    let (policy, _) = said(&[
        ("prod", after(&["staging"])),
        ("staging", after(&["dev"])),
        ("dev", after(&["staging"])),
    ]);
    assert_eq!(policy, Vec::<String>::new());
}

#[test]
fn a_diamond_is_no_circle_however_deep() {
    let mut environments = vec![("prod", after(&["a0", "b0"]))];
    let names: Vec<(String, String)> = (0..30).map(|at| (format!("a{at}"), format!("b{at}"))).collect();
    for (at, (a, b)) in names.iter().enumerate() {
        let next = names
            .get(at + 1)
            .map(|(a, b)| vec![a.as_str(), b.as_str()])
            .unwrap_or_default();
        environments.push((a, after(&next)));
        environments.push((b, after(&next)));
    }
    assert_eq!(said(&environments).0, Vec::<String>::new());
}

#[test]
fn an_environment_that_is_not_there_clears_nothing() {
    let missing = "Environment/prod spec.after[1].environment: there is no Environment `qa`";
    let (policy, problems) = said(&[("prod", after(&["staging", "qa"])), ("staging", after(&[]))]);
    assert_eq!((policy, problems), (vec![missing.to_owned()], vec![missing.to_owned()]));
}

#[test]
fn a_check_that_is_not_there_is_said_and_has_no_definition() {
    let spec = environment(&json!({"requires": [{"check": "gone"}]}));
    let (lowered, problems) = policy("prod", &spec, &Catalogue::default());
    assert_eq!(lowered.requires[0].definition, None);
    assert_eq!(
        problems[0].to_string(),
        "Environment/prod spec.requires[0].check: there is no Check `gone`, so that nothing new is cleared"
    );
    assert_eq!(
        lowered.problems,
        Vec::<String>::new(),
        "the decision says it, check by check"
    );
}

#[test]
fn an_exemption_by_tag_exempts_nothing() {
    let pinned = format!("istio/proxyv2@sha256:{}", "1".repeat(64));
    for (container, fine) in [
        (json!({"image": pinned}), true),
        (json!({"image": "istio/proxyv2:1.29"}), false),
        (json!({"image": "istio/proxyv2@sha256:12"}), false),
        (json!({"image": ["x"]}), false),
        (json!({}), false),
    ] {
        let spec = environment(&json!({"exempt": [{"name": "istio-proxy", "container": container}]}));
        let (_, problems) = policy("prod", &spec, &Catalogue::default());
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected = "Environment/prod spec.exempt[0].container.image: container `istio-proxy` is not exempted: its image is not pinned as `repository@sha256:…`";
        assert_eq!(
            said,
            if fine { vec![] } else { vec![expected.to_owned()] },
            "{container}"
        );
    }
}

#[test]
fn checks_are_lowered() {
    let spec: CheckSpec = serde_json::from_value(json!({
        "parameters": [{"name": "most", "type": "Number", "default": "0"}],
        "evidence": {"subject": "Image", "formats": ["Trivy", "Sarif"], "policy": "counters.critical <= params.most", "producers": [
            {"kind": "User", "name": "ci"}, {"kind": "Group", "name": "scanners"},
            {"kind": "ServiceAccount", "namespace": "ci", "name": "scan"},
        ]},
    }))
    .unwrap();
    let (lowered, problems) = check("image-scanned", &spec);
    assert_eq!(problems, []);
    insta::assert_yaml_snapshot!(lowered);
}

#[test]
fn parameters_that_the_check_does_not_take_are_said() {
    let check: CheckSpec = serde_json::from_value(json!({
        "parameters": [{"name": "high", "type": "Number", "default": "0"}, {"name": "most", "type": "Number"}],
        "surface": {"policy": "true"},
    }))
    .unwrap();
    for (set, expected) in [
        (json!({"most": "1"}), ""),
        (json!({"most": "1", "hgh": "0"}), "the check has no parameter `hgh`"),
        (json!({}), "parameter `most` is not set and has no default"),
        (json!({"most": "few"}), "parameter `most` is no decimal number: `few`"),
    ] {
        let spec = environment(&json!({"requires": [{"check": "small"}, {"check": "small", "parameters": set}]}));
        let catalogue = Catalogue {
            environments: BTreeMap::new(),
            checks: [("small", &check)].into(),
        };
        let (_, problems) = policy("prod", &spec, &catalogue);
        let at_second = |problem: &&Problem| problem.field == "spec.requires[1].parameters";
        let said = problems.iter().find(at_second).map(|problem| problem.message.clone());
        let expected = (!expected.is_empty()).then(|| format!("{expected} (Check `small`), so that nothing passes it"));
        assert_eq!(said, expected, "{set}");
    }
}

#[test]
fn a_check_of_two_ways_or_none_is_none() {
    for spec in [
        json!({}),
        json!({"surface": {"policy": "true"}, "evidence": {"subject": "Image", "policy": "true"}}),
    ] {
        let (lowered, problems) = check("odd", &serde_json::from_value(spec).unwrap());
        assert_eq!(lowered, None);
        assert_eq!(
            problems[0].to_string(),
            "Check/odd spec: give exactly one of signature, evidence and surface"
        );
    }
}

#[test]
fn an_authority_without_a_key_does_not_count() {
    let spec =
        json!({"signature": {"authorities": [{"name": "ci"}, {"name": "release", "key": "PEM"}], "threshold": 2}});
    let (lowered, problems) = check("signed", &serde_json::from_value(spec).unwrap());
    let Some(decision::Check {
        rule: CheckRule::Signature {
            authorities,
            threshold,
            of,
        },
        ..
    }) = lowered
    else {
        panic!("{lowered:?}");
    };
    assert_eq!(
        (authorities.len(), threshold, of),
        (1, 2, vec![decision::SignatureSubject::Image])
    );
    assert_eq!(
        problems[0].to_string(),
        "Check/signed spec.signature.authorities[0].key: authority `ci` has no public key, so that its signatures do not count"
    );
}

#[test]
fn a_rule_that_is_no_expression_is_named() {
    for (field, check) in [
        ("surface", json!({"surface": {"policy": "surface.tools.all(tool,"}})),
        (
            "evidence",
            json!({"evidence": {"subject": "Image", "policy": "counters."}}),
        ),
    ] {
        let check: CheckSpec = serde_json::from_value(check).unwrap();
        let spec = environment(&json!({"requires": [{"check": "broken"}]}));
        let catalogue = Catalogue {
            environments: BTreeMap::new(),
            checks: [("broken", &check)].into(),
        };
        let (lowered, problems) = policy("prod", &spec, &catalogue);
        let words: Vec<_> = problems.iter().map(ToString::to_string).collect();
        let start = format!("Check/broken spec.{field}.policy: the expression is not valid");
        assert!(words.len() == 1 && words[0].starts_with(&start), "{words:?}");
        assert!(lowered.requires[0].definition.is_some(), "the check itself stays");
    }
}
