//! `attest` refuses what is no evidence before it looks for a cluster.

use crate::program::run;

#[test]
fn what_is_no_report_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let image = format!("registry.example/a@sha256:{}", "1".repeat(64));
    for (path, words) in [
        (
            file("cut.json", "{\"SchemaVersion\": 2, \"Results\": ["),
            "not whole JSON",
        ),
        (file("other.json", "{}"), "no known format"),
        (
            file("new.json", "{\"SchemaVersion\": 9}"),
            "version 9 of Trivy's report is not known",
        ),
    ] {
        let ran = run(&["attest", &path, "--check", "image-scanned", "--image", &image]);
        assert_eq!(ran.code, 2, "{}", ran.all());
        assert!(ran.err.contains(words) && ran.err.contains("fix:"), "{}", ran.err);
    }
}
