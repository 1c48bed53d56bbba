//! Keys and signatures by the real cosign, offline: no transparency log, no time-stamps, no look at anybody's trusted root.

use crate::{program::Run, tools::Tools, work::Work};
use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// cosign with a folder of its own.
#[derive(Debug, Clone)]
pub struct Cosign {
    program: PathBuf,
    folder: PathBuf,
}

/// A pair of keys made for this run.
#[derive(Debug, Clone)]
pub struct Keys {
    private: PathBuf,
    public: PathBuf,
    /// The public key as PEM, for a Check.
    pub pem: String,
}

impl Cosign {
    /// Writes the settings that keep it offline.
    ///
    /// # Errors
    /// When cosign is missing or fails.
    pub async fn prepare(tools: &Tools, work: &Work) -> Result<Self> {
        let folder = work.path("cosign");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let cosign = Self {
            program: tools.path("cosign")?,
            folder,
        };
        cosign
            .run(&["signing-config", "create", "--out", "signing.json"])
            .must()
            .await?;
        cosign
            .run(&["trusted-root", "create", "--out", "root.json"])
            .must()
            .await?;
        Ok(cosign)
    }

    /// Makes a pair of keys under this name.
    ///
    /// # Errors
    /// When cosign fails.
    pub async fn keys(&self, name: &str) -> Result<Keys> {
        self.run(&["generate-key-pair", "--output-key-prefix", name])
            .must()
            .await?;
        let path = |suffix: &str| self.folder.join(format!("{name}.{suffix}"));
        let public = path("pub");
        let pem = std::fs::read_to_string(&public).with_context(|| format!("cannot read `{}`", public.display()))?;
        Ok(Keys {
            private: path("key"),
            public,
            pem,
        })
    }

    /// Signs an image (`host/repository@sha256:…`): a bundle v0.3, found by the referrers API where the registry has it, else by the
    /// fallback tag.
    ///
    /// # Errors
    /// When cosign fails.
    pub async fn sign(&self, keys: &Keys, image: &str) -> Result<()> {
        let run = self.run(&[
            "sign",
            "--yes",
            "--signing-config",
            "signing.json",
            "--trusted-root",
            "root.json",
        ]);
        run.arg("--key").arg(&keys.private).arg(image).must().await?;
        Ok(())
    }

    /// Attests a predicate of a type about an image, in the same form.
    ///
    /// # Errors
    /// When cosign fails.
    pub async fn attest(&self, keys: &Keys, image: &str, predicate_type: &str, predicate: &Path) -> Result<()> {
        let run = self.run(&[
            "attest",
            "--yes",
            "--signing-config",
            "signing.json",
            "--trusted-root",
            "root.json",
        ]);
        let run = run.arg("--key").arg(&keys.private).args(["--type", predicate_type]);
        run.arg("--predicate").arg(predicate).arg(image).must().await?;
        Ok(())
    }

    /// Verifies an image as an operator's shell would.
    ///
    /// # Errors
    /// When cosign finds no signature by this key.
    pub async fn verify(&self, keys: &Keys, image: &str) -> Result<()> {
        let run = self.run(&["verify", "--insecure-ignore-tlog", "--trusted-root", "root.json"]);
        run.arg("--key").arg(&keys.public).arg(image).must().await?;
        Ok(())
    }

    /// What somebody with this key attested about an image: the predicate of this type, verified.
    ///
    /// # Errors
    /// When cosign finds none, or it is no in-toto statement.
    pub async fn attested(&self, keys: &Keys, image: &str, predicate_type: &str) -> Result<Value> {
        let run = self.run(&[
            "verify-attestation",
            "--insecure-ignore-tlog",
            "--trusted-root",
            "root.json",
            "--type",
            predicate_type,
        ]);
        let output = run.arg("--key").arg(&keys.public).arg(image).must().await?;
        let envelope: Value = serde_json::from_str(&output).context("cosign prints no envelope")?;
        let payload = envelope.get("payload").and_then(Value::as_str).context("no payload")?;
        let statement = STANDARD.decode(payload).context("the payload is no base64")?;
        let mut statement: Value = serde_json::from_slice(&statement).context("the payload is no statement")?;
        statement.get_mut("predicate").map(Value::take).context("no predicate")
    }

    fn run(&self, args: &[&str]) -> Run {
        // The keys are of this run only, and lie in its folder: a password would protect nothing.
        let run = Run::new(&self.program)
            .folder(&self.folder)
            .env("HOME", &self.folder)
            .env("COSIGN_PASSWORD", "");
        run.args(args)
    }
}
