//! The chart: its values are documented and strict, its version is ours, and each right that it gives has a reason.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a chart that lacks something fails the test"
)]

mod rights;
mod values;

use serde_json::Value;
use std::{fs, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap()
}

#[test]
fn one_version_for_all() {
    let chart = yaml("charts/vouchsafe/Chart.yaml");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(chart["version"], version);
    assert_eq!(chart["appVersion"], version);
    let image = yaml("charts/vouchsafe/values.yaml")["operator"]["image"].clone();
    assert_eq!(image, format!("ghcr.io/vouchsafe/vouchsafe:{version}"));
}
