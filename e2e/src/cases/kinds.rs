//! The kinds that people write, as the API server judges them: schemas and their CEL rules are compiled, and their cost is bounded.

mod judged;

use crate::suite::{Case, Context};
use anyhow::{Context as _, Result, ensure};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(&[], "the API server takes every CRD as it is generated", crds_are_taken),
        Case::new(
            &[],
            "the API server takes and refuses objects of every kind, and says why",
            judged::objects_are_judged,
        ),
    ]
}

/// By a dry run, so that whoever installs the chart in this cluster still can.
async fn crds_are_taken(cx: Context) -> Result<()> {
    let folder = crate::checkout().join("crds");
    let count = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot list `{}`", folder.display()))?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yaml"))
        .count();
    let folder = folder.display().to_string();
    let apply = [
        "apply",
        "--server-side",
        "--field-manager=dry",
        "--force-conflicts",
        "--dry-run=server",
        "-o",
        "name",
        "-f",
        &folder,
    ];
    let taken = cx.admin().kubectl(apply).must().await?;
    ensure!(
        count > 0 && taken.lines().count() == count,
        "{count} files, and the API server took:\n{taken}"
    );
    Ok(())
}
