//! A collector of traces on the loopback interface: it decodes OTLP as it is sent over HTTP, keeps the spans, and can misbehave.

use crate::{authority::Identity, ports};
use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{KeyValue, any_value},
    trace::v1::Span as Sent,
};
use prost::Message as _;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes what is sent.
    Takes,
    /// Reads what is sent, and answers nothing.
    Hangs,
    /// Answers 500.
    Fails,
    /// Takes nothing, and says with a status of success and an answer without an end that it did.
    Lies,
}

/// A span as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace, in hexadecimal digits.
    pub trace: String,
    /// Its id.
    pub id: String,
    /// What it is in; empty for the root.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Nanoseconds of the epoch.
    pub begun: u64,
    /// The same.
    pub ended: u64,
    /// What it says.
    pub attributes: BTreeMap<String, Value>,
    /// What its origin says.
    pub resource: BTreeMap<String, Value>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Span {
    /// A text that it says; empty when it does not.
    #[must_use]
    pub fn says(&self, key: &str) -> &str {
        self.attributes.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    authorization: Vec<String>,
    requests: usize,
    /// What could not be read, which nothing that is sent may be.
    unreadable: Vec<String>,
}

/// A collector, up while this lives.
#[derive(Debug)]
pub struct Collector {
    endpoint: String,
    taken: Arc<Mutex<Taken>>,
    task: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collector {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(manner: Manner) -> Result<Self> {
        Self::listen("http", None, manner).await
    }

    /// Starts one that is spoken to by TLS.
    ///
    /// # Errors
    /// When there is no free port, or the certificate cannot be used.
    pub async fn start_with_tls(manner: Manner, identity: &Identity) -> Result<Self> {
        Self::listen("https", Some(identity.acceptor()?), manner).await
    }

    async fn listen(scheme: &str, tls: Option<TlsAcceptor>, manner: Manner) -> Result<Self> {
        let address = format!("127.0.0.1:{}", ports::free()?);
        let listener = TcpListener::bind(&address).await.context("the collector has no port")?;
        let taken = Arc::new(Mutex::new(Taken::default()));
        Ok(Self {
            endpoint: format!("{scheme}://{address}"),
            task: tokio::spawn(serve(listener, tls, manner, Arc::clone(&taken))),
            taken,
        })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` has to be.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Requests that came, whatever became of them.
    ///
    /// # Errors
    /// When one could not be read.
    pub fn requests(&self) -> Result<usize> {
        self.look(|taken| taken.requests)
    }

    /// Spans that were taken, in the order of their beginnings.
    ///
    /// # Errors
    /// When something that was sent could not be read.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let mut spans = self.look(|taken| taken.spans.clone())?;
        spans.sort_by_key(|span| (span.begun, std::cmp::Reverse(span.ended)));
        Ok(spans)
    }

    /// The header `authorization` of every request.
    ///
    /// # Errors
    /// When something that was sent could not be read.
    pub fn authorization(&self) -> Result<Vec<String>> {
        self.look(|taken| taken.authorization.clone())
    }

    fn look<T>(&self, look: impl FnOnce(&Taken) -> T) -> Result<T> {
        let taken = self.taken.lock().map_err(|_| anyhow!("the collector panicked"))?;
        ensure!(taken.unreadable.is_empty(), "not OTLP: {:?}", taken.unreadable);
        Ok(look(&taken))
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, manner: Manner, taken: Arc<Mutex<Taken>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, taken) = (tls.clone(), Arc::clone(&taken));
        tokio::spawn(async move {
            match tls {
                None => connection(stream, manner, taken).await,
                // Whoever does not believe the certificate breaks it off.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, manner, taken).await;
                    }
                }
            }
        });
    }
}

async fn connection<S>(stream: S, manner: Manner, taken: Arc<Mutex<Taken>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |request| answer(request, manner, Arc::clone(&taken)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // The operator may be killed in the middle.
    drop(served.await);
}

async fn answer(request: Request<Incoming>, manner: Manner, taken: Arc<Mutex<Taken>>) -> Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (kind, authorization) = (header(CONTENT_TYPE).to_owned(), header(AUTHORIZATION).to_owned());
    let place = format!("{} {} {kind}", parts.method, parts.uri.path());
    let body = body.collect().await?.to_bytes();
    if let Ok(mut taken) = taken.lock() {
        taken.requests += 1;
        taken.authorization.push(authorization);
        match ExportTraceServiceRequest::decode(body) {
            Ok(sent) if place == "POST /v1/traces application/x-protobuf" => {
                if manner == Manner::Takes {
                    taken.spans.extend(spans(sent));
                }
            }
            Ok(_) => taken.unreadable.push(place),
            Err(error) => taken.unreadable.push(error.to_string()),
        }
    }
    let mut response = Response::new(Full::new(ExportTraceServiceResponse::default().encode_to_vec().into()));
    match manner {
        Manner::Takes => {}
        Manner::Hangs => std::future::pending().await,
        Manner::Fails => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        Manner::Lies => *response.body_mut() = Full::new(Bytes::from(vec![b' '; 64 << 20])),
    }
    Ok(response)
}

fn spans(sent: ExportTraceServiceRequest) -> Vec<Span> {
    let mut all = Vec::new();
    for of_resource in sent.resource_spans {
        let resource = words(
            of_resource
                .resource
                .map(|resource| resource.attributes)
                .unwrap_or_default(),
        );
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        all.extend(spans.map(|sent| span(sent, &resource)));
    }
    all
}

fn span(sent: Sent, resource: &BTreeMap<String, Value>) -> Span {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Span {
        trace: hex(&sent.trace_id),
        id: hex(&sent.span_id),
        parent: hex(&sent.parent_span_id),
        name: sent.name,
        begun: sent.start_time_unix_nano,
        ended: sent.end_time_unix_nano,
        attributes: words(sent.attributes),
        resource: resource.clone(),
        // 2 is an error.
        error: sent
            .status
            .filter(|status| status.code == 2)
            .map(|status| status.message),
    }
}

fn words(attributes: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let all = attributes.into_iter();
    all.map(|attribute| (attribute.key, word(attribute.value.and_then(|value| value.value))))
        .collect()
}

fn word(value: Option<any_value::Value>) -> Value {
    match value {
        Some(any_value::Value::StringValue(text)) => json!(text),
        Some(any_value::Value::IntValue(number)) => json!(number),
        Some(any_value::Value::ArrayValue(list)) => list.values.into_iter().map(|value| word(value.value)).collect(),
        other => json!(format!("{other:?}")),
    }
}
