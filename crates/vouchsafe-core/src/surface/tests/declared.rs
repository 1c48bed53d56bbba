//! What the declaration brings, and what of it stays out.

use super::*;

#[test]
fn words_about_the_agent_stay_out() {
    same(|case| case.agent["owner"] = json!({"team": "other"}));
    same(|case| case.agent["purpose"] = json!("other"));
    same(|case| case.agent["source"] = json!({"repository": "other"}));
    same(|case| case.agent["data"][0]["purpose"] = json!("other"));
    same(|case| case.agent["workloads"][0]["name"] = json!("other"));
}

#[test]
fn what_it_may_do_is_in() {
    differs(
        |case| case.agent["autonomy"] = json!("Autonomous"),
        &["Changed Agent agent"],
    );
    differs(
        |case| insert(&mut case.agent, "autonomy", Value::Null),
        &["Changed Agent agent"],
    );
    differs(
        |case| case.agent["tools"][0]["effect"] = json!("Irreversible"),
        &["Changed Tool refund.create"],
    );
    differs(
        |case| case.agent["tools"][0]["requiresApproval"] = json!(false),
        &["Changed Tool refund.create"],
    );
    differs(
        |case| case.agent["tools"][0]["definitionDigest"] = json!(OTHER),
        &["Changed Tool refund.create"],
    );
    differs(
        |case| case.agent["delegates"] = json!([]),
        &["Removed Delegate fraud-score"],
    );
    differs(
        |case| case.agent["data"][0]["classification"] = json!("Public"),
        &["Changed Data customer-records"],
    );
    differs(
        |case| case.agent["data"][0]["access"] = json!(["Write", "Read"]),
        &["Changed Data customer-records"],
    );
    differs(
        |case| case.agent["bindings"][0]["pattern"] = json!(".*"),
        &["Changed Binding crm"],
    );
    differs(
        |case| *case.spec("/containers/0/env/0/value") = json!("gpt-6-2026-09-01"),
        &["Changed Model main"],
    );
    differs(
        |case| case.agent["models"][1]["artifact"] = json!(format!("oci://x/y@{OTHER}")),
        &["Changed Model ranker"],
    );
    differs(
        |case| case.agent["models"][1]["provider"] = json!("other"),
        &["Changed Agent agent"],
    );
}

#[test]
fn a_model_pinned_by_digest_is_its_artifact() {
    let digest = |case: Case| {
        case.resolve()
            .surface
            .of(Facet::Model)
            .find(|model| model.name == "ranker")
            .unwrap()
            .digest
    };
    assert_eq!(digest(refund()).to_string(), format!("sha256:{}", "3".repeat(64)));
    let mirrored = refund().with(|case| {
        let artifact = case.agent["models"][1]["artifact"]
            .as_str()
            .unwrap()
            .replace("registry.example", "mirror.example");
        case.agent["models"][1]["artifact"] = json!(artifact);
    });
    assert_eq!(mirrored.digest(), refund().digest());
}

#[test]
fn a_moving_model_is_unresolved() {
    for value in ["", "gpt-5-latest", "latest", "llama:latest", "chat-preview"] {
        let resolved = refund()
            .with(|case| *case.spec("/containers/0/env/0/value") = json!(value))
            .resolve();
        assert_eq!(reasons(&resolved), ["ModelFloating"], "{value}");
        assert_eq!(
            resolved
                .surface
                .unresolved()
                .map(|one| one.name.as_str())
                .collect::<Vec<_>>(),
            ["main"]
        );
    }
    let resolved = refund()
        .with(|case| case.agent["models"][0]["pin"] = json!("Floating"))
        .resolve();
    assert_eq!(reasons(&resolved), ["ModelFloating"]);
    let resolved = refund()
        .with(|case| case.agent["models"][0]["in"]["env"] = json!("NOWHERE"))
        .resolve();
    assert_eq!(reasons(&resolved), ["ModelNotFound"]);
}

#[test]
fn a_prompt_may_be_in_a_variable_or_a_secret() {
    let by_env = refund().with(|case| {
        case.agent["prompts"][0]["in"] = json!({"role": "server", "env": "SYSTEM"});
        case.spec("/containers/0/env")
            .as_array_mut()
            .unwrap()
            .push(json!({"name": "SYSTEM", "value": "Refund politely."}));
    });
    let prompt = |resolved: &Resolved| resolved.surface.of(Facet::Prompt).next().unwrap().clone();
    assert_eq!(prompt(&by_env.resolve()).digest, prompt(&refund().resolve()).digest);
    let by_secret = refund().with(|case| {
        let data = [("system.md".to_owned(), b"Refund politely.".to_vec())].into();
        case.objects
            .secrets
            .insert("s".to_owned(), ConfigObject { data, immutable: true });
        case.spec("/volumes/0").as_object_mut().unwrap().remove("configMap");
        let items = json!([{"key": "system.md", "path": "system.md"}]);
        insert(
            case.spec("/volumes/0"),
            "secret",
            json!({"secretName": "s", "items": items}),
        );
    });
    assert_eq!(reasons(&by_secret.resolve()), Vec::<&str>::new());
    assert_eq!(prompt(&by_secret.resolve()).digest, prompt(&refund().resolve()).digest);
}

#[test]
fn tools_that_are_not_pinned_are_unresolved() {
    let case = |change: fn(&mut Value)| refund().with(|case| change(&mut case.agent)).resolve();
    assert_eq!(reasons(&case(|agent| agent["tools"] = json!([]))), ["ToolsUndeclared"]);
    assert_eq!(
        reasons(&case(|agent| agent["tools"][0]["definitionDigest"] = Value::Null)),
        ["ToolNotPinned"]
    );
    assert_eq!(
        reasons(&case(|agent| agent["toolServers"][0]["binding"] = json!("none"))),
        ["ToolServerNotBound"]
    );
    assert_eq!(
        reasons(&case(|agent| agent["toolServers"] = json!([]))),
        ["ToolServerNotFound"]
    );
    assert_eq!(
        reasons(&case(|agent| agent["data"][0]["through"] = json!(["none"]))),
        ["DataNotTied"]
    );
    assert_eq!(
        reasons(&case(
            |agent| agent["delegates"] = json!([{"agent": "a"}, {"agent": "a"}])
        )),
        ["DuplicateName"]
    );
}
