//! `pin`: tags become digests, by asking the registries.

mod images;
mod rewrite;

pub(crate) use self::images::images;

use super::{
    Advice, Ended, Failure,
    manifests::{self, File, Manifests},
    registries::{self, Registries, RegistryArgs},
    screen::{Screen, Style, note},
    table::{Cell, Table},
};
use clap::Args;
use futures::{StreamExt as _, stream};
use std::{collections::BTreeMap, fs, io};
use vouchsafe_evidence::reference::{ReferenceError, TaggedReference};

/// Registries that are asked at the same time.
const AT_ONCE: usize = 8;

/// Print or write the digests of images that are named by tag.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  vouchsafe pin -f deploy/ --write")]
pub(crate) struct PinArgs {
    /// Manifests: a file, a folder, or - for standard input.
    #[arg(short, long = "filename", value_name = "PLACE", required = true)]
    filename: Vec<String>,
    /// Write the digests into the files; comments and order stay. With -f - the result is printed.
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    registries: RegistryArgs,
}

/// Why images cannot be pinned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    /// A file cannot be written.
    #[error("`{file}` cannot be written")]
    Write {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The text does not hold an image as it was read.
    #[error("`{file}` does not hold `{image}` in one piece, so that it is not rewritten")]
    NotFound {
        /// The file.
        file: String,
        /// The image.
        image: String,
    },
}

/// What became of one image.
type Found = Result<String, (String, &'static str)>;

/// Pins them.
pub(crate) fn run(args: &PinArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let files = manifests::files(&args.filename)?;
    let read = Manifests::of_files(&files)?;
    let tagged = self::images::tagged(&read);
    let registries = Registries::open(&args.registries)?;
    let answers = super::wait(ask(&registries, &tagged))?;
    if args.write {
        write(&files, &answers, screen)?;
    } else {
        print(&answers, screen);
    }
    let failed: Vec<_> = answers
        .iter()
        .filter_map(|(image, answer)| Some((image, answer.as_ref().err()?)))
        .collect();
    for (image, (message, fix)) in &failed {
        note(&format!("error: `{image}`: {message}"));
        note(&format!("  fix: {fix}"));
    }
    Ok(if failed.is_empty() { Ended::Well } else { Ended::Badly })
}

async fn ask(registries: &Registries, tagged: &[String]) -> BTreeMap<String, Found> {
    let one = |image: String| async move {
        let found = pinned(registries, &image).await;
        (image, found)
    };
    stream::iter(tagged.iter().cloned().map(one))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// The image as it was written, with the digest behind.
async fn pinned(registries: &Registries, image: &str) -> Found {
    let reference: TaggedReference = image
        .parse()
        .map_err(|error: ReferenceError| (error.to_string(), "correct the image's name"))?;
    let found = registries.resolve(&reference).await;
    let found = found.map_err(|error| (error.explain(), registries::fix(&error)))?;
    Ok(format!("{image}@{}", found.digest()))
}

fn print(answers: &BTreeMap<String, Found>, screen: &mut Screen) {
    if answers.is_empty() {
        return screen.line("Every image is pinned.");
    }
    let mut table = Table::new(&["IMAGE", "PINNED"]);
    for (image, answer) in answers {
        let pinned = match answer {
            Ok(pinned) => Cell::from(pinned.as_str()),
            Err(_) => Cell::styled(Style::Bad, "(not known)"),
        };
        table.row([image.as_str().into(), pinned]);
    }
    table.print(screen);
}

fn write(files: &[File], answers: &BTreeMap<String, Found>, screen: &mut Screen) -> Result<(), Failure> {
    let known: BTreeMap<_, _> = answers
        .iter()
        .filter_map(|(image, answer)| Some((image.clone(), answer.clone().ok()?)))
        .collect();
    for file in files {
        let text = String::from_utf8_lossy(&file.bytes);
        let rewritten = rewrite::text(&file.name, &text, &known)?;
        if file.is_input() {
            screen.document(&rewritten);
        } else if rewritten != text {
            fs::write(&file.name, &rewritten).map_err(|source| PinError::Write {
                file: file.name.clone(),
                source,
            })?;
            screen.line(&format!("pinned {}", file.name));
        }
    }
    Ok(())
}

impl Advice for PinError {
    fn fix(&self) -> String {
        let words = match self {
            Self::Write { .. } => "see whether you may write it; without --write the digests are printed",
            Self::NotFound { .. } => "write it by hand; without --write the digests are printed",
        };
        words.to_owned()
    }
}
