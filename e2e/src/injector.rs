//! Somebody else's mutating webhook: a server that the API server calls by TLS, and that answers with a JSON Patch.
//!
//! Takes what to change in a pod; gives the address and the configuration that an administrator would install. Ends with the value.

use crate::{cluster::Cluster, ports};
use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// The largest review that is read.
const MAX_BYTES: usize = 4 << 20;

/// What is changed in a pod: operations of RFC 6902.
pub type Change = Arc<dyn Fn(&Value) -> Value + Send + Sync>;

/// The running webhook.
pub struct Injector {
    address: String,
    ca: String,
    calls: Arc<AtomicU32>,
    /// Ends the server when it goes away.
    _server: JoinSet<()>,
}

impl Injector {
    /// Starts to serve.
    ///
    /// # Errors
    /// When the cluster is not ours, or there is no port.
    pub async fn start(cluster: &Cluster, change: Change) -> Result<Self> {
        let (identity, ca) = cluster.server()?;
        let tls = identity.acceptor()?;
        let address = format!("127.0.0.1:{}", ports::free()?);
        let listener = TcpListener::bind(&address).await.context("the webhook has no port")?;
        let calls = Arc::new(AtomicU32::new(0));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, tls, change, Arc::clone(&calls)));
        Ok(Self {
            address,
            ca,
            calls,
            _server: server,
        })
    }

    /// How often it was asked.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// What an administrator installs, for the creation of pods of one namespace.
    #[must_use]
    pub fn configuration(&self, name: &str, namespace: &str, reinvocation: &str) -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": name},
            "webhooks": [{
                "name": "inject.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
                "reinvocationPolicy": reinvocation,
                "clientConfig": {"url": format!("https://{}/", self.address), "caBundle": STANDARD.encode(&self.ca)},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }],
        })
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, change: Change, calls: Arc<AtomicU32>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, change, calls) = (tls.clone(), Arc::clone(&change), Arc::clone(&calls));
        connections.spawn(connection(stream, tls, change, calls));
        while connections.try_join_next().is_some() {}
    }
}

/// One connection; whoever breaks it off is not our concern.
async fn connection(stream: TcpStream, tls: TlsAcceptor, change: Change, calls: Arc<AtomicU32>) {
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request| {
        calls.fetch_add(1, Ordering::Relaxed);
        let change = Arc::clone(&change);
        async move { Ok::<_, Infallible>(answer(request, &change).await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    drop(served.await);
}

async fn answer(request: Request<Incoming>, change: &Change) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), MAX_BYTES).collect().await;
    let review = body
        .ok()
        .and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok())
        .unwrap_or_default();
    let object = review.pointer("/request/object").unwrap_or(&Value::Null);
    let patch = STANDARD.encode(change(object).to_string());
    let response = json!({
        "uid": review.pointer("/request/uid"), "allowed": true, "patchType": "JSONPatch", "patch": patch,
    });
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Response::new(Full::new(Bytes::from(answer.to_string())))
}
