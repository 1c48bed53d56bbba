//! What the operator answers by HTTP: whether it lives, whether it is ready, and its metrics. Nothing about anybody's objects.
//!
//! Takes an address and what is known of the operator; reads nothing of a request but its path, and bounds how long it waits.

use crate::metrics::{self, Metrics};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// Connections at the same time; more wait.
const CONNECTIONS: usize = 64;
/// Longer nobody takes to say what they want.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a request's head.
pub(crate) const HEAD: usize = 16 * 1024;

/// What is known of the operator's health.
#[derive(Debug, Default)]
pub(crate) struct Health {
    watches: AtomicBool,
    admitted: AtomicBool,
    uncertified: AtomicBool,
}

impl Health {
    /// Every watch has listed what was there.
    pub(crate) fn watching(&self) {
        self.watches.store(true, Ordering::Relaxed);
    }

    /// Whether the last uncleared pod that was tried came in.
    pub(crate) fn probed(&self, admitted: bool) {
        self.admitted.store(admitted, Ordering::Relaxed);
    }

    /// Where its certificate is kept has to be read before anybody can ask.
    pub(crate) fn awaits_certificate(&self) {
        self.uncertified.store(true, Ordering::Relaxed);
    }

    /// It was read.
    pub(crate) fn certified(&self) {
        self.uncertified.store(false, Ordering::Relaxed);
    }

    /// What keeps it from being ready.
    fn obstacle(&self) -> Option<&'static str> {
        if !self.watches.load(Ordering::Relaxed) {
            return Some("the watches have not listed what is there yet");
        }
        if self.uncertified.load(Ordering::Relaxed) {
            return Some("the Secret vouchsafe-webhook cannot be read, where the webhook's certificate is kept");
        }
        let admitted = self.admitted.load(Ordering::Relaxed);
        admitted.then_some("an uncleared pod was let in by the probe: the policies are not installed or not in force")
    }
}

/// What is told.
pub(crate) struct Told {
    pub(crate) health: Arc<Health>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Binds an address.
///
/// # Errors
/// When it is taken, or not ours.
pub(crate) async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, told: Told) {
    let told = Arc::new(told);
    connections(listener, CONNECTIONS, move |stream| {
        connection(stream, Arc::clone(&told))
    })
    .await;
}

/// Handles what connects, so many at the same time.
pub(crate) async fn connections<F>(listener: TcpListener, most: usize, handle: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    loop {
        // Never closed, so a place always comes.
        let place = Arc::clone(&places).acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: wait until some come back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // An answer in several small parts would wait for the other side's acknowledgement of the first.
        drop(stream.set_nodelay(true));
        let handled = handle(stream);
        tokio::spawn(async move {
            let _place = place;
            handled.await;
        });
    }
}

/// One request; whoever breaks it off is not our concern.
async fn connection(stream: TcpStream, told: Arc<Told>) {
    let service = service_fn(move |request| {
        let answer = answer(&request, &told);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    drop(tokio::time::timeout(2 * PATIENCE, served).await);
}

fn answer(request: &Request<Incoming>, told: &Told) -> Response<Full<Bytes>> {
    let (method, path) = (request.method(), request.uri().path());
    if is_read(method) && path == "/metrics" {
        let mut response = Response::new(Full::new(Bytes::from(told.metrics.text())));
        let format = HeaderValue::from_static(metrics::CONTENT_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, format);
        return response;
    }
    let (status, words) = said(method, path, &told.health);
    let mut response = Response::new(Full::new(Bytes::from_static(words.as_bytes())));
    *response.status_mut() = status;
    response
}

fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

fn said(method: &Method, path: &str, health: &Health) -> (StatusCode, &'static str) {
    if !is_read(method) {
        return (StatusCode::METHOD_NOT_ALLOWED, "only GET");
    }
    match path {
        "/healthz" => (StatusCode::OK, "ok"),
        "/readyz" => match health.obstacle() {
            None => (StatusCode::OK, "ok"),
            Some(obstacle) => (StatusCode::SERVICE_UNAVAILABLE, obstacle),
        },
        _ => (StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, said};
    use hyper::Method;

    #[test]
    fn ready_is_who_watches_and_whose_gate_holds() {
        let health = Health::default();
        let status = |path: &str| said(&Method::GET, path, &health).0.as_u16();
        assert_eq!(
            (status("/healthz"), status("/readyz"), status("/other")),
            (200, 503, 404)
        );
        health.watching();
        assert_eq!(status("/readyz"), 200);
        health.probed(true);
        assert_eq!(status("/readyz"), 503);
        health.probed(false);
        assert_eq!(status("/readyz"), 200);
        health.awaits_certificate();
        assert_eq!(status("/readyz"), 503);
        health.certified();
        assert_eq!(status("/readyz"), 200);
        assert_eq!(said(&Method::POST, "/healthz", &health).0.as_u16(), 405);
    }
}
