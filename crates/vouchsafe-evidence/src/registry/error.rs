//! Why something was not read from a registry.
//!
//! Takes what happened, gives a reason that tells "it is not there" from "cannot tell". What a registry wrote is quoted, cut short.

use std::{net::IpAddr, time::Duration};

/// What went wrong with a registry. Hosts are named with their port.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry answered 404: there is no such thing. The only variant that is an answer.
    #[error("`{host}` answered that {what} is not there")]
    NotThere {
        /// Who said so.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// The login was refused, or there was none and one is needed.
    #[error("`{host}` refuses access ({status}): {}", if *.login { "the credentials for it are not accepted" } else { "there are no credentials for it" })]
    Refused {
        /// Who refused.
        host: String,
        /// 401 or 403.
        status: u16,
        /// Whether credentials were there.
        login: bool,
    },
    /// It is overloaded, or broken on its side.
    #[error("`{host}` answered {status}")]
    Busy {
        /// Who.
        host: String,
        /// 429 or 5xx.
        status: u16,
        /// When to come back, as far as it said.
        retry_after: Option<Duration>,
    },
    /// An answer that means nothing here.
    #[error("`{host}` answered {status} for {what}")]
    Status {
        /// Who.
        host: String,
        /// The status.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// More bytes than are read.
    #[error("{what} from `{host}` is larger than {limit} bytes")]
    TooLarge {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// What is allowed, or what the registry itself declared.
        limit: usize,
    },
    /// The content is not what was asked for.
    #[error("`{host}` answered with other content than {what}")]
    Digest {
        /// Who.
        host: String,
        /// What was asked for, by digest.
        what: String,
    },
    /// It took too long.
    #[error("`{host}` did not answer in time")]
    Timeout {
        /// Who.
        host: String,
    },
    /// It was not reached, or the connection broke.
    #[error("`{host}` cannot be reached")]
    Unreachable {
        /// Who.
        host: String,
        /// What the transport says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its address is inside the cluster or the machine, and its name is not among the registries that may be.
    #[error("`{host}` has the address {address}, which only a registry allowed by the operator's settings may have")]
    Address {
        /// Who.
        host: String,
        /// The address found.
        address: IpAddr,
    },
    /// A redirect or link leads where no request may go.
    #[error("`{host}` redirects to {target:?}: {problem}")]
    Redirect {
        /// Who redirected.
        host: String,
        /// Where to, cut short.
        target: String,
        /// Why not.
        problem: &'static str,
    },
    /// One redirect after another.
    #[error("`{host}` redirects more than {limit} times")]
    Redirects {
        /// Who.
        host: String,
        /// What is allowed.
        limit: usize,
    },
    /// It asks to log in at a place that credentials may not go to, or in no known way.
    #[error("`{host}` asks to log in at {realm:?}: {problem}")]
    Challenge {
        /// Who.
        host: String,
        /// The place, cut short.
        realm: String,
        /// Why not.
        problem: &'static str,
    },
    /// The content is compressed, which was not asked for and is not undone.
    #[error("`{host}` answered with compressed content")]
    Encoded {
        /// Who.
        host: String,
    },
    /// What should be JSON of a known shape is not.
    #[error("{what} from `{host}` cannot be read")]
    Malformed {
        /// Who.
        host: String,
        /// What was asked for.
        what: String,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The answer to a login carries nothing to log in with.
    #[error("`{host}` gave no usable token")]
    Token {
        /// Who.
        host: String,
    },
    /// A request cannot even be written down.
    #[error("no request can be made to `{host}`")]
    Request {
        /// Who.
        host: String,
        /// Why.
        #[source]
        source: hyper::http::Error,
    },
}

impl RegistryError {
    /// A word for metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotThere { .. } => "not_there",
            Self::Refused { .. } => "refused",
            Self::Busy { .. } => "busy",
            Self::Status { .. } => "status",
            Self::TooLarge { .. } => "too_large",
            Self::Digest { .. } => "digest",
            Self::Timeout { .. } => "timeout",
            Self::Unreachable { .. } => "unreachable",
            Self::Address { .. } => "address",
            Self::Redirect { .. } => "redirect",
            Self::Redirects { .. } => "redirects",
            Self::Challenge { .. } => "challenge",
            Self::Encoded { .. } => "encoded",
            Self::Malformed { .. } => "malformed",
            Self::Token { .. } => "token",
            Self::Request { .. } => "request",
        }
    }

    /// The message with the innermost cause, for people.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut innermost = std::error::Error::source(self);
        while let Some(deeper) = innermost.and_then(std::error::Error::source) {
            innermost = Some(deeper);
        }
        innermost.map_or_else(
            || self.to_string(),
            |cause| format!("{self}: {}", cut(&cause.to_string())),
        )
    }

    /// Whether asking again soon may help without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. } | Self::Timeout { .. } | Self::Unreachable { .. }
        )
    }

    /// When to ask again, as far as the registry said; at most an hour.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What a registry wrote, short enough for a status.
pub(super) fn cut(text: &str) -> String {
    const LONGEST: usize = 200;
    text.chars().take(LONGEST).collect()
}
