//! Policies that were made ready, by environment: reading their expressions takes longer than deciding by them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use vouchsafe_core::decision::{CompiledPolicy, Policy};

/// The newest policy of each environment, ready.
#[derive(Default)]
pub(crate) struct Compiled {
    by_environment: Mutex<HashMap<String, Arc<CompiledPolicy>>>,
}

impl Compiled {
    /// The policy, ready: the one that was kept when it is the same, whatever it was made from.
    pub(super) fn of(&self, policy: Policy) -> Arc<CompiledPolicy> {
        let kept = self.kept().get(&policy.environment).map(Arc::clone);
        if let Some(kept) = kept.filter(|kept| *kept.policy() == policy) {
            return kept;
        }
        let environment = policy.environment.clone();
        let compiled = Arc::new(CompiledPolicy::new(policy));
        self.kept().insert(environment, Arc::clone(&compiled));
        compiled
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<CompiledPolicy>>> {
        self.by_environment.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(environment: &str, expression: &str) -> Policy {
        let rule = json!({"surface": {"policy": expression, "message": null}});
        let policy = json!({
            "environment": environment, "sensitivity": "High", "after": [], "approvals": [], "unknownAuthor": "Accept",
            "onBindingChange": "Accept", "grandfatherUntil": null, "problems": [],
            "clearance": {"validFor": "PT1H", "onFailure": "Alert", "gracePeriod": "PT1H"},
            "requires": [{
                "check": "declared", "maxAge": null, "parameters": {},
                "definition": {"parameters": [], "owner": null, "rule": rule},
            }],
        });
        serde_json::from_value(policy).unwrap()
    }

    #[test]
    fn what_is_kept_is_used_as_long_as_the_policy_is_the_same() {
        let compiled = Compiled::default();
        let first = compiled.of(policy("prod", "true"));
        assert!(Arc::ptr_eq(&first, &compiled.of(policy("prod", "true"))));
        assert!(!Arc::ptr_eq(&first, &compiled.of(policy("staging", "true"))));
        assert!(Arc::ptr_eq(&first, &compiled.of(policy("prod", "true"))));
        let second = compiled.of(policy("prod", "false"));
        assert_eq!(*second.policy(), policy("prod", "false"));
        assert_ne!(first.digest(), second.digest());
        assert_eq!(*compiled.of(policy("prod", "true")).policy(), policy("prod", "true"));
    }
}
