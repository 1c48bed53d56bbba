//! `attest`: gives a tool's report as Evidence about an image or a release, in normal form; the raw report stays where it is.

use super::{
    Advice, Ended, Failure,
    cluster::{Cluster, ClusterArgs},
    manifests::read_file,
    screen::Screen,
};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use kube::api::ObjectMeta;
use std::path::PathBuf;
use vouchsafe_api::{
    Evidence, Promotion,
    evidence::{EvidenceResult, EvidenceSpec, Format, Report as ReportReference, Subject, SubjectKind, Tool},
    lift,
};
use vouchsafe_core::{
    decision,
    digest::Digest,
    evidence::{self, Report, ReportError},
};
use vouchsafe_evidence::reference::{ImageReference, ReferenceError};

/// Give a tool's report as Evidence.
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("subject").required(true).args(["image", "release", "model", "tool_server"]),
    after_help = "Example:\n  kubectl vouchsafe attest trivy.json --check image-scanned --image registry.example/refund@sha256:… -n support-prod"
)]
pub(crate) struct AttestArgs {
    /// The report: a file, in the format of Trivy or SARIF.
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    /// The check that it is for.
    #[arg(long, value_name = "NAME")]
    check: String,
    /// The image that it is about, by digest.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// The Promotion whose release it is about.
    #[arg(long, value_name = "PROMOTION")]
    release: Option<String>,
    /// The model that it is about, by its component's digest.
    #[arg(long, value_name = "DIGEST")]
    model: Option<Digest>,
    /// The tool server that it is about, by its component's digest.
    #[arg(long, value_name = "DIGEST")]
    tool_server: Option<Digest>,
    /// The report's format.
    #[arg(long, value_enum, default_value_t = FormatArg::Auto)]
    format: FormatArg,
    /// Where the raw report is kept, for whoever reads the Evidence.
    #[arg(long, value_name = "URL")]
    uri: Option<String>,
    /// When measuring began, if the report does not say so, as 2027-01-31T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    started_at: Option<Timestamp>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// A report's format, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// As it looks.
    Auto,
    /// Trivy's JSON.
    Trivy,
    /// SARIF 2.1.0.
    Sarif,
}

/// Why a report is no evidence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttestError {
    /// It cannot be read as a report.
    #[error("`{file}` is no report")]
    Report {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: ReportError,
    },
    /// The image is not named by its digest.
    #[error("`{image}` does not say which image it is")]
    Image {
        /// As given.
        image: String,
        /// Why.
        #[source]
        source: ReferenceError,
    },
    /// The report is about another image.
    #[error("the report is about {found}, and you named {named}")]
    OtherImage {
        /// What the report says.
        found: String,
        /// What was named.
        named: Digest,
    },
    /// Nobody knows how old it is.
    #[error("the report does not say when it was made")]
    Undated,
}

impl Advice for AttestError {
    fn fix(&self) -> String {
        let words = match self {
            Self::Report { .. } => "give Trivy's JSON (`trivy image --format json`) or SARIF 2.1.0",
            Self::Image { .. } => "name it as `repository@sha256:…`",
            Self::OtherImage { .. } => "scan the image that is to run, by its digest",
            Self::Undated => "say `--started-at`: how old evidence may be is the check's business",
        };
        words.to_owned()
    }
}

/// Gives it.
pub(crate) fn run(args: &AttestArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let bytes = read_file(&args.report)?;
    let format = match args.format {
        FormatArg::Auto => None,
        FormatArg::Trivy => Some(evidence::Format::Trivy),
        FormatArg::Sarif => Some(evidence::Format::Sarif),
    };
    let report = evidence::read(format, &bytes).map_err(|source| AttestError::Report {
        file: args.report.display().to_string(),
        source,
    })?;
    super::wait(give(args, &report, &bytes, screen))?
}

async fn give(args: &AttestArgs, report: &Report, bytes: &[u8], screen: &mut Screen) -> Result<Ended, Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let subject = subject(args, report, &cluster).await?;
    let about = subject.digest.clone();
    let spec = spec(&args.check, subject, report, args.started_at)?;
    let object = Evidence {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", args.check)),
            ..ObjectMeta::default()
        },
        spec: EvidenceSpec {
            report: Some(ReportReference {
                digest: Digest::of(bytes),
                uri: args.uri.clone(),
                size: i64::try_from(bytes.len()).ok(),
            }),
            ..spec
        },
    };
    let created = cluster.create(&object, false).await?;
    let name = created.metadata.name.unwrap_or_default();
    screen.line(&format!("Evidence {name} for {} about {about}", args.check));
    screen.line(&format!("  {}", in_words(report)));
    Ok(Ended::Well)
}

/// What it is about; one of the four is given.
async fn subject(args: &AttestArgs, report: &Report, cluster: &Cluster) -> Result<Subject, Failure> {
    let by_digest = |kind, digest: &Digest| Subject {
        kind,
        digest: digest.to_string(),
    };
    if let Some(image) = &args.image {
        return Ok(of_image(image, report)?);
    }
    if let Some(model) = &args.model {
        return Ok(by_digest(SubjectKind::Model, model));
    }
    if let Some(server) = &args.tool_server {
        return Ok(by_digest(SubjectKind::ToolServer, server));
    }
    let promotion: Promotion = cluster.get(args.release.as_deref().unwrap_or_default()).await?;
    Ok(Subject {
        kind: SubjectKind::Release,
        digest: promotion.spec.release.to_string(),
    })
}

fn of_image(image: &str, report: &Report) -> Result<Subject, AttestError> {
    let named: ImageReference = image.parse().map_err(|source| AttestError::Image {
        image: image.to_owned(),
        source,
    })?;
    if !report.subjects.is_empty() && !report.subjects.contains(&named.digest()) {
        let found: Vec<_> = report.subjects.iter().map(ToString::to_string).collect();
        return Err(AttestError::OtherImage {
            found: found.join(", "),
            named: named.digest(),
        });
    }
    Ok(Subject {
        kind: SubjectKind::Image,
        digest: named.digest().to_string(),
    })
}

/// A report in the form that the cluster keeps.
pub(crate) fn spec(
    check: &str,
    subject: Subject,
    report: &Report,
    started_at: Option<Timestamp>,
) -> Result<EvidenceSpec, AttestError> {
    let started_at = report.started_at.or(started_at).ok_or(AttestError::Undated)?;
    Ok(EvidenceSpec {
        subject,
        check: check.to_owned(),
        format: match report.format {
            evidence::Format::Trivy => Format::Trivy,
            evidence::Format::Sarif => Format::Sarif,
        },
        tool: Tool {
            name: report.tool.name.clone(),
            version: report.tool.version.clone(),
            database_time: report.tool.database_time,
        },
        started_at,
        finished_at: report.finished_at.filter(|end| *end >= started_at),
        result: match report.result {
            decision::EvidenceResult::Pass => EvidenceResult::Pass,
            decision::EvidenceResult::Fail => EvidenceResult::Fail,
            decision::EvidenceResult::Inconclusive => EvidenceResult::Inconclusive,
        },
        reason: report.reason.clone(),
        counters: report.counters.clone(),
        findings: report.findings.iter().map(lift::finding).collect(),
        report: None,
        by: None,
    })
}

/// What the report says, in one line.
fn in_words(report: &Report) -> String {
    let counted: Vec<_> = report
        .counters
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let counted = if counted.is_empty() {
        "nothing was counted".to_owned()
    } else {
        counted.join(", ")
    };
    match &report.reason {
        Some(reason) => format!("inconclusive: {reason}"),
        None => {
            let version = report.tool.version.iter().map(|version| format!(" {version}"));
            format!("{}{}: {counted}", report.tool.name, version.collect::<String>())
        }
    }
}
