//! The operator as a process: it starts with the chart's rights and no others, ends when it is asked to, and survives being killed.

use crate::suite::{Case, Context};
use anyhow::{Result, ensure};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "the operator has the rights of its service account and reads no Secrets",
            rights,
        ),
        Case::new(
            &[],
            "the operator ends when asked, and is ready again after a kill",
            restarts,
        )
        .alone(),
    ]
}

async fn rights(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    let account = operator.account();
    let name = account
        .kubectl(["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])
        .must()
        .await?;
    ensure!(
        name == "system:serviceaccount:vouchsafe-system:vouchsafe",
        "the operator is {name}"
    );
    for (verb, resource) in [("get", "secrets"), ("list", "secrets"), ("create", "pods"), ("*", "*")] {
        let answer = account
            .kubectl(["auth", "can-i", verb, resource, "--all-namespaces"])
            .ran()
            .await?;
        ensure!(
            answer.stdout.trim() == "no",
            "may the operator {verb} {resource} everywhere? {}",
            answer.stdout
        );
    }
    Ok(())
}

async fn restarts(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    operator.stop().await?;
    operator.start().await?;
    operator.restart().await?;
    let bytes = operator.resident_bytes()?;
    ensure!(bytes > 0, "a running operator has no memory");
    Ok(())
}
