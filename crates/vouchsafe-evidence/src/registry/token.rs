//! Logging in: from a challenge and a login to an `Authorization` header.
//!
//! Takes a challenge by the registry itself, gives a header for that registry. The token service is asked over TLS, or without it on
//! the registry's own host and port when the settings say that the registry has none; it is asked for reading one repository only.

use super::{
    RegistryError,
    challenge::Challenge,
    connection::Connections,
    error::cut,
    exchange::{Ask, send},
    target::{Target, escape},
};
use crate::{credentials::Login, json, reference::Repository};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::{Method, header::HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;

/// Who wants to read what, and until when.
pub(super) struct Reader<'a> {
    pub(super) connections: &'a Connections,
    pub(super) repository: &'a Repository,
    pub(super) login: Option<&'a Login>,
    pub(super) deadline: Instant,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Reader<'_> {
    /// The header that answers a challenge which `registry` made.
    pub(super) async fn authorize(
        &self,
        registry: &Target,
        challenge: Option<Challenge>,
    ) -> Result<HeaderValue, RegistryError> {
        match (challenge, self.login) {
            (_, Some(Login::Registry(token))) => header(registry, &format!("Bearer {token}")),
            (Some(Challenge::Basic), Some(Login::Basic { username, password })) => {
                header(registry, &basic(username, password))
            }
            (Some(Challenge::Bearer { realm, service }), _) => {
                let realm = realm_of(registry, &realm)?;
                self.token(realm, service.as_deref()).await
            }
            (Some(Challenge::Basic), _) => Err(self.refused(registry, 401)),
            (None, _) => Err(challenged(registry, "", "in a way that is not known")),
        }
    }

    async fn token(&self, realm: Target, service: Option<&str>) -> Result<HeaderValue, RegistryError> {
        let scope = format!("repository:{}:pull", self.repository.path());
        let mut query = format!("scope={}", escape(&scope));
        if let Some(service) = service {
            query.push_str(&format!("&service={}", escape(service)));
        }
        let mut ask = Ask {
            method: Method::GET,
            accept: "application/json",
            authorization: None,
            form: None,
            limit: self.connections.settings.token_bytes,
            what: "a token",
        };
        let mut target = realm.clone();
        match self.login {
            Some(Login::Identity(token)) => {
                ask.method = Method::POST;
                let token = escape(token);
                ask.form = Some(format!(
                    "grant_type=refresh_token&client_id=vouchsafe&refresh_token={token}&{query}"
                ));
            }
            Some(Login::Basic { username, password }) => {
                ask.authorization = Some(header(&realm, &basic(username, password))?);
                target = with_query(&realm, &query)?;
            }
            _ => target = with_query(&realm, &query)?,
        }
        let answer = send(self.connections, target, &ask, self.deadline)
            .await
            .map_err(not_an_answer)?;
        match answer.status.as_u16() {
            200 => {}
            status @ (400 | 401 | 403) => return Err(self.refused(&realm, status)),
            _ => return Err(answer.unexpected(&ask)),
        }
        let host = || answer.target.place().to_owned();
        let token = json::object::<Token>(&answer.body).map_err(|source| RegistryError::Malformed {
            host: host(),
            what: ask.what.to_owned(),
            source,
        })?;
        let token = token.token.filter(|token| !token.is_empty()).or(token.access_token);
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| RegistryError::Token { host: host() })?;
        header(&answer.target, &format!("Bearer {token}"))
    }

    /// What is said when a login is not accepted.
    pub(super) fn refused(&self, by: &Target, status: u16) -> RegistryError {
        RegistryError::Refused {
            host: by.place().to_owned(),
            status,
            login: self.login.is_some(),
        }
    }
}

/// That there is no token service says nothing about what there is in the registry.
fn not_an_answer(error: RegistryError) -> RegistryError {
    match error {
        RegistryError::NotThere { host, what } => RegistryError::Status {
            host,
            status: 404,
            what,
        },
        other => other,
    }
}

/// The token service, if it is where credentials may go.
fn realm_of(registry: &Target, realm: &str) -> Result<Target, RegistryError> {
    let target = Target::read(realm).map_err(|problem| challenged(registry, realm, problem))?;
    if target.is_plain() && !target.is_same_place(registry) {
        return Err(challenged(registry, realm, "that is without TLS and another host"));
    }
    Ok(target)
}

fn with_query(realm: &Target, query: &str) -> Result<Target, RegistryError> {
    let wrong = |problem| challenged(realm, &realm.uri().to_string(), problem);
    realm.with_query(query).map_err(wrong)
}

fn challenged(registry: &Target, realm: &str, problem: &'static str) -> RegistryError {
    RegistryError::Challenge {
        host: registry.place().to_owned(),
        realm: cut(realm),
        problem,
    }
}

fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

fn header(host: &Target, value: &str) -> Result<HeaderValue, RegistryError> {
    let mut header = HeaderValue::from_str(value).map_err(|_| RegistryError::Token {
        host: host.place().to_owned(),
    })?;
    header.set_sensitive(true);
    Ok(header)
}
