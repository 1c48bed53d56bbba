//! Labels of metrics.

use prometheus_client::encoding::EncodeLabelSet;

/// Defines a set of labels.
macro_rules! labels {
    ($($name:ident { $($field:ident: $of:ty),+ })+) => {$(
        #[derive(Debug, Clone, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
        pub(super) struct $name {
            $(pub(super) $field: $of,)+
        }
    )+};
}

labels! {
    Version { version: &'static str }
    Decided { environment: String, verdict: &'static str }
    Controller { controller: &'static str }
    Reconciled { controller: &'static str, result: &'static str }
    Waited { environment: String, waiting_for: &'static str }
    Answered { code: u16 }
    Asked { result: &'static str }
    Of { environment: String }
    Checked { environment: String, check: String, outcome: &'static str }
    Measured { environment: String, check: String }
    Enforced { environment: String, enforcement: &'static str }
}
