//! How the collector is spoken to: HTTP/1.1 within bounds, with the roots of the system or those that the platform names.
//!
//! It follows no redirects, so that what is sent goes where the platform said. Of an answer nothing matters but its status.

use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::{Request, Response, body::Bytes};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry_http::{HttpClient, HttpError};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How long one attempt may take, and its beginning.
const ATTEMPT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(3);
/// The largest answer that is read, and its head.
const ANSWER: usize = 64 << 10;
const HEAD: usize = 16 << 10;

/// Sends to the collector.
#[derive(Debug)]
pub(super) struct Collector(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// No certificate can be read.
    #[error("the certificates in `{}` cannot be read", .0.display())]
    Certificates(PathBuf),
}

impl Collector {
    /// With certificates of the platform's, or the system's.
    pub(super) fn new(certificates: Option<&Path>) -> Result<Self, ClientError> {
        let config = ClientConfig::builder();
        let config = match certificates {
            Some(file) => config.with_root_certificates(read(file)?),
            // Without any, a collector that is spoken to in plain still works, and of others it is said that their issuer is unknown.
            None => match config.clone().with_native_roots() {
                Ok(config) => config,
                Err(_) => config.with_root_certificates(RootCertStore::empty()),
            },
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let tls = HttpsConnectorBuilder::new().with_tls_config(config.with_no_client_auth());
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .http1_max_buf_size(HEAD)
            .build(tls.https_or_http().enable_http1().wrap_connector(tcp));
        Ok(Self(client))
    }

    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.0.request(request.map(Full::new)).await?;
        let (parts, body) = answer.into_parts();
        // What was said beside the status, or came late or endless, changes nothing.
        let said = Limited::new(body, ANSWER).collect().await;
        Ok(Response::from_parts(
            parts,
            said.map(Collected::to_bytes).unwrap_or_default(),
        ))
    }
}

fn read(file: &Path) -> Result<RootCertStore, ClientError> {
    let wrong = || ClientError::Certificates(file.to_owned());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|_| wrong())? {
        roots.add(certificate.map_err(|_| wrong())?).map_err(|_| wrong())?;
    }
    if roots.is_empty() { Err(wrong()) } else { Ok(roots) }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::timeout(ATTEMPT, self.ask(request)).await?
    }
}
