//! One request and its answer: redirects, bounds, time.
//!
//! Takes what to ask and how much may come back, gives the answer in memory. Credentials leave for the place that they are for only.

use super::{
    RegistryError,
    connection::{Barred, Connections, unreachable},
    error::cut,
    target::Target,
};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The longest pause that a registry may ask for.
const LONGEST_PAUSE: u64 = 3600;

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) form: Option<String>,
    /// How many bytes may come back.
    pub(super) limit: usize,
    /// What is asked for, for messages.
    pub(super) what: &'a str,
}

/// An answer. The body is read only when the status is 200.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Who answered in the end.
    pub(super) target: Target,
}

/// Sends a request and follows redirects, at most until `deadline`.
pub(super) async fn send(
    connections: &Connections,
    target: Target,
    ask: &Ask<'_>,
    deadline: Instant,
) -> Result<Answer, RegistryError> {
    let host = target.place().to_owned();
    let until = deadline.min(Instant::now() + connections.settings.request);
    match timeout_at(until, follow(connections, target, ask)).await {
        Ok(answer) => answer,
        Err(_) => Err(RegistryError::Timeout { host }),
    }
}

async fn follow(connections: &Connections, first: Target, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
    let limit = connections.settings.redirects;
    let mut target = first.clone();
    let mut authorized = true;
    for _ in 0..=limit {
        // Once elsewhere there is no way back: another host must not steer what is asked in our name.
        authorized = authorized && target.is_same_place(&first);
        let response = once(connections, &target, ask, authorized).await?;
        if !response.status().is_redirection() {
            return answer(response, target, ask).await;
        }
        target = redirect(&target, response.headers())?;
    }
    let host = first.place().to_owned();
    Err(RegistryError::Redirects { host, limit })
}

async fn once(
    connections: &Connections,
    target: &Target,
    ask: &Ask<'_>,
    authorized: bool,
) -> Result<Response<Incoming>, RegistryError> {
    let host = || target.place().to_owned();
    let client = connections.client(target).map_err(|barred| match barred {
        Barred::Address(address) => RegistryError::Address { host: host(), address },
        Barred::Plain => RegistryError::Redirect {
            host: host(),
            target: cut(&target.uri().to_string()),
            problem: "the settings do not allow plain HTTP there",
        },
    })?;
    let mut request = Request::builder()
        .method(ask.method.clone())
        .uri(target.uri().clone())
        .header(header::ACCEPT, ask.accept)
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::USER_AGENT, concat!("vouchsafe/", env!("CARGO_PKG_VERSION")));
    if let Some(authorization) = ask.authorization.as_ref().filter(|_| authorized) {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    if ask.form.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    // A form holds a credential too.
    let form = ask.form.clone().filter(|_| authorized).unwrap_or_default();
    let request = request
        .body(Full::from(form))
        .map_err(|source| RegistryError::Request { host: host(), source })?;
    client
        .request(request)
        .await
        .map_err(|error| unreachable(target, error))
}

fn redirect(from: &Target, headers: &HeaderMap) -> Result<Target, RegistryError> {
    let location = headers
        .get(header::LOCATION)
        .map_or(b"".as_slice(), HeaderValue::as_bytes);
    let location = String::from_utf8_lossy(location);
    let wrong = |problem| RegistryError::Redirect {
        host: from.place().to_owned(),
        target: cut(&location),
        problem,
    };
    let to = from.join(&location).map_err(wrong)?;
    if to.is_plain() && !from.is_plain() {
        return Err(wrong("that leaves TLS"));
    }
    Ok(to)
}

async fn answer(response: Response<Incoming>, target: Target, ask: &Ask<'_>) -> Result<Answer, RegistryError> {
    let (head, body) = response.into_parts();
    let host = || target.place().to_owned();
    let what = || ask.what.to_owned();
    let body = match head.status {
        StatusCode::OK => {
            if is_encoded(&head.headers) {
                return Err(RegistryError::Encoded { host: host() });
            }
            read(body, &target, ask).await?
        }
        StatusCode::NOT_FOUND => {
            return Err(RegistryError::NotThere {
                host: host(),
                what: what(),
            });
        }
        status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
            return Err(RegistryError::Busy {
                host: host(),
                status: status.as_u16(),
                retry_after: retry_after(&head.headers),
            });
        }
        _ => Bytes::new(),
    };
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
        target,
    })
}

async fn read(mut body: Incoming, target: &Target, ask: &Ask<'_>) -> Result<Bytes, RegistryError> {
    let too_large = || RegistryError::TooLarge {
        host: target.place().to_owned(),
        what: ask.what.to_owned(),
        limit: ask.limit,
    };
    if usize::try_from(body.size_hint().lower()).map_or(true, |declared| declared > ask.limit) {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| RegistryError::Unreachable {
            host: target.place().to_owned(),
            source: Box::new(error),
        })?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > ask.limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Seconds only: a date would need a clock, and registries send seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds = text.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(LONGEST_PAUSE)))
}

impl Answer {
    /// The error for an answer that is not what was hoped for.
    pub(super) fn unexpected(&self, ask: &Ask<'_>) -> RegistryError {
        RegistryError::Status {
            host: self.target.place().to_owned(),
            status: self.status.as_u16(),
            what: ask.what.to_owned(),
        }
    }
}
