//! An HTTP server that does exactly what it is told, however wrong, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// A request, as far as the tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status, headers and a body with its length.
    Whole(u16, Vec<(String, String)>, Vec<u8>),
    /// Bytes as they are, then the end of the connection.
    Raw(Vec<u8>),
    /// A head, and then these bytes for ever.
    Endless(&'static [u8]),
    /// Bytes as they are, then nothing for ever.
    Hang(Vec<u8>),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Whole(status, vec![], vec![])
    }

    pub(crate) fn ok(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(200, vec![("content-type".to_owned(), kind.to_owned())], body.into())
    }

    pub(crate) fn redirect(location: &str) -> Self {
        Self::status(307).with("location", location)
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Whole(status, mut headers, body) => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Whole(status, headers, body)
            }
            other => panic!("{other:?} has no headers"),
        }
    }
}

/// The server. Stops when dropped.
pub(crate) struct Server {
    port: u16,
    scheme: &'static str,
    state: Arc<State>,
    task: JoinHandle<()>,
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

struct State {
    handler: Box<Handler>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    written: AtomicUsize,
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve(None, handler).await
    }

    /// With TLS, when there is an acceptor.
    pub(crate) async fn serve(
        tls: Option<tokio_rustls::TlsAcceptor>,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            handler: Box::new(handler),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let task = tokio::spawn(accept(listener, tls, Arc::clone(&state)));
        Self {
            port,
            scheme,
            state,
            task,
        }
    }

    pub(crate) fn place(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.place())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// How many connections were opened.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many bytes were taken off our hands.
    pub(crate) fn written(&self) -> usize {
        self.state.written.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<tokio_rustls::TlsAcceptor>, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.connections.fetch_add(1, Ordering::SeqCst);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, &state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, &state).await;
                    }
                }
            }
        });
    }
}

/// One request, one answer, closed.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    let Some(asked) = read(&mut stream).await else { return };
    let reply = (state.handler)(&asked);
    state.asked.lock().unwrap().push(asked);
    match reply {
        Reply::Whole(status, headers, body) => {
            let headers = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect::<String>();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
            write(&mut stream, head.as_bytes(), state).await;
            write(&mut stream, &body, state).await;
        }
        Reply::Raw(bytes) => drop(write(&mut stream, &bytes, state).await),
        Reply::Endless(piece) => {
            let block = piece.repeat(65_536 / piece.len());
            let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.index.v1+json\r\nconnection: close\r\n\r\n";
            write(&mut stream, head, state).await;
            while write(&mut stream, &block, state).await {}
        }
        Reply::Hang(bytes) => {
            write(&mut stream, &bytes, state).await;
            // Until the client goes.
            let _ = stream.read(&mut [0; 1]).await;
        }
    }
    let _ = stream.shutdown().await;
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8], state: &State) -> bool {
    while !bytes.is_empty() {
        match stream.write(bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => {
                state.written.fetch_add(count, Ordering::SeqCst);
                bytes = &bytes[count..];
            }
        }
    }
    stream.flush().await.is_ok()
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap().split(' ').map(str::to_owned);
    let (method, path) = (request.next().unwrap(), request.next().unwrap());
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_ascii_lowercase(), value.trim().to_owned())
    };
    let headers = lines.map(header).collect::<BTreeMap<_, _>>();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => body.extend_from_slice(&piece[..count]),
        }
    }
    let body = String::from_utf8(body).unwrap();
    Some(Asked {
        method,
        path,
        headers,
        body,
    })
}
