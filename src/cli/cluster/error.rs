//! What went wrong between us and the cluster, in words that say which right, object or setting is missing.

use crate::cli::Advice;
use kube::{Resource, config::KubeconfigError, core::Status};
use vouchsafe_api::GROUP;

/// Why the cluster did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// There is no kubeconfig that can be used.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[source] KubeconfigError),
    /// The client cannot be made.
    #[error("the cluster's client cannot be made")]
    Client(#[source] Box<kube::Error>),
    /// The cluster does not answer.
    #[error("the cluster does not answer ({doing})")]
    Unreachable {
        /// What was tried.
        doing: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// The API server does not know who we are.
    #[error("the cluster does not know who you are ({doing})")]
    Unauthorized {
        /// What was tried.
        doing: String,
    },
    /// RBAC says no.
    #[error("you may not {verb} {resource}{}: {message}", within(namespace))]
    Forbidden {
        /// The verb.
        verb: &'static str,
        /// The resource, with its group.
        resource: String,
        /// Where; empty for the whole cluster.
        namespace: String,
        /// What the API server said.
        message: String,
    },
    /// A policy or a schema says no.
    #[error("{object}{} was refused: {message}", within(namespace))]
    Refused {
        /// The object.
        object: String,
        /// Where.
        namespace: String,
        /// What the API server said.
        message: String,
    },
    /// There is no such object.
    #[error("there is no {object}{}", within(namespace))]
    NotFound {
        /// The object.
        object: String,
        /// Where.
        namespace: String,
    },
    /// There is one already.
    #[error("{object}{} is there already", within(namespace))]
    Exists {
        /// The object.
        object: String,
        /// Where.
        namespace: String,
    },
    /// The kind is not served.
    #[error("the cluster has no {0}")]
    NotInstalled(String),
    /// There is no such namespace.
    #[error("there is no namespace `{0}`")]
    NoNamespace(String),
    /// The namespace belongs to no environment.
    #[error("namespace `{0}` belongs to no environment: it has no label `vouchsafe.dev/environment`")]
    Ungoverned(String),
    /// Too many objects.
    #[error("there are more than 20000 {0}")]
    TooMany(String),
    /// Anything else that the API server says.
    #[error("the cluster could not {doing}: {message}")]
    Other {
        /// What was tried.
        doing: String,
        /// What the API server said.
        message: String,
    },
}

fn within(namespace: &str) -> String {
    if namespace.is_empty() {
        String::new()
    } else {
        format!(" in namespace `{namespace}`")
    }
}

impl ClusterError {
    /// What came of one request.
    pub(crate) fn of<K: Resource<DynamicType = ()>>(
        verb: &'static str,
        name: &str,
        namespace: &str,
        error: kube::Error,
    ) -> Self {
        let resource = match K::group(&()).as_ref() {
            "" => K::plural(&()).into_owned(),
            group => format!("{}.{group}", K::plural(&())),
        };
        let object = match name {
            "" => K::kind(&()).into_owned(),
            name => format!("{} `{name}`", K::kind(&())),
        };
        let doing = format!("{verb} {resource}{}", within(namespace));
        match error {
            kube::Error::Api(status) => Self::answered(*status, verb, resource, object, namespace.to_owned(), doing),
            error => Self::Unreachable {
                doing,
                source: Box::new(error),
            },
        }
    }

    fn answered(
        status: Status,
        verb: &'static str,
        resource: String,
        object: String,
        namespace: String,
        doing: String,
    ) -> Self {
        let message = status.message;
        // A policy that denies says so; RBAC speaks of a user who "cannot".
        let by_rbac = status.code == 403 && message.contains(" cannot ");
        match status.code {
            401 => Self::Unauthorized { doing },
            403 if by_rbac => Self::Forbidden {
                verb,
                resource,
                namespace,
                message,
            },
            403 | 422 | 400 => Self::Refused {
                object,
                namespace,
                message: plain(&message),
            },
            404 if status.reason == "NotFound" && status.details.is_some_and(|details| !details.name.is_empty()) => {
                Self::NotFound { object, namespace }
            }
            404 => Self::NotInstalled(resource),
            409 if status.reason == "AlreadyExists" => Self::Exists { object, namespace },
            _ => Self::Other { doing, message },
        }
    }
}

impl Advice for ClusterError {
    fn code(&self) -> u8 {
        match self {
            Self::Kubeconfig(_) | Self::Client(_) => 2,
            _ => 1,
        }
    }

    fn fix(&self) -> String {
        match self {
            Self::Kubeconfig(_) => {
                "set KUBECONFIG, or name one with --kubeconfig and a context with --context".to_owned()
            }
            Self::Client(_) | Self::Unreachable { .. } => "see whether `kubectl version` reaches it".to_owned(),
            Self::Unauthorized { .. } => "log in to the cluster anew".to_owned(),
            Self::Forbidden {
                verb,
                resource,
                namespace,
                ..
            } => match namespace.as_str() {
                "" => {
                    format!(
                        "ask whoever administers the cluster for a ClusterRole with verb `{verb}` on `{resource}`, or name one namespace with -n"
                    )
                }
                place => {
                    format!("ask whoever administers namespace `{place}` for a Role with verb `{verb}` on `{resource}`")
                }
            },
            Self::Refused { .. } => {
                "the message says what is missing; `kubectl vouchsafe why` says who can give it".to_owned()
            }
            Self::NotFound { object, namespace } if object.starts_with("Promotion ") => {
                format!("a Promotion's name ends in its digest; `kubectl vouchsafe status -n {namespace}` lists them")
            }
            Self::NotFound { .. } => "correct its name, or name its namespace with -n".to_owned(),
            Self::Exists { .. } => "nothing has to be done again; see `kubectl vouchsafe status`".to_owned(),
            Self::NotInstalled(_) => format!("install Vouchsafe (`{GROUP}`), or choose another cluster with --context"),
            Self::NoNamespace(_) => "create it, or name another with -n".to_owned(),
            Self::Ungoverned(name) => {
                format!(
                    "ask whoever may `assign` an environment for `kubectl label namespace {name} vouchsafe.dev/environment=…`"
                )
            }
            Self::TooMany(_) => "name one namespace with -n".to_owned(),
            Self::Other { .. } => "try again; when it persists, ask whoever administers the cluster".to_owned(),
        }
    }
}

/// A policy's message without the names of policies and bindings in front.
fn plain(message: &str) -> String {
    let denied = " denied request: ";
    match message.find(denied) {
        Some(at) if message.contains("ValidatingAdmissionPolicy") => {
            message.get(at + denied.len()..).unwrap_or(message).to_owned()
        }
        _ => message.to_owned(),
    }
}

/// Nothing where reading is not allowed.
pub(crate) fn permitted<T>(read: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(ClusterError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use vouchsafe_api::Approval;

    #[track_caller]
    fn check(status: Value, expected: &str) {
        let status: Status = serde_json::from_value(status).unwrap();
        let error = ClusterError::of::<Approval>("create", "a", "prod", kube::Error::Api(status.boxed()));
        assert_eq!(format!("{error}; {}", error.fix()), expected);
    }

    #[test]
    fn every_answer_says_what_to_do() {
        check(
            json!({"code": 403, "reason": "Forbidden", "message": "approvals.vouchsafe.dev is forbidden: User \"eve\" cannot create resource \"approvals\""}),
            "you may not create approvals.vouchsafe.dev in namespace `prod`: approvals.vouchsafe.dev is forbidden: User \"eve\" cannot create resource \"approvals\"; \
             ask whoever administers namespace `prod` for a Role with verb `create` on `approvals.vouchsafe.dev`",
        );
        check(
            json!({"code": 403, "reason": "Forbidden", "message": "approvals.vouchsafe.dev \"a\" is forbidden: ValidatingAdmissionPolicy 'vouchsafe-grants' with binding 'vouchsafe-grants' denied request: needs `approve`"}),
            "Approval `a` in namespace `prod` was refused: needs `approve`; the message says what is missing; `kubectl vouchsafe why` says who can give it",
        );
        check(
            json!({"code": 404, "reason": "NotFound", "message": "the server could not find the requested resource", "details": {}}),
            "the cluster has no approvals.vouchsafe.dev; install Vouchsafe (`vouchsafe.dev`), or choose another cluster with --context",
        );
        check(
            json!({"code": 409, "reason": "AlreadyExists", "message": "x"}),
            "Approval `a` in namespace `prod` is there already; nothing has to be done again; see `kubectl vouchsafe status`",
        );
    }
}
