//! Laws, over values that nobody thought of.

use super::*;
use proptest::prelude::*;
use serde_json::Map;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)),
        "[a-zA-Z$()/@:._é-]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-z]{1,4}",
        prop::sample::select(vec![
            "spec",
            "template",
            "metadata",
            "containers",
            "initContainers",
            "volumes",
            "env",
            "envFrom",
            "name",
            "image",
            "value",
            "valueFrom",
            "volumeMounts",
            "mountPath",
            "configMap",
            "secret",
            "projected",
            "sources",
            "items",
            "key",
            "path",
            "fieldRef",
            "fieldPath",
            "lifecycle",
            "livenessProbe",
            "exec",
            "kind",
            "annotations",
            "volumeClaimTemplates",
            "configMapKeyRef",
            "secretKeyRef",
            "subPath",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(8, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// A value that the API server stores: not null, not empty.
fn meaningful() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(true)),
        (1_i64..1000).prop_map(Value::from),
        "[a-z]{1,8}".prop_map(|text| json!({"x": text}))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_has_a_surface(object in any_json(), pod_spec in any_json(), kind in "(Pod|Deployment|CronJob|StatefulSet|Job|)") {
        let object = match object {
            Value::Object(mut fields) => {
                fields.insert("kind".to_owned(), json!(kind));
                fields.insert("spec".to_owned(), json!({"template": {"spec": pod_spec}}));
                Value::Object(fields)
            }
            other => other,
        };
        let case = refund().with(|case| case.workloads.push(("server".to_owned(), object)));
        let resolved = case.resolve();
        prop_assert_eq!(resolved.surface.digest(), case.digest());
        let claimed = Surface::from_claim(resolved.surface.components().to_vec()).unwrap();
        prop_assert_eq!(&claimed, &resolved.surface);
        let written = serde_json::to_string(&resolved.surface).unwrap();
        let read: Surface = serde_json::from_str(&written).unwrap();
        prop_assert_eq!(read.digest(), resolved.surface.digest());
        prop_assert!(resolved.surface.expression_input().is_object());
        let workloads = [Workload { role: String::new(), object: case.workloads[1].1.clone() }];
        let _ = advise(&Declaration::default(), &workloads, &[case.workloads[1].1.clone()]);
    }

    #[test]
    fn a_container_of_any_json_has_a_surface(container in any_json(), volume in any_json()) {
        refund().with(|case| {
            case.spec("/containers").as_array_mut().unwrap().push(container);
            case.spec("/volumes").as_array_mut().unwrap().push(volume);
        }).resolve();
    }

    #[test]
    fn every_byte_of_content_counts(text in "[ -~]{1,64}", other in "[ -~]{1,64}") {
        let with = |text: &str| refund().with(|case| case.config("prompts-abc12", &[("system.md", text), ("style.md", text)])).digest();
        prop_assert_eq!(with(&text) == with(&other), text == other);
    }

    #[test]
    fn every_byte_of_a_literal_counts(text in "[ -~]{0,40}", other in "[ -~]{0,40}") {
        let with = |text: &str| refund().with(|case| *case.spec("/containers/0/env/3") = json!({"name": "EMPTY", "value": text})).digest();
        prop_assert_eq!(with(&text) == with(&other), text == other);
    }

    #[test]
    fn a_key_that_nobody_knows_counts(key in "zz[a-zA-Z]{1,12}", value in meaningful(), at in prop::sample::select(vec![
        "", "/containers/0", "/initContainers/1", "/containers/0/securityContext", "/containers/0/lifecycle/preStop", "/volumes/0/configMap",
        "/containers/0/env/0", "/containers/0/env/5/valueFrom", "/containers/0/env/5/valueFrom/secretKeyRef", "/containers/0/volumeMounts/0",
        "/containers/0/env/6/valueFrom/configMapKeyRef", "/containers/0/volumeMounts/1",
        "/volumes/0", "/volumes/2/emptyDir", "/containers/0/readinessProbe", "/containers/0/readinessProbe/exec", "/volumes/1/secret",
        "/containers/0/env/4/valueFrom/fieldRef", "/volumes/4/image",
    ])) {
        let case = refund().with(|case| insert(case.spec(at), &key, value));
        prop_assert_ne!(case.digest(), refund().digest(), "{}", at);
    }

    #[test]
    fn order_of_what_has_no_order_means_nothing(seed in any::<u64>()) {
        let shuffled = refund().with(|case| {
            for list in ["/volumes", "/containers/0/volumeMounts", "/containers/0/env"] {
                shuffle(case.spec(list).as_array_mut().unwrap(), seed);
            }
            for list in ["tools", "data", "bindings", "models", "prompts"] {
                shuffle(case.agent[list].as_array_mut().unwrap(), seed);
            }
        });
        let (left, right) = (shuffled.resolve(), refund().resolve());
        prop_assert_eq!(left.surface, right.surface);
        prop_assert_eq!(left.bindings, right.bindings);
    }

    #[test]
    fn a_claim_with_another_value_is_refused(index in 0_usize..40) {
        let mut components = refund().resolve().surface.components().to_vec();
        let index = index % components.len();
        if components[index].value.is_some() {
            components[index].value = Some(json!({"privileged": false}));
            prop_assert!(Surface::from_claim(components).is_err());
        }
    }
}

fn shuffle(items: &mut [Value], seed: u64) {
    let mut state = seed | 1;
    for index in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
    }
}

#[test]
fn a_claim_is_checked() {
    let surface = refund().resolve().surface;
    let mut reversed = surface.components().to_vec();
    reversed.reverse();
    assert_eq!(Surface::from_claim(reversed).unwrap(), surface);
    let mut twice = surface.components().to_vec();
    twice.push(twice[0].clone());
    assert!(matches!(Surface::from_claim(twice), Err(ClaimError::Twice(..))));
    let one = surface.components()[0].clone();
    let named = |name: String| Surface::from_claim(vec![Component { name, ..one.clone() }]);
    assert!(matches!(named(String::new()), Err(ClaimError::Name(..))));
    assert!(matches!(named("n".repeat(513)), Err(ClaimError::Name(..))));
    assert!(matches!(
        Surface::from_claim(vec![one.clone(); 513]),
        Err(ClaimError::TooManyComponents(513))
    ));
    let summary = Component {
        summary: Some("s".repeat(257)),
        ..one.clone()
    };
    assert!(matches!(
        Surface::from_claim(vec![summary]),
        Err(ClaimError::Summary(..))
    ));
    let value = json!("v".repeat(9000));
    let large = Component {
        digest: crate::digest::Digest::of_json(&value),
        value: Some(value),
        ..one
    };
    assert!(matches!(
        Surface::from_claim(vec![large]),
        Err(ClaimError::ValueSize(..))
    ));
}

#[test]
fn what_is_left_out_of_a_claim_cannot_be_judged() {
    let mut components = refund().resolve().surface.components().to_vec();
    for component in &mut components {
        component.value = component.value.take().filter(|_| component.facet != Facet::Tool);
    }
    let claimed = Surface::from_claim(components).unwrap();
    assert_eq!(claimed.digest(), refund().digest());
    let input = claimed.expression_input();
    assert!(input.get("tools").is_none(), "a policy that reads tools errs");
    assert_eq!(input["omitted"], json!(["Tool/refund.create"]));
}
