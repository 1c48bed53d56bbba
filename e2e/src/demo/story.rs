//! The story: one agent from dev to prod, with the people and the pipeline that vouch for it.

use super::{Narrator, Stage};
use crate::{
    await_::{Look, until},
    cosign::{Cosign, Keys},
    example::{Example, Real},
    pods::{await_held, await_running},
    registry::{Kind, Registry},
    users::User,
};
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use std::path::Path;
use vouchsafe_api::{Agent, Promotion, promotion::status::Verdict};

const PODS: &str = "app.kubernetes.io/name=refund-triage";
const AGENT: &str = "refund-triage";
/// How long staging has to be healthy; a real one is a day.
const SOAK: &str = "5s";

/// Who plays.
struct People {
    admin: User,
    dana: User,
    alice: User,
    pat: User,
    ci: User,
}

/// Everything that the story needs while it is told.
struct Story<'a> {
    narrator: &'a mut Narrator,
    stage: &'a Stage,
    people: People,
    example: Example,
    registry: Registry,
    cosign: Cosign,
    keys: Keys,
    image: String,
}

/// Tells it.
///
/// # Errors
/// When a step fails: which, and why.
pub(super) async fn tell(narrator: &mut Narrator, stage: &Stage) -> Result<()> {
    let mut story = Story::prepare(narrator, stage).await?;
    story.environments().await?;
    story.staging().await?;
    story.prod().await?;
    story.another_prompt().await?;
    story.ahead().await?;
    story.operator_dead().await?;
    drop(story.registry);
    Ok(())
}

impl<'a> Story<'a> {
    async fn prepare(narrator: &'a mut Narrator, stage: &'a Stage) -> Result<Self> {
        narrator.chapter("An agent, its image in a registry, and a pipeline with a key");
        let (cluster, work) = (&stage.cluster, stage.cluster.work());
        let registry = stage.registries.own(Kind::Referrers, work);
        let registry = narrator.step("starting a registry", registry).await?;
        let image = registry.push("support/refund-triage", "refund-triage 1.4.0").await?;
        let cosign = Cosign::prepare(cluster.tools(), work).await?;
        let keys = narrator
            .step("making the pipeline's keys", cosign.keys("pipeline"))
            .await?;
        let real = Real {
            image: image.clone(),
            key: Some(keys.pem.clone()),
            now: jiff::Timestamp::now(),
        };
        let example = Example::copy(&work.path("refund-triage"), &real)?;
        shorten_soak(&example)?;
        let admin = cluster.admin().clone();
        admin
            .kubectl(["apply", "-f", &path(&example, "policies")])
            .must()
            .await?;
        let people = People {
            dana: cluster.user("dana", &[]).await?,
            alice: cluster.user("alice", &[]).await?,
            pat: cluster.user("pat", &[]).await?,
            ci: pipeline(stage).await?,
            admin,
        };
        Ok(Self {
            narrator,
            stage,
            people,
            example,
            registry,
            cosign,
            keys,
            image,
        })
    }

    async fn environments(&mut self) -> Result<()> {
        self.narrator.chapter("Three environments, five checks");
        self.narrator.say(&format!(
            "dev only watches. staging wants the image signed and scanned. prod wants more: time in staging (a day; here {SOAK}), and two people."
        ));
        let get = self.people.admin.kubectl(["get", "vsenv,vschk"]);
        self.narrator.run(&self.people.admin, get).await?;
        self.apply("support-dev").await?;
        await_running(&self.pods("support-dev"), PODS, 2).await?;
        self.show_pods("support-dev").await
    }

    async fn staging(&mut self) -> Result<()> {
        self.narrator.chapter("staging: held until it is signed and scanned");
        self.apply("support-staging").await?;
        await_held(&self.pods("support-staging"), PODS, 2).await?;
        self.promotion("support-staging").await?;
        self.show_pods("support-staging").await?;
        self.why("support-staging").await?;
        self.narrator
            .say("The pipeline signs the image (cosign, into the registry) and gives the scanner's report.");
        let sign = self.cosign.sign(&self.keys, &self.image);
        self.narrator.step("cosign sign", sign).await?;
        self.attest(
            "support-staging",
            "image-scanned",
            "reports/trivy.json",
            &["--image", &self.image],
        )
        .await?;
        let running = self.run_twice("support-staging");
        self.narrator.step("waiting for the pods of staging", running).await?;
        self.show_pods("support-staging").await
    }

    async fn prod(&mut self) -> Result<()> {
        self.narrator.chapter("prod: two people and time in staging");
        self.apply("support-prod").await?;
        await_held(&self.pods("support-prod"), PODS, 2).await?;
        let promotion = self.promotion("support-prod").await?;
        self.why("support-prod").await?;
        self.narrator.say("Evidence on an image counts everywhere in the team's tenant. What was measured of this very release is still missing.");
        self.attest(
            "support-prod",
            "behaviour-scanned",
            "reports/behaviour.sarif",
            &["--release", &promotion],
        )
        .await?;
        let soaked = self.awaits("support-prod", &promotion, Verdict::AwaitingApproval);
        self.narrator.step("soaking in staging", soaked).await?;
        self.narrator.say("Dana deploys here, and may not let it in herself:");
        let own = approve(&self.people.dana, &promotion, "security", "it is fine");
        self.narrator
            .refused(&self.people.dana, own, "you may not approve or reject as security")
            .await?;
        self.approve_by_both(&promotion).await?;
        let running = self.run_twice("support-prod");
        self.narrator.step("waiting for the pods of prod", running).await?;
        self.show_pods("support-prod").await
    }

    async fn another_prompt(&mut self) -> Result<()> {
        self.narrator.chapter("One word of the prompt is another release");
        self.rewrite_prompt("at most 50 EUR", "at most 500 EUR")?;
        self.apply("support-prod").await?;
        let held = until("the new pod to be held beside the old ones", || async {
            let found = self
                .pods("support-prod")
                .list(&kube::api::ListParams::default().labels(PODS))
                .await?;
            let held = found.items.iter().filter(|pod| crate::pods::is_held(pod)).count();
            Ok(Look::when((held, found.items.len()), |(held, all)| {
                *held == 1 && *all == 3
            }))
        });
        self.narrator.step("waiting for the new pod to be held", held).await?;
        self.show_pods("support-prod").await?;
        self.narrator.say("`at most 50 EUR` became `at most 500 EUR`: that waits, and the old version keeps serving. Dana takes the change back, and asks for the next one before she deploys it.");
        self.rewrite_prompt("at most 500 EUR", "at most 40 EUR")
    }

    async fn ahead(&mut self) -> Result<()> {
        self.narrator.chapter("Promoted ahead: nothing is ever held");
        self.apply("support-staging").await?;
        let promote = self.people.dana.kubectl([
            "vouchsafe",
            "promote",
            "-n",
            "support-prod",
            "-f",
            &path(&self.example, "agent"),
        ]);
        self.narrator.run(&self.people.dana, promote).await?;
        let promotion = self.asked_ahead().await?;
        self.attest(
            "support-prod",
            "behaviour-scanned",
            "reports/behaviour.sarif",
            &["--release", &promotion],
        )
        .await?;
        let soaked = self.awaits("support-prod", &promotion, Verdict::AwaitingApproval);
        self.narrator.step("soaking in staging", soaked).await?;
        self.narrator.say("Alice reads what changed, and approves that:");
        let folder = path(&self.example, "agent");
        let diff = ["vouchsafe", "diff", &promotion, "-f", &folder, "-n", "support-prod"];
        self.narrator
            .run(&self.people.alice, self.people.alice.kubectl(diff))
            .await?;
        self.approve_by_both(&promotion).await?;
        self.awaits("support-prod", &promotion, Verdict::Cleared).await?;
        self.narrator
            .say("With that annotation in the manifest, the merge applies without so much as a warning.");
        self.annotate(&promotion).await?;
        self.apply("support-prod").await?;
        let rolled = self.rolled(&promotion);
        self.narrator.step("rolling out", rolled).await?;
        self.show_pods("support-prod").await
    }

    async fn operator_dead(&mut self) -> Result<()> {
        self.narrator.chapter("The operator is killed");
        self.stage.operator.kill()?;
        self.narrator
            .say("kill -9. The gate is in the API server: what is cleared restarts and scales,");
        let delete = ["delete", "pods", "-n", "support-prod", "-l", PODS, "--wait=false"];
        self.narrator
            .run(&self.people.dana, self.people.dana.kubectl(delete))
            .await?;
        let scale = ["scale", "deployment", AGENT, "-n", "support-prod", "--replicas=4"];
        self.narrator
            .run(&self.people.dana, self.people.dana.kubectl(scale))
            .await?;
        let pods = self.pods("support-prod");
        let running = await_running(&pods, PODS, 4);
        self.narrator.step("waiting for four pods", running).await?;
        self.show_pods("support-prod").await?;
        self.narrator.say("and what is not cleared stays out:");
        let run = [
            "run",
            "intruder",
            "-n",
            "support-prod",
            "--image",
            &self.image,
            "--labels",
            "app=intruder",
        ];
        self.narrator
            .run(&self.people.dana, self.people.dana.kubectl(run))
            .await?;
        await_held(&self.pods("support-prod"), "app=intruder", 1).await?;
        self.narrator
            .run(
                &self.people.dana,
                self.people
                    .dana
                    .kubectl(["get", "pod", "intruder", "-n", "support-prod"]),
            )
            .await?;
        Ok(())
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.people.admin.client.clone(), namespace)
    }

    async fn apply(&self, namespace: &str) -> Result<()> {
        let folder = path(&self.example, "agent");
        let apply = self.people.dana.kubectl(["apply", "-n", namespace, "-f", &folder]);
        self.narrator.run(&self.people.dana, apply).await.map(drop)
    }

    async fn show_pods(&self, namespace: &str) -> Result<()> {
        let get = self.people.dana.kubectl(["get", "pods", "-n", namespace]);
        self.narrator.run(&self.people.dana, get).await.map(drop)
    }

    async fn why(&self, namespace: &str) -> Result<()> {
        let why = self.people.dana.kubectl(["vouchsafe", "why", AGENT, "-n", namespace]);
        self.narrator.run(&self.people.dana, why).await.map(drop)
    }

    async fn attest(&self, namespace: &str, check: &str, report: &str, subject: &[&str]) -> Result<()> {
        let report = path(&self.example, report);
        let args = ["vouchsafe", "attest", &report, "--check", check, "-n", namespace];
        let attest = self.people.ci.kubectl(args.into_iter().chain(subject.iter().copied()));
        self.narrator.run(&self.people.ci, attest).await.map(drop)
    }

    async fn approve_by_both(&self, promotion: &str) -> Result<()> {
        for (who, role) in [(&self.people.alice, "security"), (&self.people.pat, "product")] {
            self.narrator
                .run(who, approve(who, promotion, role, "read the diff and the reports"))
                .await?;
        }
        Ok(())
    }

    /// The name of the Promotion of what the agent is now.
    async fn promotion(&self, namespace: &str) -> Result<String> {
        let agents: Api<Agent> = Api::namespaced(self.people.admin.client.clone(), namespace);
        until("the operator to have looked at the agent", || async {
            let status = agents.get(AGENT).await?.status.unwrap_or_default();
            let judged = status.promotion.clone().filter(|_| status.verdict.is_some());
            Ok(judged.map_or_else(|| Look::NotYet(format!("{status:?}")), Look::Seen))
        })
        .await
    }

    /// The name of the Promotion that was asked for and is not deployed yet.
    async fn asked_ahead(&self) -> Result<String> {
        let promotions: Api<Promotion> = Api::namespaced(self.people.admin.client.clone(), "support-prod");
        until("the Promotion that was asked for", || async {
            let found = promotions.list(&kube::api::ListParams::default()).await?;
            let by_dana = |promotion: &&Promotion| {
                let stamp = promotion.spec.requested_by.as_ref();
                stamp.is_some_and(|stamp| stamp.username == self.people.dana.name)
            };
            let name = found.items.iter().find(by_dana).map(ResourceExt::name_any);
            Ok(name.map_or_else(|| Look::NotYet(format!("{} promotions", found.items.len())), Look::Seen))
        })
        .await
    }

    async fn awaits(&self, namespace: &str, promotion: &str, verdict: Verdict) -> Result<()> {
        let promotions: Api<Promotion> = Api::namespaced(self.people.admin.client.clone(), namespace);
        until(&format!("the verdict {verdict}"), || async {
            let status = promotions.get(promotion).await?.status.unwrap_or_default();
            Ok(if status.verdict == Some(verdict) {
                Look::Seen(())
            } else {
                Look::NotYet(format!("{:?}: {:?}", status.verdict, status.waiting_for))
            })
        })
        .await
    }

    async fn run_twice(&self, namespace: &str) -> Result<()> {
        await_running(&self.pods(namespace), PODS, 2).await.map(drop)
    }

    /// Awaits that the agent is the new release, and that only its pods run.
    async fn rolled(&self, promotion: &str) -> Result<()> {
        let agents: Api<Agent> = Api::namespaced(self.people.admin.client.clone(), "support-prod");
        until("the agent to be what was promoted", || async {
            let status = agents.get(AGENT).await?.status.unwrap_or_default();
            Ok(Look::when(status.promotion, |name| name.as_deref() == Some(promotion)))
        })
        .await?;
        let deployment = format!("deployment/{AGENT}");
        let status = ["rollout", "status", &deployment, "-n", "support-prod", "--timeout=120s"];
        self.people.dana.kubectl(status).must().await?;
        self.run_twice("support-prod").await
    }

    /// Writes the release into the pod template, where `kubectl apply` is told that it is cleared.
    async fn annotate(&self, promotion: &str) -> Result<()> {
        let promotions: Api<Promotion> = Api::namespaced(self.people.admin.client.clone(), "support-prod");
        let release = promotions.get(promotion).await?.spec.release;
        let file = self.example.folder().join("agent/deployment.yaml");
        let labels = "    metadata:\n      labels: {app.kubernetes.io/name: refund-triage}\n    spec:";
        let annotated = format!(
            "    metadata:\n      annotations: {{vouchsafe.dev/release: \"{release}\"}}\n      labels: {{app.kubernetes.io/name: refund-triage}}\n    spec:"
        );
        let text = read(&file)?;
        ensure!(
            text.contains(labels),
            "the example's Deployment is written in another way"
        );
        write(&file, &text.replace(labels, &annotated))
    }

    /// Writes other words into the prompt of the copy, under the name that goes with them.
    fn rewrite_prompt(&self, from: &str, to: &str) -> Result<()> {
        let config = self.example.folder().join("agent/config.yaml");
        let deployment = self.example.folder().join("agent/deployment.yaml");
        let text = read(&config)?;
        let old = config_name(&text)
            .context("the example's ConfigMap has no name")?
            .to_owned();
        let text = text.replace(from, to);
        let digest = crate::registry::digest(text.as_bytes());
        let hex = digest.trim_start_matches("sha256:");
        let new = format!("refund-triage-config-{}", hex.get(..10).unwrap_or(hex));
        write(&config, &text.replace(&old, &new))?;
        write(&deployment, &read(&deployment)?.replace(&old, &new))
    }
}

fn approve(who: &User, promotion: &str, role: &str, reason: &str) -> crate::program::Run {
    who.kubectl([
        "vouchsafe",
        "approve",
        promotion,
        "--role",
        role,
        "--reason",
        reason,
        "--yes",
        "-n",
        "support-prod",
    ])
}

/// As somebody would type it who stands here.
fn path(example: &Example, part: &str) -> String {
    let full = example.folder().join(part);
    let here = std::env::current_dir().unwrap_or_default();
    full.strip_prefix(here).unwrap_or(&full).display().to_string()
}

fn config_name(text: &str) -> Option<&str> {
    text.split_whitespace()
        .find(|word| word.starts_with("refund-triage-config-"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

fn shorten_soak(example: &Example) -> Result<()> {
    let file = example.folder().join("policies/environments.yaml");
    let text = read(&file)?.replace("soak: 24h", &format!("soak: {SOAK}"));
    write(&file, &text)
}

/// The pipeline's service account, by its token.
async fn pipeline(stage: &Stage) -> Result<User> {
    let create = ["create", "token", "ci", "-n", "support-ci"];
    let token = stage.cluster.admin().kubectl(create).must().await?;
    stage.cluster.bearer("ci", token.trim()).await
}
