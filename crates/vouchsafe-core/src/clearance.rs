//! What must be in the ledger that the API server reads.
//!
//! Takes pods and workloads as stored, raw, and what is cleared; gives the spec of a Clearance. It decides nothing and writes nothing.
//!
//! # What a profile is
//!
//! The policies compare a new pod with the profiles of the ledger, so both have to mean the same thing, which is this. From the pod's
//! whole spec are taken off
//!
//! 1. what only scheduler and API server set: `nodeName`, `tolerations`, `priority`, `preemptionPolicy`, `schedulingGates`, `serviceAccount`
//!    (and `ephemeralContainers`, which no new pod has);
//! 2. the injected service-account token: every volume that has only `name` and `projected`, whose name starts with `kube-api-access-` and
//!    whose `projected` equals the ledger's `token`; and in containers and init containers its mounts at
//!    `/var/run/secrets/kubernetes.io/serviceaccount` with no more fields than `name`, `readOnly` and `mountPath`;
//! 3. what varies from pod to pod of one workload, where `varies` says so. `Hostname`: `hostname`, if it is the pod's name, or if the pod's
//!    name starts with it and `-`. `Claims`: `claimName` is `""` in every volume whose only fields are `name`, call it V, and
//!    `persistentVolumeClaim`, with a `claimName` that is V, `-` and the pod's name. `Affinity`: `affinity`.
//!
//! Whether there was a token at all is compared, too: `token` says so. `volumes` and `volumeMounts` that got empty are left out. What remains
//! is equal, every key both ways, lists in order; **except that `volumes` are equal as sets**: their names are unique, their order means
//! nothing, and the StatefulSet controller puts a pod's claims there in random order. In a profile the claims come first, by name; the others
//! stay in the order of the pod that it was taken from.
//!
//! `refers` names what the spec reads from the pod's metadata: `annotations/<key>`, `labels/<key>`, or all of `annotations` or `labels`.
//! `metadata` has their values, which a pod must have exactly, absent where absent. With `Hostname` the annotation and label
//! `batch.kubernetes.io/job-completion-index` and the label `apps.kubernetes.io/pod-index` are left out of both sides if they are a decimal
//! number of at most ten digits, and the label `statefulset.kubernetes.io/pod-name` if it is the pod's name.

mod account;
mod additions;
mod exempt;
mod holds;
mod identity;
mod ledger;
mod owner;
mod plan;
mod profile;
mod refers;
#[cfg(test)]
mod tests;
mod token;

pub use self::{
    account::{Difference, differences, exempted},
    additions::without_controller_additions,
    exempt::Exempt,
    holds::{Held, ran_before, template_matches, template_ran_before, would_hold},
    identity::{
        Account, Around, Binding as RoleBinding, BoundRole, Identity, MARKS, MARKS_BELOW, MAX_CONTENT, MAX_IDENTITY,
        MAX_NAMES, MAX_NEEDED, MAX_OF_ONE, MAX_ROLE, NamedService, Needs, There, annotations, binding as role_binding,
        key as release_key, leads, named, rules,
    },
    ledger::{Cleared, LedgerSpec, ProfileEntry, Protected, Subject, TemplateEntry},
    owner::OwnerKind,
    plan::{
        ClearedRelease, Dropped, Grandfathered, MAX_BYTES, MAX_EXPLANATION, MAX_PER_IMAGE, MAX_PROFILES, MAX_PROTECTED,
        MAX_RELEASES, MAX_TEMPLATES, MAX_WAITING, Offered, Plan, Wanted, config_maps, plan,
    },
    profile::{Images, MAX_PROFILE, Metadata, Profile, ProfileError, Varies},
};
