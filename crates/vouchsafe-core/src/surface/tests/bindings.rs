//! What may differ between environments, and how far.

use super::*;

const CRM: &str = "/containers/0/env/1/value";

fn with_crm(value: &str) -> Resolved {
    refund().with(|case| *case.spec(CRM) = json!(value)).resolve()
}

#[test]
fn a_value_within_its_pattern_is_bound_not_hashed() {
    let (staging, prod) = (refund().resolve(), with_crm("https://crm.prod.example.com/v2"));
    assert_eq!(staging.surface.digest(), prod.surface.digest());
    assert_ne!(staging.binding_digest, prod.binding_digest);
    assert_eq!(prod.bindings["crm"], "https://crm.prod.example.com/v2");
    let secret = refund()
        .with(|case| *case.spec("/volumes/1/secret/secretName") = json!("other"))
        .resolve();
    assert_eq!(staging.surface.digest(), secret.surface.digest());
    assert_eq!(secret.bindings["payments-token"], "Secret/other");
}

#[test]
fn patterns_match_the_whole_value() {
    for value in [
        "https://crm.prod.example.com/v2/x",
        "http://crm.prod.example.com/v2",
        "xhttps://crm.prod.example.com/v2",
        "",
    ] {
        let resolved = with_crm(value);
        assert_eq!(reasons(&resolved), ["BindingOutOfPattern"], "{value}");
        assert!(resolved.problems[0].blocking);
        assert_eq!(resolved.problems[0].field, "spec.template.spec.containers[0].env[1]");
    }
    assert_eq!(
        reasons(&with_crm("https://crm.prod.example.com/v2\n")),
        ["BindingOutOfPattern"]
    );
}

#[test]
fn patterns_are_checked_and_bounded() {
    let long = "a".repeat(600);
    for pattern in ["", "(", "a)|(b", "(?x)a #", "((a{100}){100}){100}", &long] {
        let resolved = refund()
            .with(|case| case.agent["bindings"][0]["pattern"] = json!(pattern))
            .resolve();
        assert_eq!(reasons(&resolved), ["BindingPatternInvalid"], "{pattern}");
    }
    let alternatives = refund().with(|case| case.agent["bindings"][0]["pattern"] = json!("x|https://crm"));
    assert_eq!(reasons(&alternatives.resolve()), ["BindingOutOfPattern"]);
}

#[test]
fn what_brings_in_code_is_never_free() {
    for name in [
        "LD_PRELOAD",
        "https_proxy",
        "NODE_OPTIONS",
        "PYTHONPATH",
        "PATH",
        "SSL_CERT_FILE",
    ] {
        let case = refund().with(|case| {
            *case.spec("/containers/0/env/1/name") = json!(name);
            case.agent["bindings"][0] = json!({"name": "crm", "env": name, "pattern": ".*"});
        });
        assert_eq!(reasons(&case.resolve()), ["BindingNotFree"], "{name}");
        let other = case.clone().with(|case| *case.spec(CRM) = json!("other"));
        assert_ne!(case.digest(), other.digest(), "a value that is not free is hashed");
    }
}

#[test]
fn what_is_expanded_is_never_free() {
    let uses: [fn(&mut Case); 4] = [
        |case| *case.spec("/containers/0/args/1") = json!("--crm=$(CRM_URL)"),
        |case| *case.spec("/containers/0/env/3") = json!({"name": "EMPTY", "value": "x $(CRM_URL)"}),
        |case| *case.spec("/containers/0/lifecycle/preStop/exec/command/0") = json!("$(CRM_URL)"),
        |case| *case.spec(CRM) = json!("https://crm.$(POD).example.com/v2"),
    ];
    for change in uses {
        assert_eq!(reasons(&refund().with(change).resolve()), ["BindingNotFree"]);
    }
}

#[test]
fn a_binding_is_neither_a_model_nor_a_prompt() {
    let model =
        refund().with(|case| case.agent["bindings"][0] = json!({"name": "crm", "env": "MODEL", "pattern": ".*"}));
    assert_eq!(reasons(&model.resolve()), ["BindingNotFree"]);
    let prompt = refund().with(|case| case.agent["bindings"][2]["secretMount"] = json!("/etc/agent/"));
    assert_eq!(reasons(&prompt.resolve()), ["SecretNotFound", "BindingNotFree"]);
}

#[test]
fn a_secret_mount_holds_one_secret_where_no_code_is() {
    for path in ["/", "/usr/lib", "/usr/../lib", "/etc", "//bin"] {
        let case = refund().with(|case| {
            case.agent["bindings"][2]["secretMount"] = json!(path);
            *case.spec("/containers/0/volumeMounts/1/mountPath") = json!(path);
        });
        assert!(reasons(&case.resolve()).contains(&"BindingNotFree"), "{path}");
    }
    let case = refund().with(|case| *case.spec("/volumes/1") = json!({"name": "payments", "emptyDir": {}}));
    assert_eq!(reasons(&case.resolve()), ["BindingNotFree"]);
}

#[test]
fn a_binding_that_nothing_uses_is_reported() {
    let case = refund().with(|case| case.agent["bindings"][0]["env"] = json!("CRM"));
    let resolved = case.resolve();
    assert_eq!(reasons(&resolved), ["BindingUnused"]);
    assert!(!resolved.problems[0].blocking);
}
