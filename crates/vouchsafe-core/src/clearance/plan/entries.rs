//! Profiles and templates: what the ledger has and may keep, then what is new.

use super::{
    Offered, Wanted,
    budget::Budget,
    configuration::Truth,
    releases::{Targets, named},
    room::giving_way,
};
use crate::{
    clearance::{
        ledger::{LedgerSpec, ProfileEntry, Protected, Subject, TemplateEntry, first_image, short},
        profile::{MAX_PROFILE, Profile},
    },
    surface::ConfigReference,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Fills `profiles` and `index`, and adds to the truth what they are made of.
pub(super) fn profiles(
    ledger: &mut LedgerSpec,
    known: Option<&LedgerSpec>,
    wanted: &Wanted,
    targets: &Targets<'_>,
    truth: &mut Truth<'_>,
    budget: &mut Budget,
) {
    let offers = offers(wanted, targets);
    let again: BTreeMap<_, _> = offers.iter().rev().map(|offer| (offer.key.as_str(), offer)).collect();
    let kept: Vec<_> = known
        .into_iter()
        .flat_map(in_order)
        .filter_map(|(key, entry)| {
            let Subject { agent, release, .. } = &entry.subject;
            let kept = targets.until_kept(agent, *release, entry.not_after);
            // What is offered again stays in its place, so that a crash after the withdrawal leaves the same order.
            let until = kept.or_else(|| again.get(key).map(|offer| offer.until))?;
            Some((key, entry, until))
        })
        .collect();
    let has: Vec<_> = kept
        .iter()
        .map(|(key, entry, _)| (*key, entry.profile.image(), &entry.subject))
        .collect();
    let new: Vec<_> = offers
        .iter()
        .map(|offer| (offer.key.as_str(), offer.profile.image(), offer.subject))
        .collect();
    let going = giving_way(&has, &new);
    for (key, entry, until) in kept.into_iter().filter(|(key, ..)| !going.contains(key)) {
        let Subject { agent, release, .. } = &entry.subject;
        let objects = match (truth.before(&entry.profile.spec), again.get(key)) {
            (Ok(objects), None) => objects,
            (objects, Some(offer)) => {
                let mut objects = objects.unwrap_or_default();
                objects.extend(Truth::now(offer.configuration));
                objects
            }
            (Err(name), None) => {
                let why = format!("the content of {name} is not what was cleared");
                let of = (agent.as_str(), *release);
                budget.drop("ConfigurationChanged", of, &named("a profile", &entry.subject), &why);
                continue;
            }
        };
        add(
            ledger,
            truth,
            budget,
            (key, &entry.subject, &entry.profile),
            until,
            objects,
        );
    }
    for offer in &offers {
        let objects = Truth::now(offer.configuration);
        add(
            ledger,
            truth,
            budget,
            (&offer.key, offer.subject, offer.profile),
            offer.until,
            objects,
        );
    }
}

/// A profile that was taken from a pod just now.
struct Offer<'w> {
    key: String,
    subject: &'w Subject,
    profile: &'w Profile,
    configuration: &'w [ConfigReference],
    until: Timestamp,
}

/// What is offered and may be granted: of cleared releases, then what ran when enforcement began.
fn offers<'w>(wanted: &'w Wanted, targets: &Targets<'_>) -> Vec<Offer<'w>> {
    let offer = |subject: &'w Subject, profile: &'w Profile, configuration, until| Offer {
        key: subject.key(profile),
        subject,
        profile,
        configuration,
        until,
    };
    let new = wanted.profiles.iter().filter_map(
        |Offered {
             subject,
             profile,
             configuration,
         }| {
            let until = targets.until(&subject.agent, subject.release)?;
            Some(offer(subject, profile, configuration, until))
        },
    );
    let old = wanted.grandfathered.iter().filter_map(|old| {
        let until = targets.until_grandfathered(&old.subject)?;
        Some(offer(&old.subject, old.profile.as_ref()?, &old.configuration, until))
    });
    new.chain(old).collect()
}

/// The ledger's profiles: by image, of each the oldest first.
fn in_order(ledger: &LedgerSpec) -> impl Iterator<Item = (&str, &ProfileEntry)> {
    let keys = ledger.index.values().flatten();
    keys.filter_map(|key| Some((key.as_str(), ledger.profiles.get(key)?)))
}

fn add(
    ledger: &mut LedgerSpec,
    truth: &mut Truth<'_>,
    budget: &mut Budget,
    (key, subject, profile): (&str, &Subject, &Profile),
    not_after: Timestamp,
    objects: BTreeMap<String, Protected>,
) {
    if ledger.profiles.contains_key(key) {
        return;
    }
    let (of, what) = ((subject.agent.as_str(), subject.release), named("a profile", subject));
    let added = match truth.added(&objects) {
        Ok(added) => added,
        Err(name) => {
            return budget.drop(
                "ConfigurationChanged",
                of,
                &what,
                &format!("{name} is there now, or is not any more"),
            );
        }
    };
    let entry = ProfileEntry {
        subject: subject.clone(),
        not_after,
        profile: profile.clone(),
    };
    let image = profile.image();
    let taken = budget
        .takes_protected(&added, 0)
        .and_then(|()| budget.takes_profile(image, &entry));
    if let Err(why) = taken {
        return budget.drop("LedgerFull", of, &what, &why);
    }
    truth.add(objects);
    ledger.index.entry(image.to_owned()).or_default().push(key.to_owned());
    ledger.profiles.insert(key.to_owned(), entry);
}

/// Fills `templates` and `templateIndex`. What ran when enforcement began and has no pod now has no profile that would protect what it is
/// made of, so its template does.
pub(super) fn templates(
    ledger: &mut LedgerSpec,
    known: Option<&LedgerSpec>,
    wanted: &Wanted,
    targets: &Targets<'_>,
    truth: &mut Truth<'_>,
    budget: &mut Budget,
) {
    let new: Vec<_> = offered_templates(wanted, targets)
        .map(|(entry, configuration)| (template_key(&entry), entry, Truth::now(configuration)))
        .collect();
    let again: BTreeMap<_, _> = new
        .iter()
        .map(|(key, entry, _)| (key.clone(), entry.not_after))
        .collect();
    let kept: Vec<_> = known
        .into_iter()
        .flat_map(templates_in_order)
        .filter_map(|(key, entry)| {
            let kept = targets.until_kept(&entry.agent, entry.release, entry.not_after);
            Some((key, entry, kept.or_else(|| again.get(key).copied())?))
        })
        .collect();
    let of_spec = |spec| first_image(spec).unwrap_or_default();
    let has = kept
        .iter()
        .map(|(key, entry, _)| (*key, of_spec(&entry.spec), (&entry.agent, entry.release)));
    let offered = new
        .iter()
        .map(|(key, entry, _)| (key.as_str(), of_spec(&entry.spec), (&entry.agent, entry.release)));
    let going = giving_way(&has.collect::<Vec<_>>(), &offered.collect::<Vec<_>>());
    for (key, entry, not_after) in kept.into_iter().filter(|(key, ..)| !going.contains(key)) {
        let objects = truth
            .before(&entry.spec)
            .ok()
            .filter(|objects| truth.added(objects).is_ok());
        if objects.is_some() || again.contains_key(key) {
            let entry = TemplateEntry {
                not_after,
                ..entry.clone()
            };
            let objects = objects.filter(|_| entry.agent.is_empty()).unwrap_or_default();
            add_template(ledger, truth, budget, (key.to_owned(), entry), objects);
        }
    }
    for (key, entry, objects) in new {
        add_template(ledger, truth, budget, (key, entry), objects);
    }
}

/// The ledger's templates, in the same order.
fn templates_in_order(ledger: &LedgerSpec) -> impl Iterator<Item = (&str, &TemplateEntry)> {
    let keys = ledger.template_index.values().flatten();
    keys.filter_map(|key| Some((key.as_str(), ledger.templates.get(key)?)))
}

/// Templates that may be granted, with the configuration that no release protects.
fn offered_templates<'w>(
    wanted: &'w Wanted,
    targets: &'w Targets<'_>,
) -> impl Iterator<Item = (TemplateEntry, &'w [ConfigReference])> + 'w {
    let entry = |agent: &String, release, spec: &Value, not_after| TemplateEntry {
        agent: agent.clone(),
        release,
        not_after,
        spec: spec.clone(),
    };
    let new = wanted.cleared.iter().flat_map(move |cleared| {
        let until = targets.until(&cleared.agent, cleared.release);
        let granted = cleared.templates.iter().filter_map(move |spec| Some((spec, until?)));
        let nothing: &[ConfigReference] = &[];
        granted.map(move |(spec, until)| (entry(&cleared.agent, cleared.release, spec, until), nothing))
    });
    let old = wanted.grandfathered.iter().filter_map(move |old| {
        let until = targets.until_grandfathered(&old.subject)?;
        let entry = entry(&old.subject.agent, old.subject.release, old.template.as_ref()?, until);
        Some((entry, old.configuration.as_slice()))
    });
    new.chain(old)
}

fn template_key(entry: &TemplateEntry) -> String {
    let TemplateEntry {
        agent, release, spec, ..
    } = entry;
    short(&json!({"agent": agent, "release": release, "template": spec}))
}

fn add_template(
    ledger: &mut LedgerSpec,
    truth: &mut Truth<'_>,
    budget: &mut Budget,
    (key, entry): (String, TemplateEntry),
    objects: BTreeMap<String, Protected>,
) {
    let Some(image) = first_image(&entry.spec).filter(|_| !ledger.templates.contains_key(&key)) else {
        return;
    };
    let TemplateEntry { agent, release, .. } = &entry;
    let (of, what) = (
        (agent.as_str(), *release),
        format!("a template of agent `{agent}`, release {release}"),
    );
    let added = match truth.added(&objects) {
        Ok(added) => added,
        Err(name) => {
            let why = format!("{name} is there now, or is not any more");
            return budget.drop("ConfigurationChanged", of, &what, &why);
        }
    };
    let size = entry.spec.to_string().len();
    let taken = match size {
        ..=MAX_PROFILE => budget
            .takes_protected(&added, 0)
            .and_then(|()| budget.takes_template(image, &entry)),
        _ => Err(format!("it is {size} bytes, at most {MAX_PROFILE} fit")),
    };
    if let Err(why) = taken {
        return budget.drop("LedgerFull", of, &what, &why);
    }
    truth.add(objects);
    ledger
        .template_index
        .entry(image.to_owned())
        .or_default()
        .push(key.clone());
    ledger.templates.insert(key, entry);
}
