//! Who owns which fields of a live object.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Fails unless the operator owns nothing but the status, and the one who deploys nothing of it.
pub(super) fn apart(object: &Value, deploys: &str) -> Result<()> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let managed = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let (mut ours, mut theirs) = (0, 0);
    for entry in managed.with_context(|| format!("no managed fields on {kind}"))? {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let fields = entry.get("fieldsV1").and_then(Value::as_object).context("no fields")?;
        if text("manager").starts_with("vouchsafe") {
            ours += 1;
            ensure!(
                text("subresource") == "status" && fields.keys().eq(["f:status"]),
                "the operator owns more of {kind} than its status: {entry}"
            );
        } else if text("manager") == deploys {
            theirs += 1;
            ensure!(
                !fields.contains_key("f:status"),
                "{deploys} owns status of {kind}: {entry}"
            );
        }
    }
    let expected = usize::from(matches!(kind, "Agent" | "Environment" | "Check" | "Promotion"));
    ensure!(
        ours == expected,
        "{ours} entries of the operator on {kind}: {managed:?}"
    );
    ensure!(theirs == 1, "{theirs} entries of {deploys} on {kind}: {managed:?}");
    Ok(())
}
