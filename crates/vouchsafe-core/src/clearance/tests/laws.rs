//! Laws of planning, over arbitrary ledgers and wishes.

use super::{plan::*, *};
use crate::decision::Enforcement;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// One release of one of three agents, with pods of three images over four configurations.
fn any_release() -> impl Strategy<Value = (ClearedRelease, Vec<Offered>)> {
    let parts = (
        0..3_usize,
        0..6_usize,
        any::<bool>(),
        -2..5_i64,
        prop::collection::vec((0..3_usize, 0..3_usize, 0..4_usize), 0..3),
    );
    parts.prop_map(|(agent, number, current, months, pods)| {
        let agent = format!("agent-{agent}");
        let mut release = cleared(&agent, number);
        release.current = current;
        release.not_after = now()
            .checked_add(jiff::SignedDuration::from_hours(months * 720))
            .unwrap();
        let offers: Vec<_> = pods
            .iter()
            .map(|(image, word, map)| {
                let name = format!("map-{map}");
                let pod = pod(&format!("image-{image}"), &format!("{word}"), &[&name]);
                offer(&agent, number, &pod, vec![config(&name, true)])
            })
            .collect();
        release.configuration = offers
            .iter()
            .take(1)
            .flat_map(|offer| offer.configuration.clone())
            .collect();
        release.templates = offers.iter().take(1).map(|offer| offer.profile.spec.clone()).collect();
        (release, offers)
    })
}

/// One reading of the namespace: what is there is there for all.
fn read_once(wanted: &mut Wanted, present: [bool; 4]) {
    let releases = wanted.cleared.iter_mut().map(|release| &mut release.configuration);
    let offers = wanted.profiles.iter_mut().map(|offer| &mut offer.configuration);
    let old = wanted.grandfathered.iter_mut().map(|old| &mut old.configuration);
    for reference in releases.chain(offers).chain(old).flatten() {
        let map: usize = reference.name.trim_start_matches("map-").parse().unwrap();
        *reference = config(&reference.name, present[map]);
    }
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    let parts = (
        prop::collection::vec(any_release(), 0..6),
        prop::collection::vec(any_release(), 0..2),
        prop::option::of(-1..3_i64),
        prop::collection::btree_set(0..6_usize, 0..2),
        prop::collection::btree_set(0..4_usize, 0..2),
        (0..3_usize, 0..2_usize, 0..3_usize, any::<[bool; 4]>()),
    );
    parts.prop_map(
        |(releases, old, until, revoked, changed, (keep, environment, enforcement, present))| {
            let (cleared, offers): (Vec<_>, Vec<_>) = releases.into_iter().unzip();
            let mut wanted = wanted(cleared, offers.into_iter().flatten().collect());
            wanted.environment = ["prod", "staging"][environment].to_owned();
            wanted.enforcement = [Enforcement::Observe, Enforcement::Hold, Enforcement::Deny][enforcement];
            wanted.grandfather_until = until.map(|months| {
                now()
                    .checked_add(jiff::SignedDuration::from_hours(months * 720))
                    .unwrap()
            });
            let grandfathered = |offer: Offered| Grandfathered {
                subject: offer.subject,
                template: Some(offer.profile.spec.clone()),
                profile: Some(offer.profile),
                configuration: offer.configuration,
            };
            wanted.grandfathered = old
                .into_iter()
                .flat_map(|(_, offers)| offers)
                .map(grandfathered)
                .collect();
            wanted.revoked = revoked.into_iter().map(release).collect();
            wanted.changed = changed.into_iter().map(|map| format!("ConfigMap/map-{map}")).collect();
            wanted.keep_previous = keep;
            read_once(&mut wanted, present);
            wanted
        },
    )
}

/// A ledger that other wishes made, and new wishes.
fn any_case() -> impl Strategy<Value = (Option<LedgerSpec>, Wanted)> {
    (prop::collection::vec(any_wanted(), 0..3), any_wanted()).prop_map(|(before, wanted)| {
        let mut ledger = None;
        for wanted in before {
            ledger = Some(settled_any(ledger.as_ref(), &wanted));
        }
        (ledger, wanted)
    })
}

fn settled_any(current: Option<&LedgerSpec>, wanted: &Wanted) -> LedgerSpec {
    let plan = super::plan(current, wanted, now());
    plan.grant
        .or(plan.protect)
        .or(plan.withdrawal)
        .or(current.cloned())
        .unwrap()
}

/// Whether `part` lets nothing run that `whole` does not let run at least as long.
fn within(part: &LedgerSpec, whole: &LedgerSpec) -> bool {
    part.profiles.iter().all(|(key, entry)| {
        whole
            .profiles
            .get(key)
            .is_some_and(|more| more.profile == entry.profile && entry.not_after <= more.not_after)
    }) && part.templates.iter().all(|(key, entry)| {
        whole
            .templates
            .get(key)
            .is_some_and(|more| more.spec == entry.spec && entry.not_after <= more.not_after)
    }) && part.releases.iter().all(|(key, entry)| {
        whole
            .releases
            .get(key)
            .is_some_and(|more| entry.not_after <= more.not_after)
    }) && part.index.iter().all(|(image, keys)| {
        keys.iter()
            .all(|key| whole.index.get(image).is_some_and(|more| more.contains(key)))
    })
}

/// Whether index and entries say the same.
fn consistent(ledger: &LedgerSpec) -> bool {
    let keys =
        |index: &std::collections::BTreeMap<String, Vec<String>>| index.values().flatten().cloned().collect::<Vec<_>>();
    let (indexed, profiles) = (
        keys(&ledger.index),
        ledger.profiles.keys().cloned().collect::<BTreeSet<_>>(),
    );
    let (template_keys, templates) = (
        keys(&ledger.template_index),
        ledger.templates.keys().cloned().collect::<BTreeSet<_>>(),
    );
    indexed.len() == profiles.len()
        && indexed.into_iter().collect::<BTreeSet<_>>() == profiles
        && template_keys.len() == templates.len()
        && template_keys.into_iter().collect::<BTreeSet<_>>() == templates
        && ledger
            .index
            .iter()
            .all(|(image, keys)| keys.iter().all(|key| ledger.profiles[key].profile.image() == image))
}

fn maps(spec: &Value) -> Vec<String> {
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    volumes
        .filter_map(|volume| volume["configMap"]["name"].as_str())
        .map(|name| format!("ConfigMap/{name}"))
        .collect()
}

proptest! {
    #[test]
    fn a_withdrawal_only_takes((current, wanted) in any_case()) {
        if let (Some(withdrawal), Some(current)) = (super::plan(current.as_ref(), &wanted, now()).withdrawal, &current) {
            prop_assert!(within(&withdrawal, current));
            prop_assert!(&withdrawal != current);
            prop_assert_eq!(&withdrawal.protected_config, &current.protected_config);
            prop_assert!(serde_json::to_vec(&withdrawal).unwrap().len() <= serde_json::to_vec(current).unwrap().len());
        }
    }

    /// And all that has to go is gone with it: what is written later grants no less of what was there.
    #[test]
    fn nothing_goes_later((current, wanted) in any_case()) {
        let plan = super::plan(current.as_ref(), &wanted, now());
        let first = plan.withdrawal.as_ref().or(current.as_ref());
        let same = |ledger: &&LedgerSpec| ledger.environment == wanted.environment;
        if let (Some(first), Some(grant)) = (first.filter(same), &plan.grant) {
            prop_assert!(within(first, grant));
        }
        if let Some(protect) = &plan.protect {
            let nothing = LedgerSpec::default();
            prop_assert!(within(protect, first.filter(same).unwrap_or(&nothing)), "protecting grants nothing");
        }
    }

    #[test]
    fn only_what_is_cleared_is_granted((current, wanted) in any_case()) {
        let plan = super::plan(current.as_ref(), &wanted, now());
        let until = |agent: &str, release| {
            let same = wanted.cleared.iter().filter(|cleared| cleared.agent == agent && cleared.release == release);
            same.map(|cleared| cleared.not_after).max()
        };
        let old = wanted.grandfather_until;
        for ledger in [&plan.protect, &plan.grant].into_iter().flatten() {
            prop_assert!(consistent(ledger));
            for entry in ledger.profiles.values() {
                let subject = &entry.subject;
                let cleared = until(&subject.agent, subject.release);
                prop_assert!(entry.not_after > now());
                prop_assert!(cleared.is_some_and(|end| entry.not_after <= end) || (Some(entry.not_after) <= old && !wanted.revoked.contains(&subject.release)));
            }
            for entry in ledger.releases.values() {
                prop_assert!(entry.not_after > now());
                prop_assert!(wanted.cleared.iter().any(|cleared| cleared.agent == entry.agent && cleared.not_after >= entry.not_after));
            }
        }
    }

    /// Whatever a profile is made of was protected, as it is, in the write before it.
    #[test]
    fn protection_precedes_grants((current, wanted) in any_case()) {
        let plan = super::plan(current.as_ref(), &wanted, now());
        let last = plan.grant.as_ref().or(plan.protect.as_ref()).or(plan.withdrawal.as_ref()).or(current.as_ref()).unwrap();
        let before = plan.protect.as_ref().or(plan.withdrawal.as_ref()).or(current.as_ref());
        for entry in last.profiles.values() {
            for name in maps(&entry.profile.spec) {
                let protected = last.protected_config.get(&name);
                prop_assert!(protected.is_some(), "{name} is not protected");
                prop_assert_eq!(before.and_then(|before| before.protected_config.get(&name)), protected);
            }
        }
    }

    #[test]
    fn nothing_is_written_twice((current, wanted) in any_case()) {
        let plan = super::plan(current.as_ref(), &wanted, now());
        prop_assert_eq!(&plan, &super::plan(current.as_ref(), &wanted, now()));
        let last = settled_any(current.as_ref(), &wanted);
        let mut again = wanted.clone();
        again.grandfathered.clear();
        again.changed.clear();
        for wanted in [&wanted, &again] {
            let plan = super::plan(Some(&last), wanted, now());
            prop_assert_eq!((&plan.withdrawal, &plan.protect, &plan.grant), (&None, &None, &None));
        }
        prop_assert!(serde_json::to_vec(&last).unwrap().len() <= MAX_BYTES);
        prop_assert_eq!(serde_json::from_slice::<LedgerSpec>(&serde_json::to_vec(&last).unwrap()).unwrap(), last);
    }

    /// A crash between any two writes changes nothing about the end.
    #[test]
    fn a_crash_leaves_no_other_end((current, wanted) in any_case()) {
        let plan = super::plan(current.as_ref(), &wanted, now());
        let end = settled_any(current.as_ref(), &wanted);
        for stopped in [&plan.withdrawal, &plan.protect].into_iter().flatten() {
            prop_assert_eq!(&settled_any(Some(stopped), &wanted), &end);
        }
    }
}
