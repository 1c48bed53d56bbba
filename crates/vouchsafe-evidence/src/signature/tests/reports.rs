//! Reports: states, words and counts.

use super::*;
use crate::{
    registry::RegistryError,
    signature::{
        SignatureReport, SignatureState,
        report::{Search, Trouble},
    },
};
use std::{collections::BTreeSet, time::Duration};

fn report(authorities: &[Authority], findings: Vec<Finding>, troubles: Vec<Trouble>) -> SignatureReport {
    let mut search = Search::default();
    findings.into_iter().for_each(|finding| search.add(finding));
    troubles.into_iter().for_each(|trouble| search.trouble(trouble));
    search.report(authorities, &Keyring::new(authorities))
}

fn busy() -> Trouble {
    Trouble::Registry(RegistryError::Busy {
        host: "registry.example".to_owned(),
        status: 429,
        retry_after: Some(Duration::from_secs(7)),
    })
}

fn lying() -> Trouble {
    let host = "registry.example".to_owned();
    Trouble::Registry(RegistryError::Digest {
        host,
        what: "the blob `x`".to_owned(),
    })
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_report_says_what_was_found_and_why_it_does_not_count() {
    let (a, b) = (Signer::p256(), Signer::p256());
    let both = [authority("release", &[&a]), authority("security", &[&b])];
    let attestation = || Finding::Attestation("https://slsa.dev/provenance/v1".to_owned());
    let newer = || Finding::Unsupported("v0.4".to_owned());
    use SignatureState::{CannotTell, NotSigned, Verified};
    for (authorities, findings, troubles, state, complete, transient, detail) in [
        (
            &both[..1],
            vec![],
            vec![],
            NotSigned,
            true,
            false,
            "no signature by a key of `release` was found",
        ),
        (
            &both[..1],
            vec![Finding::OtherKey, Finding::OtherKey, attestation()],
            vec![],
            NotSigned,
            true,
            false,
            "no signature by a key of `release` was found; found: 2 signed by another key, 1 an attestation (\"https://slsa.dev/provenance/v1\") and not a signature",
        ),
        (
            &both[..1],
            vec![Finding::OtherKey, signed(&a)],
            vec![],
            Verified,
            true,
            false,
            "signed by `release`",
        ),
        (
            &both[..1],
            vec![signed(&a)],
            vec![busy(), Trouble::More],
            Verified,
            true,
            false,
            "signed by `release`",
        ),
        (
            &both,
            vec![signed(&a), signed(&a)],
            vec![],
            Verified,
            true,
            false,
            "signed by `release`, not by `security`",
        ),
        (
            &both,
            vec![signed(&a), Finding::Certificate],
            vec![busy()],
            Verified,
            false,
            true,
            "signed by `release`, not by `security`; found: 1 signed with a certificate, and only keys are trusted; not everything could be read: `registry.example` answered 429",
        ),
        (
            &both,
            vec![],
            vec![lying()],
            CannotTell,
            false,
            false,
            "no signature by a key of `release`, `security` was found; not everything could be read: `registry.example` answered with other content than the blob `x`",
        ),
        (
            &both[..1],
            vec![],
            vec![Trouble::More],
            CannotTell,
            false,
            false,
            "no signature by a key of `release` was found; not everything could be read: there are more candidates than are read",
        ),
        (
            &both[..1],
            vec![newer()],
            vec![],
            CannotTell,
            false,
            false,
            "no signature by a key of `release` was found; found: 1 unsupported (\"v0.4\")",
        ),
        (
            &both[..1],
            vec![
                newer(),
                Finding::OtherKey,
                Finding::OtherImage,
                Finding::Certificate,
                attestation(),
                Finding::Malformed("x"),
            ],
            vec![],
            CannotTell,
            false,
            false,
            "no signature by a key of `release` was found; found: 1 signed by another key, 1 an attestation (\"https://slsa.dev/provenance/v1\") and not a signature, 1 a signature of another image, 1 signed with a certificate, and only keys are trusted, and others",
        ),
        (
            &[],
            vec![],
            vec![],
            NotSigned,
            true,
            false,
            "no authority is trusted to sign",
        ),
    ] {
        let report = report(authorities, findings, troubles);
        assert_eq!(report.detail, detail);
        assert_eq!(
            (report.state, report.complete, report.transient),
            (state, complete, transient),
            "{detail}"
        );
        assert_eq!(report.verified.is_empty(), state != Verified);
    }
}

#[test]
fn the_longest_pause_asked_for_is_kept() {
    let authorities = [authority("release", &[&Signer::p256()])];
    assert_eq!(
        report(&authorities, vec![], vec![lying(), busy()]).retry_after,
        Some(Duration::from_secs(7))
    );
    assert_eq!(report(&authorities, vec![], vec![lying()]).retry_after, None);
}

/// A threshold of two is not met by one key under two names (D28).
#[test]
fn a_threshold_counts_authorities_with_keys_of_their_own() {
    let (x, y, z) = (Signer::p256(), Signer::p256(), Signer::p256());
    for (authorities, signers, verified, distinct) in [
        (vec![authority("a", &[&x]), authority("b", &[&x])], vec![&x], 2, 1),
        (vec![authority("a", &[&x]), authority("b", &[&y])], vec![&x, &y], 2, 2),
        (vec![authority("a", &[&x, &y])], vec![&x, &y], 1, 1),
        (
            vec![authority("a", &[&x, &y]), authority("b", &[&x])],
            vec![&x, &y],
            2,
            2,
        ),
        (
            vec![
                authority("a", &[&x, &y]),
                authority("b", &[&y, &x]),
                authority("c", &[&x]),
            ],
            vec![&x, &y],
            3,
            2,
        ),
        (
            vec![
                authority("a", &[&x]),
                authority("b", &[&x, &y]),
                authority("c", &[&y, &z]),
            ],
            vec![&x, &y, &z],
            3,
            3,
        ),
        (vec![authority("a", &[&x]), authority("b", &[&y])], vec![], 0, 0),
    ] {
        let findings = signers.iter().map(|signer| signed(signer)).collect();
        let report = report(&authorities, findings, vec![]);
        assert_eq!(
            (report.verified.len(), report.distinct()),
            (verified, distinct),
            "{authorities:?}"
        );
        let fingerprints = signers
            .iter()
            .map(|signer| key(signer).fingerprint())
            .collect::<BTreeSet<_>>();
        assert_eq!(report.keys.into_keys().collect::<BTreeSet<_>>(), fingerprints);
    }
}
