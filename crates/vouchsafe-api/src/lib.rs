//! What people write: the custom resources of `vouchsafe.dev/v1alpha1`.
//!
//! One module a kind. The types are the only source of the CustomResourceDefinitions ([`crds`]); [`lower`] turns them into what core
//! judges by, [`lift`] turns what core says into what is stored. It must not talk to a cluster.

#![allow(
    unreachable_pub,
    reason = "`KubeSchema` copies its types into functions, public as they are"
)]

pub mod agent;
pub mod approval;
pub mod check;
pub mod clearance;
pub mod conditions;
pub mod crds;
pub mod environment;
pub mod evidence;
pub mod lift;
pub mod lower;
pub mod period;
pub mod promotion;
mod schema;
pub mod stamp;
pub mod waiver;
mod words;

pub use self::{
    agent::{Agent, AgentSpec, status::AgentStatus},
    approval::{Approval, ApprovalSpec},
    check::{Check, CheckSpec, CheckStatus},
    clearance::{Clearance, ClearanceSpec},
    environment::{Environment, EnvironmentSpec, status::EnvironmentStatus},
    evidence::{Evidence, EvidenceSpec},
    promotion::{Promotion, PromotionSpec, status::PromotionStatus},
    waiver::{Waiver, WaiverSpec},
};

/// The API group of all kinds.
pub const GROUP: &str = "vouchsafe.dev";
/// The version of all kinds.
pub const VERSION: &str = "v1alpha1";

/// What `status.observedGeneration` is before anybody has looked.
fn unobserved() -> i64 {
    -1
}
