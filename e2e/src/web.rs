//! Plain HTTP to servers on the loopback interface.

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, header::HeaderMap};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text, for messages.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends one request.
///
/// # Errors
/// When there is no answer. A status that says no is an answer.
pub async fn send(method: Method, url: &str, content_type: Option<&str>, body: impl Into<Bytes>) -> Result<Answer> {
    let context = || format!("no answer to {method} {url}");
    let mut request = Request::builder().method(method.clone()).uri(url);
    if let Some(content_type) = content_type {
        request = request.header(hyper::header::CONTENT_TYPE, content_type);
    }
    let request = request.body(Full::new(body.into())).with_context(context)?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request).await.with_context(context)?.into_parts();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.with_context(context)?.to_bytes(),
    })
}

/// Gets what is at this address.
///
/// # Errors
/// When there is no answer.
pub async fn get(url: &str) -> Result<Answer> {
    send(Method::GET, url, None, Bytes::new()).await
}
