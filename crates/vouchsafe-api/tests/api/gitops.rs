//! What GitOps tools are given: one health check in Lua a kind for Argo CD, from which its ConfigMap is made, and one in CEL for Flux.
//! Whether they say the right thing is shown in the suite, by the tools' own interpreters.

use serde_json::Value;
use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::PathBuf};
use vouchsafe_api::crds;

const HEAD: &str = "\
# Generated from deploy/argocd/health; UPDATE=1 cargo test -p vouchsafe-api
#
# How Argo CD judges the kinds of Vouchsafe, as keys for its settings. The others stay as they are:
#   kubectl patch configmap argocd-cm -n argocd --type merge --patch-file argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
data:
";

fn deploy(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(path)
}

fn kinds() -> BTreeSet<String> {
    crds::all()
        .unwrap()
        .into_iter()
        .map(|crd| crd.spec.names.kind)
        .collect()
}

/// Compares, or with `UPDATE=1` rewrites.
#[test]
fn the_settings_of_argo_cd_are_the_files() {
    let mut text = HEAD.to_owned();
    for kind in kinds() {
        let lua = fs::read_to_string(deploy(&format!("argocd/health/{kind}.lua"))).unwrap();
        writeln!(text, "  resource.customizations.health.vouchsafe.dev_{kind}: |").unwrap();
        for line in lua.lines() {
            writeln!(text, "    {line}").unwrap();
        }
    }
    let path = deploy("argocd/argocd-cm.yaml");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == text,
        "deploy/argocd/argocd-cm.yaml is not what the files say: run UPDATE=1 cargo test -p vouchsafe-api"
    );
    let read: Value = serde_saphyr::from_str(&stored).unwrap();
    for kind in kinds() {
        let lua = fs::read_to_string(deploy(&format!("argocd/health/{kind}.lua"))).unwrap();
        let key = format!("resource.customizations.health.vouchsafe.dev_{kind}");
        assert_eq!(
            read["data"][&key].as_str(),
            Some(lua.as_str()),
            "{kind} is read back as something else"
        );
    }
}

#[test]
fn no_kind_is_left_out() {
    let files: BTreeSet<String> = fs::read_dir(deploy("argocd/health"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.trim_end_matches(".lua").to_owned())
        .collect();
    assert_eq!(files, kinds());
    let flux = fs::read_to_string(deploy("flux/health-checks.yaml")).unwrap();
    let flux: Value = serde_saphyr::from_str(&flux).unwrap();
    let checks = flux["spec"]["healthCheckExprs"].as_array().unwrap();
    assert_eq!(checks.len(), kinds().len());
    for check in checks {
        assert_eq!(check["apiVersion"], "vouchsafe.dev/v1alpha1");
        assert!(kinds().contains(check["kind"].as_str().unwrap()), "{}", check["kind"]);
    }
}
