//! The server: TLS, one request a connection, bounded, and answered from what the watches know.
//!
//! Nobody proves who they are here, so nothing is told but whether an object would be changed. A connection is not kept: of several operators
//! the next request may reach another, and one that has gone is not asked again.

use super::{Certificates, SECRET, patch};
use crate::{
    observe::World,
    serve::{Health, PATIENCE, connections},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::DynamicObject,
    core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation},
    runtime::reflector::ObjectRef,
};
use serde_json::Value;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use vouchsafe_api::{Clearance, clearance};

/// Connections at the same time: an API server asks for as many pods as are created at a time.
const CONNECTIONS: usize = 256;
/// Bytes of a review: an API server takes requests of 3 MiB, and its store objects of half of that. What is larger is not held, and judged.
const MAX_REVIEW: usize = 3 << 20;
/// Reviews that are being received, and of those that are being read: what is read takes many times its bytes. Both together are what
/// whoever reaches the port can make the operator use of its memory.
const RECEIVED: usize = 64;
const READ: usize = 2;
/// How often it is looked whether there is another certificate.
const LOOK: Duration = Duration::from_secs(10);
/// The same while there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What is shown to whoever connects, once there is anything.
type Shown = watch::Sender<Option<TlsAcceptor>>;

/// What a review is answered with.
struct Answers {
    world: Arc<World>,
    received: Semaphore,
    read: Semaphore,
}

/// Serves in `tasks`: nothing until there is a certificate, which keeps the operator from being ready.
pub(crate) fn start(
    listener: TcpListener,
    client: &Client,
    namespace: &str,
    health: &Arc<Health>,
    world: &Arc<World>,
    tasks: &mut JoinSet<()>,
) {
    let shown = Arc::new(Shown::new(None));
    health.awaits_certificate();
    let secrets = Api::namespaced(client.clone(), namespace);
    tasks.spawn(follow(secrets, Arc::clone(&shown), Arc::clone(health)));
    let answers = Answers {
        world: Arc::clone(world),
        received: Semaphore::new(RECEIVED),
        read: Semaphore::new(READ),
    };
    tasks.spawn(serve(listener, shown, Arc::new(answers)));
}

/// Shows what the Secret holds, as long as it is polled. Whoever leads writes it.
async fn follow(secrets: Api<Secret>, shown: Arc<Shown>, health: Arc<Health>) {
    let mut known = None;
    loop {
        match secrets.get(SECRET).await {
            Ok(secret) => {
                let found = Certificates::read(&secret.data.unwrap_or_default());
                if found.is_some() && found != known {
                    match found.as_ref().map(Certificates::acceptor).transpose() {
                        Ok(acceptor) => {
                            shown.send_replace(acceptor);
                            health.certified();
                            known = found;
                        }
                        Err(error) => tracing::error!(event = "webhook", %error, "the certificate cannot be used"),
                    }
                }
            }
            Err(error) => {
                tracing::warn!(event = "webhook", %error, secret = SECRET, "the certificate cannot be read");
            }
        }
        sleep(if known.is_some() { LOOK } else { LOOK_AGAIN }).await;
    }
}

/// Serves as long as it is polled.
async fn serve(listener: TcpListener, shown: Arc<Shown>, answers: Arc<Answers>) {
    connections(listener, CONNECTIONS, move |stream| {
        let (acceptor, answers) = (shown.borrow().clone(), Arc::clone(&answers));
        async move {
            if let Some(acceptor) = acceptor {
                connection(stream, acceptor, answers).await;
            }
        }
    })
    .await;
}

/// One request; whoever breaks it off is not our concern.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, answers: Arc<Answers>) {
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let service = service_fn(move |request| {
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.to(request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    drop(timeout(2 * PATIENCE, served).await);
}

impl Answers {
    async fn to(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if request.method() != Method::POST {
            return refused(StatusCode::METHOD_NOT_ALLOWED, "only POST, of an AdmissionReview");
        }
        // Never closed, so a place always comes.
        let _received = self.received.acquire().await;
        let Ok(body) = Limited::new(request.into_body(), MAX_REVIEW).collect().await else {
            return refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the review is too large, or did not come",
            );
        };
        let _read = self.read.acquire().await;
        let review = serde_json::from_slice::<AdmissionReview<DynamicObject>>(&body.to_bytes());
        let Some(asked) = review.ok().and_then(|review| review.try_into().ok()) else {
            return refused(StatusCode::BAD_REQUEST, "this is no AdmissionReview");
        };
        let Some(answer) = reviewed(&path, &asked, &self.world) else {
            return refused(StatusCode::NOT_FOUND, "nothing is known of such an object here");
        };
        let mut response = Response::new(Full::new(Bytes::from(answer)));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

fn refused(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response
}

/// The answer to a review; none to what is not asked here.
fn reviewed(path: &str, asked: &AdmissionRequest<DynamicObject>, world: &World) -> Option<Vec<u8>> {
    let object = asked.object.as_ref().filter(|_| asked.operation == Operation::Create)?;
    let object = serde_json::to_value(object).ok()?;
    let namespace = asked.namespace.as_deref().unwrap_or_default();
    let found = world
        .clearances
        .get(&ObjectRef::<Clearance>::new(clearance::NAME).within(namespace));
    let uid = world.uid_of(namespace);
    // What was written for a namespace that had this name before says nothing.
    let ledger = found.as_ref().map(|found| &found.spec);
    let ledger = ledger.filter(|ledger| ledger.namespace_uid == uid);
    let patch = match (path, asked.kind.group.as_str(), asked.kind.kind.as_str()) {
        ("/hold", "", "Pod") => patch::pod(&object, ledger),
        ("/hold", "batch", "Job") => patch::job(&object, ledger),
        ("/stamp", "vouchsafe.dev", kind) => patch::stamp(&object, kind, &asked.user_info),
        (path, "", "Namespace") => patch::namespace(&object, path.strip_prefix("/default-environment/")?),
        _ => return None,
    };
    let mut response = AdmissionResponse::from(asked);
    if !patch.is_empty() {
        let patch = serde_json::from_value(Value::Array(patch)).ok()?;
        response = response.with_patch(patch).ok()?;
    }
    serde_json::to_vec(&response.into_review()).ok()
}
