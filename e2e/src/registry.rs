//! OCI registries on the loopback interface: one that serves the referrers API, and the distribution registry, which does not.

use crate::{
    await_::{Look, until},
    process::{Process, Program},
    tools::Tools,
    web,
    work::Work,
};
use anyhow::{Context, Result, ensure};
use hyper::{Method, StatusCode, header::LOCATION};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Mutex;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What a registry can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Serves the referrers API.
    Referrers,
    /// Does not, so that referrers are found by the fallback tag.
    Distribution,
}

/// A registry, up while this lives. It speaks plain HTTP.
#[derive(Debug)]
pub struct Registry {
    address: String,
    process: Mutex<Process>,
}

impl Registry {
    /// Starts one at an address that is free.
    ///
    /// # Errors
    /// When it does not come up, with the end of its log.
    pub async fn start(kind: Kind, address: &str, tools: &Tools, work: &Work) -> Result<Self> {
        let program = match kind {
            Kind::Referrers => Program {
                name: "registry-with-referrers".to_owned(),
                path: tools.path("cluster")?,
                args: vec!["registry".to_owned(), address.to_owned()],
                env: Vec::new(),
            },
            Kind::Distribution => distribution(address, tools, work)?,
        };
        let process = Process::start(&program, &work.log(&program.name))?;
        let registry = Self {
            address: address.to_owned(),
            process: Mutex::new(process),
        };
        registry.await_ready().await?;
        Ok(registry)
    }

    /// Its host and port, as in the name of an image.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes it hang: connections are taken, and nothing is answered.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn pause(&self) -> Result<()> {
        self.process().and_then(|process| process.pause())
    }

    /// Makes it answer again, what came meanwhile included.
    ///
    /// # Errors
    /// When it no longer runs.
    pub fn resume(&self) -> Result<()> {
        self.process().and_then(|process| process.resume())
    }

    /// Kills it: connections are refused from now on, and what it held is lost.
    ///
    /// # Errors
    /// Never, unless a thread panicked while it did the same.
    pub fn kill(&self) -> Result<()> {
        self.process().map(|mut process| process.kill())
    }

    /// Pushes a small image whose content nothing else has; `host:port/repository@sha256:…`.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push(&self, repository: &str, content: &str) -> Result<String> {
        let layer = self.push_blob(repository, content.as_bytes()).await?;
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        })
        .to_string();
        let config_digest = self.push_blob(repository, config.as_bytes()).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config_digest, "size": config.len()},
            "layers": [{"mediaType": LAYER, "digest": layer, "size": content.len()}],
        })
        .to_string();
        let digest = self.push_manifest(repository, None, &manifest).await?;
        Ok(format!("{}/{repository}@{digest}", self.address))
    }

    /// Pushes any manifest, under a tag or by its digest; the digest.
    ///
    /// # Errors
    /// When the registry refuses it.
    pub async fn push_manifest(&self, repository: &str, tag: Option<&str>, manifest: &str) -> Result<String> {
        let digest = digest(manifest.as_bytes());
        let url = format!("{}/manifests/{}", self.base(repository), tag.unwrap_or(&digest));
        let answer = web::send(Method::PUT, &url, Some(MANIFEST), manifest.to_owned()).await?;
        ensure!(
            answer.status == StatusCode::CREATED,
            "PUT {url} says {}: {}",
            answer.status,
            answer.text()
        );
        Ok(digest)
    }

    /// Pushes any bytes; their digest.
    ///
    /// # Errors
    /// When the registry refuses them.
    pub async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Result<String> {
        let digest = digest(bytes);
        let begin = format!("{}/blobs/uploads/", self.base(repository));
        let answer = web::send(Method::POST, &begin, None, "").await?;
        let place = answer.headers.get(LOCATION).and_then(|place| place.to_str().ok());
        let place = place.with_context(|| format!("POST {begin} says {} and no place", answer.status))?;
        let place = if place.starts_with('/') {
            format!("http://{}{place}", self.address)
        } else {
            place.to_owned()
        };
        let joint = if place.contains('?') { '&' } else { '?' };
        let url = format!("{place}{joint}digest={digest}");
        let body = bytes.to_vec();
        let answer = web::send(Method::PUT, &url, Some("application/octet-stream"), body).await?;
        ensure!(
            answer.status == StatusCode::CREATED,
            "PUT {url} says {}: {}",
            answer.status,
            answer.text()
        );
        Ok(digest)
    }

    /// The tags of a repository.
    ///
    /// # Errors
    /// When the registry does not list them.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>> {
        let answer = web::get(&format!("{}/tags/list", self.base(repository))).await?;
        let list: serde_json::Value = serde_json::from_slice(&answer.body).context("cannot read a list of tags")?;
        // Null when there are none.
        let tags: Option<Vec<String>> = serde_json::from_value(list.get("tags").cloned().unwrap_or_default())
            .context("cannot read a list of tags")?;
        Ok(tags.unwrap_or_default())
    }

    fn base(&self, repository: &str) -> String {
        format!("http://{}/v2/{repository}", self.address)
    }

    async fn await_ready(&self) -> Result<()> {
        let url = format!("http://{}/v2/", self.address);
        let ended = until("the registry to answer", || async {
            if let Err(ended) = self.process()?.must_run() {
                return Ok(Look::Seen(Some(ended)));
            }
            web::get(&url).await?;
            Ok(Look::Seen(None))
        })
        .await?;
        ended.map_or(Ok(()), Err)
    }

    fn process(&self) -> Result<std::sync::MutexGuard<'_, Process>> {
        self.process
            .lock()
            .map_err(|_| anyhow::anyhow!("a thread panicked while it held the registry"))
    }
}

fn distribution(address: &str, tools: &Tools, work: &Work) -> Result<Program> {
    let config = work.path(&format!("registry-{}.json", address.replace(':', "-")));
    let settings = json!({
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": true}},
        "storage": {"inmemory": {}},
        "http": {"addr": address},
    });
    std::fs::write(&config, settings.to_string()).with_context(|| format!("cannot write `{}`", config.display()))?;
    Ok(Program {
        name: "registry-without-referrers".to_owned(),
        path: tools.path("registry")?,
        args: vec!["serve".to_owned(), config.display().to_string()],
        env: vec![("OTEL_TRACES_EXPORTER".to_owned(), "none".into())],
    })
}

/// `sha256:…` of these bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
