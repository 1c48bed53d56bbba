//! Logins for registries, as image pull secrets hold them.
//!
//! Takes the bytes of `.dockerconfigjson`, gives the login for a repository. One value of [`Credentials`] is one namespace's; it goes
//! into one call and is never shared. Secrets show up in no error and no debug output.

use crate::reference::Repository;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use std::{cmp::Reverse, collections::BTreeMap, fmt};

/// Why a pull secret could not be read. Says where, never what stood there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// It is not JSON of the right shape.
    #[error("the pull secret is not a docker configuration (line {line}, column {column})")]
    Json {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
    },
    /// The `auth` of an entry is not base64 of `user:password`.
    #[error("the login for `{0}` in the pull secret cannot be read")]
    Auth(String),
}

/// What to prove oneself with to a registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Login {
    /// A user and a password.
    Basic { username: String, password: String },
    /// An identity token, which is exchanged for an access token.
    Identity(String),
    /// A token for the registry itself.
    Registry(String),
}

/// The logins of one namespace.
#[derive(Clone, Default)]
pub struct Credentials {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    host: String,
    path: Vec<String>,
    login: Login,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.entries.iter().map(|entry| &entry.host);
        f.debug_list().entries(hosts).finish()
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Credentials {
    /// No login at all.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Adds what one `.dockerconfigjson` holds. Of several that fit equally well the one added first wins.
    ///
    /// # Errors
    /// When it is not a docker configuration, or one of its logins cannot be read; nothing is added then.
    pub fn add_docker_config(&mut self, json: &[u8]) -> Result<(), CredentialsError> {
        let config = serde_json::from_slice::<Config>(json).map_err(|error| CredentialsError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let mut entries = Vec::new();
        for (key, auth) in config.auths {
            if let Some(login) = auth.login(&key)? {
                entries.push(Entry::new(&key, login));
            }
        }
        self.entries.append(&mut entries);
        Ok(())
    }

    /// The login for a repository: the longest path wins, then an exact host over a pattern.
    pub(crate) fn login(&self, repository: &Repository) -> Option<&Login> {
        self.entries
            .iter()
            .filter(|entry| entry.fits(repository))
            .min_by_key(|entry| (Reverse(entry.path.len()), entry.host.contains('*')))
            .map(|entry| &entry.login)
    }
}

impl Auth {
    fn login(self, key: &str) -> Result<Option<Login>, CredentialsError> {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = some(self.registrytoken) {
            return Ok(Some(Login::Registry(token)));
        }
        if let Some(token) = some(self.identitytoken) {
            return Ok(Some(Login::Identity(token)));
        }
        if let Some(auth) = some(self.auth) {
            let decoded = STANDARD.decode(auth.trim()).ok();
            let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            return match text.as_deref().and_then(|text| text.split_once(':')) {
                Some((username, password)) => Ok(Some(Login::Basic {
                    username: username.to_owned(),
                    password: password.trim_end_matches('\0').to_owned(),
                })),
                None => Err(CredentialsError::Auth(key.to_owned())),
            };
        }
        Ok(some(self.username).map(|username| Login::Basic {
            username,
            password: self.password.unwrap_or_default(),
        }))
    }
}

impl Entry {
    /// Reads a key as `https://index.docker.io/v1/`, `registry.example:5000/team` or `*.registry.example`.
    fn new(key: &str, login: Login) -> Self {
        let key = key
            .strip_prefix("https://")
            .or(key.strip_prefix("http://"))
            .unwrap_or(key);
        let (host, path) = key.split_once('/').unwrap_or((key, ""));
        let mut path = path.split('/').filter(|part| !part.is_empty()).peekable();
        path.next_if(|part| matches!(*part, "v1" | "v2"));
        let host = host.to_ascii_lowercase();
        let host = match host.as_str() {
            "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
            _ => host,
        };
        Self {
            host,
            path: path.map(str::to_owned).collect(),
            login,
        }
    }

    fn fits(&self, repository: &Repository) -> bool {
        let mut components = repository.path().split('/');
        host_fits(&self.host, repository.registry()) && self.path.iter().all(|part| components.next() == Some(part))
    }
}

/// Ports must be the same, host names fit label by label; a `*` stands for any text within a label, as for the kubelet.
fn host_fits(pattern: &str, host: &str) -> bool {
    let ((pattern, wanted), (host, port)) = (split_port(pattern), split_port(host));
    wanted == port
        && pattern.split('.').count() == host.split('.').count()
        && pattern
            .split('.')
            .zip(host.split('.'))
            .all(|(pattern, label)| label_fits(pattern, label))
}

fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    }
}

fn label_fits(pattern: &str, label: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let Some(mut rest) = label.strip_prefix(head) else {
        return false;
    };
    let (middle, end) = tail.rsplit_once('*').unwrap_or(("", tail));
    for piece in middle.split('*') {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(credentials: &Credentials, repository: &str) -> Option<String> {
        match credentials.login(&repository.parse().unwrap())? {
            Login::Basic { username, .. } => Some(username.clone()),
            Login::Identity(token) | Login::Registry(token) => Some(token.clone()),
        }
    }

    fn credentials(config: &serde_json::Value) -> Credentials {
        let mut credentials = Credentials::anonymous();
        credentials.add_docker_config(config.to_string().as_bytes()).unwrap();
        credentials
    }

    #[test]
    fn the_longest_path_wins_and_only_whole_components_count() {
        let credentials = credentials(&json!({"auths": {
            "registry.example": {"username": "all"},
            "https://registry.example/v2/": {"username": "again"},
            "registry.example/team": {"username": "team"},
            "registry.example/team/agent": {"username": "agent"},
            "registry.example:5000": {"username": "port"},
            "*.pattern.example": {"username": "pattern"},
            "exact.pattern.example": {"username": "exact"},
            "a*b*c.star.example": {"username": "stars"},
            "[::1]:5000": {"username": "six"},
            "https://index.docker.io/v1/": {"username": "hub"},
            "registry.empty": {},
        }}));
        for (repository, expected) in [
            ("registry.example/x", Some("again")),
            ("registry.example/team/x", Some("team")),
            ("registry.example/teammate/x", Some("again")),
            ("registry.example/team/agent", Some("agent")),
            ("registry.example/team/agent/x", Some("agent")),
            ("REGISTRY.example/team/x", Some("team")),
            ("registry.example:5000/team/x", Some("port")),
            ("registry.example:5001/team/x", None),
            ("other.pattern.example/x", Some("pattern")),
            ("exact.pattern.example/x", Some("exact")),
            ("a.b.pattern.example/x", None),
            ("pattern.example/x", None),
            ("other.pattern.example:5000/x", None),
            ("axbyc.star.example/x", Some("stars")),
            ("abc.star.example/x", Some("stars")),
            ("axc.star.example/x", None),
            ("[::1]:5000/x", Some("six")),
            ("busybox", Some("hub")),
            ("docker.io/team/x", Some("hub")),
            ("registry.empty/x", None),
            ("registry.example.evil.test/x", None),
        ] {
            assert_eq!(user(&credentials, repository).as_deref(), expected, "{repository}");
        }
    }

    #[test]
    fn every_form_of_login_is_read() {
        let auth = STANDARD.encode("user:pass:word");
        for (entry, expected) in [
            (
                json!({"auth": auth}),
                Login::Basic {
                    username: "user".into(),
                    password: "pass:word".into(),
                },
            ),
            (
                json!({"auth": auth, "username": "other", "password": "x"}),
                Login::Basic {
                    username: "user".into(),
                    password: "pass:word".into(),
                },
            ),
            (
                json!({"username": "user", "password": "p"}),
                Login::Basic {
                    username: "user".into(),
                    password: "p".into(),
                },
            ),
            (
                json!({"auth": auth, "identitytoken": "id"}),
                Login::Identity("id".into()),
            ),
            (json!({"registrytoken": "token"}), Login::Registry("token".into())),
        ] {
            let credentials = credentials(&json!({"auths": {"registry.example": entry}}));
            assert!(
                credentials.login(&"registry.example/x".parse().unwrap()) == Some(&expected),
                "{entry}"
            );
        }
    }

    #[test]
    fn secrets_are_never_shown_and_broken_ones_add_nothing() {
        let secret = STANDARD.encode("hunter2");
        let mut credentials =
            credentials(&json!({"auths": {"registry.example": {"username": "u", "password": secret}}}));
        let broken = json!({"auths": {"a.example": {"username": "u"}, "b.example": {"auth": secret}}}).to_string();
        let error = credentials.add_docker_config(broken.as_bytes()).unwrap_err();
        assert_eq!(error, CredentialsError::Auth("b.example".to_owned()));
        assert_eq!(user(&credentials, "a.example/x"), None);
        let error = credentials
            .add_docker_config(format!("{{\"auths\": \"{secret}\"}}").as_bytes())
            .unwrap_err();
        assert!(matches!(error, CredentialsError::Json { line: 1, .. }), "{error:?}");
        assert_eq!(format!("{credentials:?} {error} {error:?}").matches(&secret).count(), 0);
    }
}
