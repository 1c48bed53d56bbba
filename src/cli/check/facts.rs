//! What is known offline: evidence in files, and signatures in registries.
//!
//! Nobody has stamped what is in files. It is taken as if it had been given by whoever the check lets give it: offline that is what it will
//! be worth once it is given.

use crate::cli::{
    Failure,
    agents::Known,
    attest::{self, AttestError},
    manifests::{Manifest, Manifests, files},
    pin,
    registries::{Registries, RegistryArgs},
    schema,
};
use crate::observe::signatures::{answer, keys};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::collections::{BTreeMap, BTreeSet};
use vouchsafe_api::{Evidence, GROUP, evidence::Subject, lower, stamp::Stamp};
use vouchsafe_core::{
    decision::{
        Author, CheckRule, EvidenceFact, FactProblem, Facts, Policy, Producer, Requirement, SignatureFact,
        SignatureState, SubjectKind, UnknownAuthor,
    },
    digest::Digest,
    evidence::{self, Report, ReportError},
};
use vouchsafe_evidence::{reference::ImageReference, signature::image_signatures};

/// Who gives evidence when a check lets anybody.
const ANYBODY: &str = "offline";

/// Evidence that was given.
#[derive(Debug, Default)]
pub(super) struct Given {
    evidence: Vec<EvidenceFact>,
    unknown: Vec<FactProblem>,
    notes: Vec<String>,
}

impl Given {
    /// Reads reports and Evidence.
    pub(super) fn read(places: &[String], policy: &Policy, known: &[Known]) -> Result<Self, Failure> {
        let mut given = Self::default();
        let mut others = Vec::new();
        for file in files(places)? {
            match evidence::read(None, &file.bytes) {
                Ok(report) => given.report(&file.name, &report, policy, known)?,
                // It may be an object.
                Err(ReportError::Unknown | ReportError::Json(_)) => others.push(file),
                Err(source) => {
                    return Err(AttestError::Report {
                        file: file.name,
                        source,
                    }
                    .into());
                }
            }
        }
        let manifests = Manifests::of_files(&others)?;
        for manifest in manifests.of(GROUP, "Evidence") {
            given.object(manifest, policy)?;
        }
        for origin in &manifests.passed_over {
            given.notes.push(format!(
                "{origin} is neither Evidence nor a report of a known format, and was passed over"
            ));
        }
        Ok(given)
    }

    /// A tool's report, for every check that takes its format: about the images that it names, or about the agents at hand.
    fn report(&mut self, file: &str, report: &Report, policy: &Policy, known: &[Known]) -> Result<(), Failure> {
        let mut used = false;
        for requirement in &policy.requires {
            let rule = requirement.definition.as_ref().map(|check| &check.rule);
            let Some(CheckRule::Evidence { subject, formats, .. }) = rule else {
                continue;
            };
            if !formats.is_empty() && !formats.iter().any(|format| format == report.format.as_str()) {
                continue;
            }
            for subject in subjects(*subject, report, known) {
                let spec = attest::spec(&requirement.check, subject, report, None)?;
                self.stored(Evidence::new(&format!("{}-{file}", requirement.check), spec), policy);
                used = true;
            }
        }
        if !used {
            self.notes.push(format!(
                "{file} is a report that no check of this environment takes, and was passed over"
            ));
        }
        Ok(())
    }

    fn object(&mut self, manifest: &Manifest, policy: &Policy) -> Result<(), Failure> {
        self.stored(schema::typed(manifest)?, policy);
        Ok(())
    }

    fn stored(&mut self, mut evidence: Evidence, policy: &Policy) {
        let producer = producer(policy, &evidence.spec.check);
        evidence.spec.by.get_or_insert(producer);
        let stored = evidence.spec.finished_at.unwrap_or(evidence.spec.started_at);
        evidence.metadata.creation_timestamp.get_or_insert(Time(stored));
        match lower::evidence(&evidence) {
            Ok(fact) => self.evidence.push(fact),
            Err(problem) => self.unknown.push(problem),
        }
    }

    /// What was passed over.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// The facts about one agent.
    pub(super) fn facts(&self, policy: &Policy, known: &Known, signatures: &[SignatureFact]) -> Facts {
        // Who wrote it the cluster finds out; that nobody knows it here is no reason to refuse.
        let author = match policy.unknown_author {
            UnknownAuthor::Refuse => Author::Known(BTreeSet::new()),
            UnknownAuthor::Accept | UnknownAuthor::ExtraApproval => Author::Unknown,
        };
        Facts {
            evidence: self.evidence.clone(),
            signatures: signatures.to_vec(),
            author,
            problems: known.problems.clone(),
            unknown: self.unknown.clone(),
            ..Facts::default()
        }
    }
}

/// What a report is about, for a check on this kind of subject.
fn subjects(kind: SubjectKind, report: &Report, known: &[Known]) -> Vec<Subject> {
    match kind {
        SubjectKind::Image => {
            let of = |digest: &Digest| Subject {
                kind: vouchsafe_api::evidence::SubjectKind::Image,
                digest: digest.to_string(),
            };
            report.subjects.iter().map(of).collect()
        }
        SubjectKind::Release => {
            let of = |known: &Known| Subject {
                kind: vouchsafe_api::evidence::SubjectKind::Release,
                digest: known.release.to_string(),
            };
            known.iter().map(of).collect()
        }
        SubjectKind::Model | SubjectKind::ToolServer => Vec::new(),
    }
}

/// Somebody whose evidence counts for a check.
fn producer(policy: &Policy, check: &str) -> Stamp {
    let requirement = policy.requires.iter().find(|requirement| requirement.check == check);
    let rule = requirement
        .and_then(|requirement| requirement.definition.as_ref())
        .map(|check| &check.rule);
    let first = match rule {
        Some(CheckRule::Evidence { producers, .. }) => producers.first(),
        _ => None,
    };
    let (username, groups) = match first {
        Some(Producer::User(name)) => (name.clone(), Vec::new()),
        Some(Producer::Group(name)) => (ANYBODY.to_owned(), vec![name.clone()]),
        None => (ANYBODY.to_owned(), Vec::new()),
    };
    Stamp {
        username,
        uid: String::new(),
        groups,
    }
}

/// What registries say of the agents' images, when any check asks for it.
pub(super) fn signatures(policy: &Policy, known: &[Known], args: &RegistryArgs) -> Result<Vec<SignatureFact>, Failure> {
    let signed: Vec<_> = policy
        .requires
        .iter()
        .filter(|requirement| authorities(requirement).is_some())
        .collect();
    if signed.is_empty() {
        return Ok(Vec::new());
    }
    let registries = Registries::open(args)?;
    let workloads = known.iter().flat_map(|known| &known.agent.workloads);
    let images: BTreeSet<_> = workloads
        .flat_map(|workload| pin::images(&workload.object))
        .filter_map(|image| image.parse().ok())
        .collect();
    crate::cli::wait(async {
        let mut facts = Vec::new();
        for requirement in signed {
            facts.extend(ask(requirement, &images, &registries).await);
        }
        facts
    })
}

type Authorities = [vouchsafe_core::decision::Authority];

fn authorities(requirement: &Requirement) -> Option<&Authorities> {
    match &requirement.definition.as_ref()?.rule {
        CheckRule::Signature { authorities, .. } => Some(authorities),
        CheckRule::Evidence { .. } | CheckRule::Surface { .. } => None,
    }
}

async fn ask(
    requirement: &Requirement,
    images: &BTreeSet<ImageReference>,
    registries: &Registries,
) -> Vec<SignatureFact> {
    let check = &requirement.check;
    let keys = match keys(authorities(requirement).unwrap_or_default()) {
        Ok(keys) => keys,
        Err(problem) => {
            let cannot =
                |image: &ImageReference| fact(check, image.digest(), SignatureState::CannotTell, problem.clone());
            return images.iter().map(cannot).collect();
        }
    };
    let mut found: BTreeMap<Digest, SignatureFact> = BTreeMap::new();
    for image in images {
        let answer = answer(image_signatures(&registries.client, image, &registries.credentials, &keys).await);
        let complete = answer.complete;
        let fact = SignatureFact {
            complete,
            ..fact(check, image.digest(), answer.state, answer.detail)
        };
        found.insert(image.digest(), fact);
    }
    found.into_values().collect()
}

fn fact(check: &str, digest: Digest, state: SignatureState, detail: String) -> SignatureFact {
    SignatureFact {
        check: check.to_owned(),
        digest,
        state,
        complete: false,
        detail,
    }
}
