//! Places of an image: who gives way to whom.

use super::{
    plan::{cleared, now, offer, pod, release, settled, wanted},
    *,
};

/// Forms of one image that differ in a word.
fn forms(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| pod("agent", &format!("v{number}"), &[]))
        .collect()
}

fn offers(forms: &[Value]) -> Vec<Offered> {
    forms.iter().map(|pod| offer("refund", 1, pod, Vec::new())).collect()
}

fn runs(ledger: &LedgerSpec, forms: &[Value]) -> Vec<bool> {
    forms
        .iter()
        .map(|pod| would_hold(ledger, pod, now()).is_none())
        .collect()
}

#[test]
fn the_oldest_form_gives_way_to_a_new_one_of_the_same_release() {
    let forms = forms(40);
    let release = vec![cleared("refund", 1)];
    let full = settled(None, &wanted(release.clone(), offers(&forms[..MAX_PER_IMAGE])));
    assert_eq!(runs(&full, &forms), (0..40).map(|form| form < 32).collect::<Vec<_>>());
    // What is offered again is no reason that anything goes.
    assert_eq!(
        settled(Some(&full), &wanted(release.clone(), offers(&forms[..3]))),
        full
    );
    let asked = wanted(release, offers(&forms[32..]));
    let planned = plan(Some(&full), &asked, now());
    assert_eq!(planned.dropped, []);
    let withdrawal = planned.withdrawal.unwrap();
    assert_eq!(
        runs(&withdrawal, &forms),
        (0..40).map(|form| (8..32).contains(&form)).collect::<Vec<_>>(),
        "as many as are too many go first, in a write of their own"
    );
    let ledger = settled(Some(&full), &asked);
    assert_eq!(runs(&ledger, &forms), (0..40).map(|form| form >= 8).collect::<Vec<_>>());
}

#[test]
fn of_more_than_there_are_places_the_first_get_in_and_stay() {
    let forms = forms(40);
    let asked = wanted(vec![cleared("refund", 1)], offers(&forms));
    let ledger = settled(None, &asked);
    assert_eq!(settled(Some(&ledger), &asked), ledger);
    // Those that still wait are all that is offered next.
    let rest = wanted(vec![cleared("refund", 1)], offers(&forms[32..]));
    let next = settled(Some(&ledger), &rest);
    assert_eq!(runs(&next, &forms), (0..40).map(|form| form >= 8).collect::<Vec<_>>());
}

#[test]
fn nothing_gives_way_to_another_release_or_agent() {
    let forms = forms(33);
    let both = |agent: &str, number| vec![cleared("refund", 1), cleared(agent, number)];
    let full = settled(None, &wanted(both("refund", 2), offers(&forms[..MAX_PER_IMAGE])));
    for (agent, number) in [("refund", 2), ("fraud", 3)] {
        let other = vec![offer(agent, number, &forms[32], Vec::new())];
        let planned = plan(Some(&full), &wanted(both(agent, number), other), now());
        let dropped: Vec<_> = planned.dropped.iter().map(|dropped| dropped.reason).collect();
        assert_eq!(dropped, ["LedgerFull"], "of {agent}, {}", release(number));
        let granted = planned.grant.unwrap_or(full.clone());
        assert_eq!(runs(&granted, &forms[..32]), [true; 32]);
    }
}

#[test]
fn templates_give_way_likewise() {
    let forms = forms(33);
    let asked = |templates: &[Value]| {
        let mut release = cleared("refund", 1);
        release.templates = templates.iter().map(|pod| pod["spec"].clone()).collect();
        wanted(vec![release], Vec::new())
    };
    let full = settled(None, &asked(&forms[..MAX_PER_IMAGE]));
    let ledger = settled(Some(&full), &asked(&forms[32..]));
    let known = |form: usize| ledger.templates.values().any(|entry| entry.spec == forms[form]["spec"]);
    assert!(!known(0) && known(1) && known(32));
    assert_eq!(ledger.templates.len(), MAX_PER_IMAGE);
}
