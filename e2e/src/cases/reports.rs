//! Reports that are too large, cut off or none at all: the real command says which file and what is wrong with it, stores nothing, and
//! needs little memory, however large the file is.

use super::evidence::{attestor, stage};
use crate::{
    example::Example,
    program::Ran,
    suite::{Case, Context},
    users::User,
};
use anyhow::{Context as _, Result, ensure};
use kube::api::ListParams;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use vouchsafe_api::Evidence;

/// What the command may take of the address space, in KiB: of a file of 200 MB it cannot hold two copies, nor one that was parsed.
const ADDRESSES: u32 = 320 * 1024;
const LARGE: usize = 200 << 20;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &[],
        "a report of 200 MB, a truncated one and one that is none are refused by name, and nothing is stored",
        reports,
    )]
}

/// A file that is wrong, and with what each command ends for it: its exit code, and what it says.
struct Wrong {
    file: PathBuf,
    attest: Said,
    check: Said,
}

type Said = (i32, &'static str);

async fn reports(cx: Context) -> Result<()> {
    let (stage, check) = stage(&cx).await?;
    let pipeline = attestor(&cx, &stage.namespace, &check).await?;
    let folder = cx.cluster().work().path(&cx.name("reports"));
    fs::create_dir_all(&folder).context("no folder for reports")?;
    let example = Example::as_it_is();
    let example = example.folder();
    let whole = fs::read(example.join("reports/trivy.json")).context("no report of the example")?;
    let report: serde_json::Value = serde_json::from_slice(&whole)?;
    let image = report
        .pointer("/Metadata/RepoDigests/0")
        .and_then(serde_json::Value::as_str);
    let image = image.context("the report names no image")?;
    for wrong in wrong(&folder, &whole)? {
        let file = wrong.file.display().to_string();
        let attest = format!("attest {file} --check {check} --image {image} -n {}", stage.namespace);
        refused(&pipeline, &attest, &file, wrong.attest).await?;
        let own = folder.join(format!("only-{}", wrong.file.file_stem().context("no name")?.display()));
        fs::create_dir_all(&own)?;
        let file = own.join("report.json");
        fs::rename(&wrong.file, &file)?;
        let offline = format!(
            "check -f {0}/agent --policy {0}/policies --environment prod --evidence {1}",
            example.display(),
            own.display()
        );
        refused(&pipeline, &offline, &file.display().to_string(), wrong.check).await?;
    }
    let stored = stage.api::<Evidence>().list(&ListParams::default()).await?;
    ensure!(stored.items.is_empty(), "something was stored");
    // With the same little memory the whole report is evidence.
    let file = folder.join("whole.json");
    fs::write(&file, &whole)?;
    let attest = format!(
        "attest {} --check {check} --image {image} -n {}",
        file.display(),
        stage.namespace
    );
    let ran = small(&pipeline, &attest).await?;
    ensure!(ran.code == Some(0), "the whole report: {ran:?}");
    Ok(())
}

fn wrong(folder: &Path, whole: &[u8]) -> Result<Vec<Wrong>> {
    let write = |name: &str, parts: &[&[u8]], attest: Said, check: Said| {
        let file = folder.join(name);
        let mut to = fs::File::create(&file)?;
        for part in parts {
            to.write_all(part)?;
        }
        Ok::<_, anyhow::Error>(Wrong { file, attest, check })
    };
    let blanks = vec![b' '; 1 << 20];
    let (start, end) = whole.split_at(1);
    let large: Vec<&[u8]> = [start]
        .into_iter()
        .chain(std::iter::repeat_n(blanks.as_slice(), LARGE >> 20))
        .chain([end])
        .collect();
    let half = whole.get(..whole.len() / 2).context("no half")?;
    let unknown = "is neither Evidence nor a report of a known format";
    Ok(vec![
        write("large.json", &large, (2, "is larger than"), (2, "is larger than"))?,
        write(
            "truncated.json",
            &[half],
            (2, "EOF while parsing"),
            (2, "unclosed bracket"),
        )?,
        write(
            "none.json",
            &[br#"{"results": "none"}"#],
            (2, "is no report"),
            (1, unknown),
        )?,
    ])
}

/// The command names the file, and says what is wrong with it.
async fn refused(user: &User, line: &str, file: &str, (code, words): Said) -> Result<()> {
    let ran = small(user, line).await?;
    let said = format!("{}{}", ran.stdout, ran.stderr);
    ensure!(
        ran.code == Some(code) && said.contains(file) && said.contains(words),
        "`{line}` ended with {:?} and does not name the file, or `{words}`: {said}",
        ran.code
    );
    Ok(())
}

/// Runs the command with little memory.
async fn small(user: &User, line: &str) -> Result<Ran> {
    let line = format!("ulimit -v {ADDRESSES} && exec kubectl-vouchsafe {line}");
    user.run(Path::new("/bin/sh")).args(["-c", &line]).ran().await
}
