//! The server: TLS, one request a connection, bounded, and answered from what the watches know.
//!
//! Nobody proves who they are here, so nothing is told but whether an object would be changed. A connection is not kept: of several operators
//! the next request may reach another, and one that has gone is not asked again.

use super::{Certificates, SECRET, patch};
use crate::{
    observe::World,
    serve::{HEAD, Health, connections},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use k8s_openapi::api::{authentication::v1::UserInfo, core::v1::Secret};
use kube::{Api, Client, runtime::reflector::ObjectRef};
use serde_json::{Value, json};
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
/// Bytes of a review to hold: a profile has at most a quarter of that, so what is larger is not cleared. It is not held either, and refused.
const MAX_HELD: usize = 512 << 10;
/// Bytes of one to stamp: as much as an API server stores.
const MAX_STAMPED: usize = 3 << 19;
/// Reviews that are being received, and of those that are being read: what is read takes many times its bytes. Both together are what
/// whoever reaches the port can make the operator use of its memory.
const RECEIVED: usize = 64;
const READ: usize = 1;
/// Longer an API server does not wait, so that nobody else has to be waited for.
const PATIENCE: Duration = Duration::from_secs(5);
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
    read: Arc<Semaphore>,
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
        read: Arc::new(Semaphore::new(READ)),
    };
    tasks.spawn(serve(listener, shown, Arc::new(answers)));
}

/// Shows what the Secret holds, as long as it is polled. Whoever leads writes it; so one who does not lead is ready without it, because the one
/// that leads may be an older one, without a webhook, that waits for this one to be ready.
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
                            tracing::info!(event = "webhook", "a certificate is shown to the API server");
                            known = found;
                        }
                        Err(error) => tracing::error!(event = "webhook", %error, "the certificate cannot be used"),
                    }
                }
                health.certified();
            }
            Err(error) => {
                tracing::warn!(event = "webhook", %error, secret = SECRET, "the certificate cannot be read; `helm upgrade` brings a Secret back");
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
        .max_buf_size(HEAD)
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
        let most = if path == "/stamp" { MAX_STAMPED } else { MAX_HELD };
        // Never closed, so a place always comes.
        let _received = self.received.acquire().await;
        let Ok(body) = Limited::new(request.into_body(), most).collect().await else {
            return refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the review is too large, or did not come",
            );
        };
        let read = Arc::clone(&self.read).acquire_owned().await;
        let (body, world) = (body.to_bytes(), Arc::clone(&self.world));
        // Whatever somebody sends, the Lease is renewed meanwhile.
        let answer = tokio::task::spawn_blocking(move || {
            let _read = read;
            reviewed(&path, &body, &world)
        });
        let answer = match answer.await {
            Ok(Ok(answer)) => answer,
            Ok(Err((status, words))) => return refused(status, words),
            Err(_) => return refused(StatusCode::INTERNAL_SERVER_ERROR, "this review cannot be answered"),
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

/// The answer to a review; or what is wrong with it. It is read raw, and once: typed it would be in memory several times.
fn reviewed(path: &str, body: &[u8], world: &World) -> Result<String, (StatusCode, &'static str)> {
    let no_review = (StatusCode::BAD_REQUEST, "this is no AdmissionReview");
    let unknown = (StatusCode::NOT_FOUND, "nothing is known of such an object here");
    let mut review: Value = serde_json::from_slice(body).map_err(|_| no_review)?;
    let mut asked = review.get_mut("request").map(Value::take).unwrap_or_default();
    let object = asked.get_mut("object").map(Value::take).unwrap_or_default();
    let text = |pointer: &str| asked.pointer(pointer).and_then(Value::as_str);
    let (Some(uid), Some(kind)) = (text("/uid"), text("/kind/kind")) else {
        return Err(no_review);
    };
    if text("/operation") != Some("CREATE") || !object.is_object() {
        return Err(unknown);
    }
    let namespace = text("/namespace").unwrap_or_default();
    let ledger = ObjectRef::<Clearance>::new(clearance::NAME).within(namespace);
    let found = world.clearances.get(&ledger);
    // What was written for a namespace that had this name before says nothing.
    let ledger = found.as_ref().map(|found| &found.spec);
    let ledger = ledger.filter(|ledger| ledger.namespace_uid == world.uid_of(namespace));
    let patch = match (path, text("/kind/group").unwrap_or_default(), kind) {
        ("/hold", "", "Pod") => patch::pod(&object, ledger),
        ("/hold", "batch", "Job") => patch::job(&object, ledger),
        ("/stamp", "vouchsafe.dev", kind) => {
            let user = asked.get("userInfo").cloned().unwrap_or_default();
            let user: UserInfo = serde_json::from_value(user).map_err(|_| no_review)?;
            patch::stamp(&object, kind, &user)
        }
        (path, "", "Namespace") => {
            let environment = path.strip_prefix("/default-environment/").ok_or(unknown)?;
            patch::namespace(&object, environment)
        }
        _ => return Err(unknown),
    };
    let mut response = json!({"uid": uid, "allowed": true});
    if let Some(fields) = response.as_object_mut().filter(|_| !patch.is_empty()) {
        fields.insert("patchType".to_owned(), json!("JSONPatch"));
        fields.insert(
            "patch".to_owned(),
            json!(STANDARD.encode(Value::Array(patch).to_string())),
        );
    }
    Ok(json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).to_string())
}
