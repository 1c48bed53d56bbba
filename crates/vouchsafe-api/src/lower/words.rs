//! The words that API and core share.

use crate::{agent, approval, check, environment, evidence, promotion, words::mirrors};
use vouchsafe_core::{decision, surface};

mirrors! {
    agent::Autonomy => surface::Autonomy { Supervised Bounded Autonomous }
    agent::declaration::ModelPin => surface::ModelPin { Digest Version Floating }
    agent::declaration::Effect => surface::Effect { Read Write Irreversible }
    agent::declaration::Access => surface::Access { Read Write Delete }
    approval::Scope => decision::ApprovalScope { Namespace Environment }
    approval::Vote => decision::Vote { Approve Reject }
    check::rules::ParameterType => decision::ParameterType { Number String Boolean }
    check::rules::SignatureSubject => decision::SignatureSubject { Image Model }
    environment::Sensitivity => decision::Sensitivity { Low Moderate High Critical }
    environment::Enforcement => decision::Enforcement { Observe Hold Deny }
    environment::UnknownAuthor => decision::UnknownAuthor { Accept ExtraApproval Refuse }
    environment::BindingChange => decision::BindingChange { Accept Reapprove }
    environment::rules::Exclude => decision::Exclude { Requester Author ServiceAccount }
    environment::rules::OnFailure => decision::OnFailure { Alert Hold Evict }
    evidence::SubjectKind => decision::SubjectKind { Release Image Model ToolServer }
    evidence::EvidenceResult => decision::EvidenceResult { Pass Fail Inconclusive }
    promotion::Facet => surface::Facet { Agent Image Container Pod Config Prompt Model ToolServer Tool Delegate Data Binding }
    promotion::Resolution => surface::Resolution { Declared Defaulted Resolved Unresolved }
    promotion::status::Verdict => decision::Verdict { Cleared Waiting AwaitingApproval Refused Revoked Superseded }
    promotion::status::Outcome => decision::Outcome { Pass Fail Inconclusive Pending Waived }
}
