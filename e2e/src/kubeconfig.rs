//! Files that tell kubectl, helm, kube and the operator who they are and where the API server is.

use crate::authority::Identity;
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::{fs::Permissions, os::unix::fs::PermissionsExt, path::Path};

/// How somebody proves who they are.
#[derive(Debug, Clone, Copy)]
pub enum Proof<'a> {
    /// A client certificate.
    Certificate(&'a Identity),
    /// A bearer token.
    Token(&'a str),
}

/// Where an API server is, and how to know that it is the right one.
#[derive(Debug, Clone)]
pub struct Server {
    /// `https://…`.
    pub url: String,
    /// The authority's certificate, as PEM.
    pub authority: String,
}

impl Server {
    /// A kubeconfig for one identity and no other.
    #[must_use]
    pub fn kubeconfig(&self, user: &str, proof: Proof<'_>) -> Value {
        let auth = match proof {
            Proof::Certificate(identity) => json!({
                "client-certificate-data": STANDARD.encode(&identity.certificate),
                "client-key-data": STANDARD.encode(&identity.key),
            }),
            Proof::Token(token) => json!({"token": token}),
        };
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": self.url,
                "certificate-authority-data": STANDARD.encode(&self.authority),
            }}],
            "users": [{"name": user, "user": auth}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        })
    }
}

/// Writes a kubeconfig that only we can read.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, kubeconfig: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(kubeconfig).context("cannot write a kubeconfig")?;
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect `{}`", path.display()))
}

/// A client for what a kubeconfig says, impersonation included.
///
/// # Errors
/// When the file cannot be read, or says something unusable.
pub async fn client(path: &Path) -> Result<Client> {
    let context = || format!("cannot use the kubeconfig `{}`", path.display());
    let kubeconfig = Kubeconfig::read_from(path).with_context(context)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(context)?;
    Client::try_from(config).with_context(context)
}
