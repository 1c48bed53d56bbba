//! Room for what is new of a release that has filled its places: autoscalers change resources again and again, each time into another form.

use super::budget::MAX_PER_IMAGE;
use std::collections::BTreeSet;

/// A form under its image: its key, the image, and what it is of.
pub(super) type Form<'a, S> = (&'a str, &'a str, S);

/// Which of the ledger's forms, the oldest of each image first, give way to those that are offered: no more than are too many, and only to one
/// of the same release. What is offered again stays.
pub(super) fn giving_way<'k, S: PartialEq>(known: &[Form<'k, S>], offered: &[Form<'_, S>]) -> BTreeSet<&'k str> {
    let has: BTreeSet<&str> = known.iter().map(|(key, ..)| *key).collect();
    let again: BTreeSet<&str> = offered.iter().map(|(key, ..)| *key).collect();
    let images: BTreeSet<&str> = offered.iter().map(|(_, image, _)| *image).collect();
    let mut going = BTreeSet::new();
    for image in images {
        let new: Vec<_> = offered
            .iter()
            .filter(|(key, of, _)| *of == image && !has.contains(key))
            .collect();
        let distinct: BTreeSet<&str> = new.iter().map(|(key, ..)| *key).collect();
        let under = known.iter().filter(|(_, of, _)| *of == image);
        let too_many = (under.clone().count() + distinct.len()).saturating_sub(MAX_PER_IMAGE);
        let older =
            under.filter(|(key, _, subject)| !again.contains(key) && new.iter().any(|(_, _, of)| of == subject));
        going.extend(older.map(|(key, ..)| *key).take(too_many));
    }
    going
}
