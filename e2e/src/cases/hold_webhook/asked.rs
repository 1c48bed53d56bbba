//! Whatever comes to the webhook's port: it trusts nobody, tells nothing but whether a gate is due, and goes on.

use super::{KIND, OURS, await_held, uncleared};
use crate::{
    attempt::policies,
    stage::{Stage, one_approval},
    suite::Context,
};
use anyhow::{Context as _, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Longer than the webhook waits for anybody.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than it reads of a review.
const TOO_MUCH: usize = 17 << 20;

/// As an API server asks it.
struct Asked {
    address: String,
    connector: TlsConnector,
}

impl Asked {
    async fn of(cx: &Context) -> Result<Self> {
        let installed = policies(cx.cluster(), KIND).get(OURS).await?;
        let bundle = installed.data.pointer("/webhooks/0/clientConfig/caBundle");
        let bundle = STANDARD.decode(bundle.and_then(Value::as_str).context("nobody is trusted")?)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bundle) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address: cx
                .cluster()
                .service()
                .context("there is no webhook")?
                .address()
                .to_owned(),
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Sends bytes, and gives what comes back until the other side ends.
    async fn send(&self, head: &str, body: &[u8]) -> Result<String> {
        let stream = TcpStream::connect(&self.address).await?;
        let mut stream = self
            .connector
            .connect(ServerName::try_from("127.0.0.1")?, stream)
            .await?;
        stream.write_all(head.as_bytes()).await?;
        // Whoever says too much is not listened to until the end.
        drop(stream.write_all(body).await);
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        // That it ends without a word of farewell is no trouble; that it does not end is.
        drop(read.context("the webhook does not end")?);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn post(&self, path: &str, body: &[u8]) -> Result<String> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: webhook\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.send(&head, body).await
    }
}

fn review(namespace: &str, kind: &str, object: &Value) -> Vec<u8> {
    let (group, resource) = if kind == "Job" { ("batch", "jobs") } else { ("", "pods") };
    let request = json!({
        "uid": "u-1", "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": resource},
        "name": "x", "namespace": namespace, "operation": "CREATE", "userInfo": {"username": "anybody"}, "object": object,
    });
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
        .to_string()
        .into_bytes()
}

fn is(answer: &str, status: &str, what: &str) -> Result<()> {
    ensure!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{what}: {answer:?}");
    Ok(())
}

pub(super) async fn anything(cx: Context) -> Result<()> {
    cx.operator().await?;
    let stage = Stage::set(&cx, one_approval()).await?;
    await_held(&stage).await?;
    let asked = Asked::of(&cx).await?;
    is(
        &asked.send("GET /hold HTTP/1.1\r\nhost: x\r\n\r\n", b"").await?,
        "405",
        "GET",
    )?;
    is(&asked.post("/hold", b"").await?, "400", "nothing")?;
    is(
        &asked.post("/hold", b"{\"kind\": \"AdmissionReview\"}").await?,
        "400",
        "no request",
    )?;
    is(
        &asked.post("/hold", &b"[".repeat(100_000)).await?,
        "400",
        "deeply nested",
    )?;
    is(&asked.post("/hold", b"\xff\xfe").await?, "400", "no text")?;
    let much = asked.post("/hold", &vec![b' '; TOO_MUCH]).await?;
    ensure!(
        much.is_empty() || much.starts_with("HTTP/1.1 413"),
        "too much: {much:?}"
    );
    let pod = uncleared();
    for path in ["/", "/stamp", "/default-environment/prod", "/../hold"] {
        is(
            &asked.post(path, &review(&stage.namespace, "Pod", &pod)).await?,
            "404",
            path,
        )?;
    }
    // An object that is none: it waits, and whoever stores it is told why it cannot be.
    for none in [
        json!({}),
        json!({"metadata": {}, "spec": {"containers": {}}}),
        json!({"spec": 1}),
    ] {
        let answer = asked.post("/hold", &review(&stage.namespace, "Pod", &none)).await?;
        ensure!(answer.starts_with("HTTP/1.1 "), "{none}: {answer:?}");
    }
    costly(&asked, &stage.namespace).await?;
    tells_nothing(&asked, &stage.namespace).await?;
    // Somebody who says nothing, or speaks no TLS, keeps nobody else waiting.
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(&asked.address).await?);
    }
    await_held(&stage).await.map(drop)
}

async fn costly(asked: &Asked, namespace: &str) -> Result<()> {
    // What costs the reader much: many small objects, and groups that have to be compared with groups.
    let many = json!({"metadata": {}, "spec": {"containers": vec![json!({"a": 0}); 40_000]}});
    is(
        &asked.post("/hold", &review(namespace, "Pod", &many)).await?,
        "200",
        "many objects",
    )?;
    let groups = |from: u32| {
        (from..from + 60_000)
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
    };
    let begun = Instant::now();
    let promotion = json!({"spec": {"requestedBy": {"groups": groups(0)}}});
    let mut crowd: Value = serde_json::from_slice(&review(namespace, "Promotion", &promotion))?;
    if let Some(request) = crowd.get_mut("request").and_then(Value::as_object_mut) {
        request.insert(
            "kind".to_owned(),
            json!({"group": "vouchsafe.dev", "version": "v1alpha1", "kind": "Promotion"}),
        );
        request.insert(
            "userInfo".to_owned(),
            json!({"username": "anybody", "groups": groups(60_000)}),
        );
    }
    is(
        &asked.post("/stamp", crowd.to_string().as_bytes()).await?,
        "200",
        "many groups",
    )?;
    ensure!(begun.elapsed() < PATIENCE / 2, "many groups took {:?}", begun.elapsed());
    Ok(())
}

async fn tells_nothing(asked: &Asked, governed: &str) -> Result<()> {
    let pod = uncleared();
    // The same is said of every namespace where it is not cleared, also of those that are not there.
    let mut told = Vec::new();
    for namespace in [governed, "kube-system", "nowhere", ""] {
        let answer = asked.post("/hold", &review(namespace, "Pod", &pod)).await?;
        is(&answer, "200", namespace)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
        told.push(body.to_owned());
    }
    told.dedup();
    ensure!(told.len() == 1, "{told:?}");
    Ok(())
}
