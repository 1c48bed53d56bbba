//! The words of status conditions: types and reasons, stable, for `kubectl wait`, alerts and tests. `vouchsafe_core::conditions::merge`
//! puts them into a status.

use crate::words::words;

words! {
    /// The type of a condition.
    ConditionType {
        /// Agent: its declaration was resolved. Environment and Check: it can be used. Promotion: it is cleared.
        Ready,
        /// Promotion: it may run; the reason is the verdict.
        Cleared,
        /// Nothing but an edit can help.
        Stalled,
        /// Promotion: it is cleared, and something fails all the same.
        Failing,
        /// Promotion: break-glass let it in, and nobody else has reviewed that yet.
        BreakGlass,
        /// Promotion: its Agent is gone; it stays cleared until its end.
        Orphaned,
        /// Environment: the API server enforces it as it says.
        Enforced,
    }
}

words! {
    /// The reason of a condition. Besides these: the verdicts on `Ready` and `Cleared` of a Promotion, and the reasons of
    /// `vouchsafe_core::surface::ProblemReason` on an Agent.
    Reason {
        /// Every part of the agent was found.
        Resolved,
        /// It can be used as it is written.
        Accepted,
        /// Two Agents claim one workload.
        WorkloadClaimedTwice,
        /// Its namespace belongs to no environment.
        NamespaceNotGoverned,
        /// Its namespace belongs to another environment.
        OtherEnvironment,
        /// There is no such Environment.
        EnvironmentNotFound,
        /// There is no such Check.
        CheckNotFound,
        /// Environments come before one another in a circle, or one of them is not there.
        PredecessorInvalid,
        /// An exempted container is not pinned.
        ExemptionInvalid,
        /// It cannot be used as it is written.
        PolicyInvalid,
        /// Something is written that this version does not do.
        NotEnforced,
        /// An expression does not compile, errs, or costs too much.
        ExpressionInvalid,
        /// A public key cannot be read.
        KeyInvalid,
        /// What the Promotion carries is no surface.
        SurfaceInvalid,
        /// What the Promotion carries is another release.
        SurfaceMismatch,
        /// The Promotion's name is not that of its release.
        NameMismatch,
        /// A check fails though the release is cleared.
        ChecksFailing,
        /// Nobody else has looked at it yet.
        NotReviewed,
        /// The Agent was deleted.
        AgentDeleted,
        /// The ledger would be too large.
        LedgerFull,
        /// Configuration is not what it was when the release was cleared.
        ConfigurationChanged,
        /// The policies are installed as shipped, and the probe was held.
        Enforced,
        /// Policies are missing or not as shipped.
        PoliciesDiffer,
        /// An uncleared pod got through.
        ProbeAdmitted,
        /// It could not be tried.
        ProbeFailed,
        /// It only watches.
        ObserveOnly,
    }
}
