//! Every command that README and book tell users to type, typed in their order on a cluster of its own. A command that is not in the table of
//! steps fails the case, and so does a step that no page has.

mod page;
mod steps;

use self::{
    page::Block,
    steps::{Comes, Step},
};
use crate::{
    await_::{Look, until},
    cases, chart, checkout,
    example::{Example, Real},
    operator::built_program,
    registry::digest,
    suite::{Case, Context},
    users::User,
};
use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

/// Ends what a command said, before its exit code.
const MARK: &str = "@@ ended with ";
const AGENTS: &str = "vouchsafe.dev/held,app.kubernetes.io/name=refund-triage";
const IMAGE: &str = "registry.example.com/refund@sha256:…";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(&[], "every command of README and book does what they say", typed)
            .alone()
            .patience(Duration::from_secs(600)),
    ]
}

async fn typed(cx: Context) -> Result<()> {
    if !cx.cluster().tools().kubernetes().serves_mutations() {
        return Err(cx.skip("the book's operator runs outside of the cluster, where a webhook would need its address"));
    }
    let blocks = page::blocks()?;
    let pairs = paired(&blocks)?;
    shown_elsewhere()?;
    let own = cx.elsewhere().await?;
    let reader = Reader::prepare(&own).await?;
    own.chart_by(async {
        reader.type_all(&own, &pairs, steps::INSTALLING).await?;
        chart::await_kinds(own.cluster()).await
    })
    .await?;
    own.operator().await?;
    reader.something_waits(&own).await?;
    reader.type_all(&own, &pairs, steps::USING).await?;
    reader.type_all(&own, &pairs, steps::ADOPTING).await?;
    own.operator().await?.stop().await?;
    reader.type_all(&own, &pairs, steps::LEAVING).await?;
    reader.type_all(&own, &pairs, steps::LEAVING.iter().take(1)).await?;
    reader.type_all(&own, &pairs, steps::AGAIN).await?;
    let count: usize = blocks.iter().map(|block| block.lines.len()).sum();
    cx.tell(&format!("{count} commands in {} blocks", blocks.len()));
    Ok(())
}

/// Each block with its step.
fn paired(blocks: &[Block]) -> Result<Vec<(&Block, &'static Step)>> {
    use steps::{ADOPTING, AGAIN, ELSEWHERE, INSTALLING, LEAVING, USING};
    let all = || {
        [INSTALLING, USING, ADOPTING, LEAVING, AGAIN, ELSEWHERE]
            .into_iter()
            .flatten()
    };
    let mut pairs = Vec::new();
    for block in blocks {
        let step = all().find(|step| is_of(step, block));
        let step = step.with_context(|| format!("{}: no step has the commands {:?}", block.page, block.lines))?;
        pairs.push((block, step));
    }
    for step in all() {
        ensure!(
            pairs.iter().any(|(_, found)| std::ptr::eq(*found, step)),
            "{}: no block is {:?}",
            step.0,
            step.1
        );
    }
    Ok(pairs)
}

fn is_of(Step(page, lines): &Step, block: &Block) -> bool {
    let begins = |(line, (beginning, _)): (&String, &(&str, Comes))| line.starts_with(beginning);
    *page == block.page && lines.len() == block.lines.len() && block.lines.iter().zip(*lines).all(begins)
}

/// What is said to be shown elsewhere is.
fn shown_elsewhere() -> Result<()> {
    let makefile = fs::read_to_string(checkout().join("Makefile")).context("there is no Makefile")?;
    let names: Vec<&str> = cases::all().iter().map(|case| case.name).collect();
    for (line, comes) in steps::ELSEWHERE.iter().flat_map(|Step(_, lines)| *lines) {
        let is_there = match comes {
            Comes::Case(name) => names.contains(name),
            Comes::Make(target) => makefile.contains(&format!("\n{target}:")),
            _ => false,
        };
        ensure!(is_there, "`{line}`: there is no {comes:?}");
    }
    Ok(())
}

/// Somebody with a checkout, an image, and the files that the pages speak of.
struct Reader {
    folder: PathBuf,
    image: String,
    registry: String,
    approver: User,
}

impl Reader {
    async fn prepare(cx: &Context) -> Result<Self> {
        let registry = cx.registry().await?;
        let image = registry.push("support/refund-triage", "refund-triage 1.4.0").await?;
        let cosign = cx.cosign().await?;
        let keys = cosign.keys("pipeline").await?;
        cosign.sign(&keys, &image).await?;
        let real = Real {
            image: image.clone(),
            key: Some(keys.pem),
            now: jiff::Timestamp::now(),
        };
        let reader = Self {
            folder: cx.cluster().work().path("reader"),
            image,
            registry: registry.address().to_owned(),
            approver: cx.cluster().user("alice", &[]).await?,
        };
        reader.files(cx, &real)?;
        Ok(reader)
    }

    /// What the pages take for granted.
    fn files(&self, cx: &Context, real: &Real) -> Result<()> {
        let of = |name: &str| self.folder.join(name);
        let example = Example::copy(&of("examples/refund-triage"), real)?;
        let place = example.folder();
        let home = cx.cluster().work().home();
        for folder in [of("target/debug"), of("bin"), home.join(".local/bin")] {
            fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        }
        let program = built_program()?;
        let links = [
            (checkout().join("charts"), of("charts")),
            (checkout().join("examples/gitops"), of("examples/gitops")),
            (program.clone(), of("target/debug/vouchsafe")),
            (program, of("bin/vouchsafe")),
            (place.join("agent"), of("deploy")),
            (place.join("agent"), of("agent")),
            (place.join("policies"), of("policies")),
            (place.join("chart"), of("chart")),
            (place.join("kustomize"), of("kustomize")),
            (place.join("kustomize/overlays"), of("overlays")),
            (place.join("kustomize/base"), of("base")),
            (place.join("reports"), of("reports")),
            (place.join("reports/trivy.json"), of("trivy.json")),
            (place.join("reports/behaviour.sarif"), of("behaviour.sarif")),
            (place.join("agent"), of("old")),
            (checkout().join("examples/gitops/argocd"), of("argocd")),
            (checkout().join("examples/gitops/flux"), of("flux")),
        ];
        for (to, from) in links {
            symlink(&to, &from).with_context(|| format!("cannot link `{}`", from.display()))?;
        }
        fs::create_dir_all(of("new")).context("cannot make a folder")?;
        for name in ["agent.yaml", "config.yaml", "deployment.yaml"] {
            let text = example
                .text(&format!("agent/{name}"))?
                .replace("Tell nobody", "Tell everybody");
            fs::write(of("new").join(name), text).context("cannot write a file")?;
        }
        fs::write(of("prod.yaml"), "{}\n").context("cannot write a file")?;
        fs::write(of("evidence.yaml"), evidence()?).context("cannot write a file")
    }

    /// A pod, a Job and the agent, behind the gate of prod; and what Argo CD would have installed.
    async fn something_waits(&self, cx: &Context) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(cx.client());
        until("the namespace to be governed", || async {
            let found = namespaces.get("support-prod").await?;
            let labels = found.metadata.labels.unwrap_or_default();
            Ok(Look::when(labels, |labels| {
                labels.contains_key("vouchsafe.dev/enforcement")
            }))
        })
        .await?;
        let container = json!({"name": "main", "image": self.image, "resources": {}});
        let spec = json!({"restartPolicy": "Never", "containers": [container]});
        let objects: [Value; 2] = [
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"}, "spec": spec}),
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": {"spec": spec}}}),
        ];
        cx.admin().apply("support-prod", &objects).must().await?;
        let argo = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"}}),
        ];
        cx.admin().apply("argocd", &argo).must().await?;
        let deploy = format!("{}/", self.folder.join("agent").display());
        let agent = cx.admin().kubectl(["apply", "-n", "support-prod", "-f", &deploy]);
        agent.must().await?;
        self.greeter(cx).await
    }

    /// The page's own workload, that runs in a namespace of dev and is in a file.
    async fn greeter(&self, cx: &Context) -> Result<()> {
        let labels = json!({"app": "greeter"});
        let pod = json!({"containers": [{"name": "main", "image": self.image, "resources": {}}]});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "greeter"},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}});
        let folder = self.folder.join("greeter");
        fs::create_dir_all(&folder).context("cannot make a folder")?;
        fs::write(folder.join("deployment.yaml"), deployment.to_string()).context("cannot write a file")?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop-dev", "labels": {"vouchsafe.dev/environment": "dev"}}});
        cx.admin().apply("shop-dev", &[namespace]).must().await?;
        cx.admin().apply("shop-dev", &[deployment]).must().await.map(drop)
    }

    async fn type_all(
        &self,
        cx: &Context,
        pairs: &[(&Block, &'static Step)],
        steps: impl IntoIterator<Item = &'static Step>,
    ) -> Result<()> {
        let mut wrong = Vec::new();
        for step in steps {
            for (block, _) in pairs.iter().filter(|(_, found)| std::ptr::eq(*found, step)) {
                let typed = self.type_one(cx, block, step).await;
                wrong.extend(typed.with_context(|| block.page.clone())?);
            }
        }
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }

    /// Types a block into one shell; gives what came otherwise.
    async fn type_one(&self, cx: &Context, block: &Block, Step(_, lines): &Step) -> Result<Vec<String>> {
        let mut script = format!("exec 2>&1\nPATH=\"{}:$PATH\"\n", self.folder.join("bin").display());
        for (line, (_, comes)) in block.lines.iter().zip(*lines) {
            let line = match comes {
                Comes::Untried(_) => "true".to_owned(),
                _ => self.filled(line),
            };
            script.push_str(&format!("{line}\nprintf '\\n{MARK}%s\\n' \"$?\"\n"));
        }
        // Who asked may not approve.
        let who = if block.lines.iter().any(|line| line.contains("inbox")) {
            &self.approver
        } else {
            cx.admin()
        };
        let shell = who.run(Path::new("/bin/sh"));
        let said = shell.args(["-c", &script]).folder(&self.folder).must().await?;
        let (mut rest, mut wrong) = (said.as_str(), Vec::new());
        for (line, (_, comes)) in block.lines.iter().zip(*lines) {
            let (answer, after) = rest
                .split_once(MARK)
                .with_context(|| format!("`{line}` never ended: {rest}"))?;
            let (code, after) = after.split_once('\n').unwrap_or((after, ""));
            rest = after;
            if let Comes::Untried(reason) = comes {
                cx.tell(&format!("not typed: `{line}`: {reason}"));
            } else {
                let judged = judged(line, *comes, code, answer);
                wrong.extend(judged.err().map(|error| format!("{}: {error}", block.page)));
            }
        }
        Ok(wrong)
    }

    /// A line with this cluster's names in the place of the reader's.
    fn filled(&self, line: &str) -> String {
        let first = |what: &str| format!("$(kubectl get {what} -o jsonpath='{{.items[0].metadata.name}}')");
        let release = "$(kubectl get vspr -n support-prod -o jsonpath='{.items[0].spec.release}')";
        let judged = "until kubectl get vspr -n support-staging | grep -q Waiting; do sleep 0.2; done";
        let adopted = "kubectl apply -n shop-dev -f greeter/agent.yaml \
            && until kubectl get vsag -n shop-dev | grep -q greeter; do sleep 0.2; done";
        let plain = format!("--plain-http-registry {}", self.registry);
        let pairs = [
            ("WAIVER", first("vswv -n support-prod")),
            ("PROMOTION", first("vspr -n support-prod")),
            (
                "pod/NAME",
                format!("pod/{}", first(&format!("pods -n support-prod -l {AGENTS}"))),
            ),
            // A person is not as quick as the operator.
            (
                "kubectl vouchsafe why agent/",
                format!("{judged}; kubectl vouchsafe why agent/"),
            ),
            ("pod NAME -n NAMESPACE", "pod alone -n support-prod".to_owned()),
            ("job NAME -n NAMESPACE", "job once -n support-prod".to_owned()),
            ("-f DIR", "-f deploy".to_owned()),
            (IMAGE, self.image.clone()),
            // Who has a terminal is asked back instead.
            (" --role security", format!(" --role security --release {release}")),
            ("red-team", "behaviour-scanned".to_owned()),
            ("--timeout 1h", "--timeout 1s".to_owned()),
            ("vouchsafe check ", format!("vouchsafe check {plain} ")),
            ("vouchsafe pin ", format!("vouchsafe pin {plain} ")),
            ("cargo build --release", "true".to_owned()),
            ("cargo build &&", "true &&".to_owned()),
            ("./target/release/vouchsafe operator", "kubectl auth whoami".to_owned()),
            ("> deploy/agent.yaml", "> greeter/agent.yaml".to_owned()),
            (
                "adopt -f deploy/ > agent.yaml",
                "adopt -f greeter/deployment.yaml > agent.yaml".to_owned(),
            ),
            (
                "kubectl vouchsafe status -n shop-dev",
                format!("{adopted}; kubectl vouchsafe status -n shop-dev"),
            ),
            ("deploy/argocd/", format!("{}/deploy/argocd/", checkout().display())),
        ];
        let fill = |line: String, (from, to): &(&str, String)| line.replace(from, to);
        pairs.iter().fold(line.to_owned(), fill)
    }
}

fn judged(line: &str, comes: Comes, code: &str, answer: &str) -> Result<()> {
    let (wanted, words) = match comes {
        Comes::Says(words) => (0, words),
        Comes::Ends(code, words) => (code, words),
        Comes::Untried(_) | Comes::Case(_) | Comes::Make(_) => bail!("`{line}` is shown elsewhere"),
    };
    ensure!(
        code == wanted.to_string() && answer.contains(words),
        "`{line}` ended with {code}, not {wanted} and `{words}`:\n{answer}"
    );
    Ok(())
}

/// The Evidence that the page on it shows.
fn evidence() -> Result<String> {
    let text = fs::read_to_string(checkout().join("docs/book/evidence.md")).context("there is no page on evidence")?;
    let (_, rest) = text.split_once("```yaml\n").context("it shows no Evidence")?;
    let (shown, _) = rest.split_once("```").context("the Evidence has no end")?;
    Ok(shown.replace("v1:sha256:…", &format!("v1:{}", digest(b"a release"))))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_has_its_step() {
        let blocks = super::page::blocks().unwrap();
        super::paired(&blocks).unwrap();
        super::shown_elsewhere().unwrap();
    }
}
