//! Plans: what is written, in which order, and what never is.

use super::*;
use crate::{
    decision::Enforcement,
    digest::{Digest, ReleaseDigest},
    surface::{ConfigKind, ConfigReference},
};
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn now() -> Timestamp {
    time("2026-06-01T00:00:00Z")
}

pub(super) fn release(number: usize) -> ReleaseDigest {
    ReleaseDigest::v1(Digest::of(number.to_string().as_bytes()))
}

pub(super) fn config(name: &str, present: bool) -> ConfigReference {
    ConfigReference {
        kind: ConfigKind::ConfigMap,
        name: name.to_owned(),
        role: "server".to_owned(),
        optional: !present,
        present,
        immutable: true,
    }
}

/// A pod of an image, that mounts ConfigMaps.
pub(super) fn pod(image: &str, word: &str, maps: &[&str]) -> Value {
    let volumes: Vec<_> = maps
        .iter()
        .map(|name| json!({"name": name, "configMap": {"name": name}}))
        .collect();
    let image = format!("{image}@{}", Digest::of(image.as_bytes()));
    json!({"metadata": {"name": "pod"}, "spec": {"containers": [{"name": "agent", "image": image, "args": [word]}], "volumes": volumes}})
}

pub(super) fn offer(agent: &str, number: usize, pod: &Value, configuration: Vec<ConfigReference>) -> Offered {
    Offered {
        subject: Subject {
            agent: agent.to_owned(),
            role: "server".to_owned(),
            release: release(number),
        },
        profile: Profile::of_pod(pod, &token(), OwnerKind::Plain, Images::Pinned).unwrap(),
        configuration,
    }
}

pub(super) fn cleared(agent: &str, number: usize) -> ClearedRelease {
    ClearedRelease {
        agent: agent.to_owned(),
        release: release(number),
        cleared_at: now()
            .checked_sub((1000 - i64::try_from(number).unwrap()).minutes())
            .unwrap(),
        not_after: time("2026-09-01T00:00:00.75Z"),
        current: true,
        configuration: Vec::new(),
        templates: Vec::new(),
    }
}

pub(super) fn wanted(cleared: Vec<ClearedRelease>, profiles: Vec<Offered>) -> Wanted {
    Wanted {
        environment: "prod".to_owned(),
        namespace_uid: "uid-1".to_owned(),
        enforcement: Enforcement::Hold,
        require_surge: false,
        require_debug: false,
        token: token(),
        cleared,
        profiles,
        grandfathered: Vec::new(),
        grandfather_until: None,
        revoked: [].into(),
        changed: [].into(),
        around: Around::default(),
        waiting: BTreeMap::new(),
        keep_previous: 2,
    }
}

/// The ledger after all writes of a plan, which leaves nothing to write.
pub(super) fn settled(current: Option<&LedgerSpec>, wanted: &Wanted) -> LedgerSpec {
    let plan = plan(current, wanted, now());
    let last = plan
        .grant
        .or(plan.protect)
        .or(plan.withdrawal)
        .or(current.cloned())
        .unwrap();
    let again = super::plan(Some(&last), wanted, now());
    assert_eq!(
        (again.withdrawal, again.protect, again.grant),
        (None, None, None),
        "nothing changed"
    );
    last
}

#[test]
fn a_first_release_is_protected_then_granted() {
    let first = pod("agent", "v1", &["prompts-1"]);
    let mut wanted = wanted(
        vec![cleared("refund", 1)],
        vec![offer(
            "refund",
            1,
            &first,
            vec![config("prompts-1", true), config("extra", false)],
        )],
    );
    wanted.cleared[0].templates = vec![first["spec"].clone()];
    wanted
        .waiting
        .insert("fraud".to_owned(), "waits for\nred-team".to_owned());
    let plan = plan(None, &wanted, now());
    assert_eq!(plan.withdrawal, None);
    assert_eq!(plan.dropped, []);
    let protect = plan.protect.unwrap();
    assert_eq!(
        json!(protect.protected_config),
        json!({"ConfigMap/prompts-1": {"present": true}, "ConfigMap/extra": {"present": false}})
    );
    assert!(
        protect.profiles.is_empty()
            && protect.index.is_empty()
            && protect.releases.is_empty()
            && protect.templates.is_empty()
    );
    assert_eq!(would_hold(&protect, &first, now()), Some(Held::NotCleared));
    let grant = plan.grant.unwrap();
    assert_eq!(would_hold(&grant, &first, now()), None);
    assert_eq!(
        would_hold(&grant, &pod("agent", "v2", &["prompts-1"]), now()),
        Some(Held::NotCleared)
    );
    let end = time("2026-09-01T00:00:00Z");
    assert_eq!(would_hold(&grant, &first, end), Some(Held::Expired(end)));
    assert_eq!(would_hold(&grant, &first, end.checked_sub(1.second()).unwrap()), None);
    assert_eq!(
        template_matches(&grant, &first["spec"], now()).unwrap().release,
        release(1)
    );
    assert_eq!(template_matches(&grant, &first["spec"], end), None);
    assert!(grant.knows(release(1), now()) && !grant.knows(release(1), end) && !grant.knows(release(2), now()));
    assert!(grant.is_of("prod", "uid-1") && !grant.is_of("prod", "uid-2") && !grant.is_of("staging", "uid-1"));
    assert_eq!(grant.waiting["fraud"], "waits for red-team");
    assert_eq!(settled(None, &wanted), grant);
    assert_eq!(serde_json::from_value::<LedgerSpec>(json!(grant)).unwrap(), grant);
}

/// The JSON that policies read.
#[test]
fn the_ledger_s_json_is_that_of_the_file() {
    let stateful = Stored::of("statefulset");
    let mut wanted = wanted(vec![cleared("refund", 1)], Vec::new());
    let subject = Subject {
        agent: "refund".to_owned(),
        role: "server".to_owned(),
        release: release(1),
    };
    wanted.profiles.push(Offered {
        subject,
        profile: stateful.profile(0),
        configuration: vec![config("prompts-abc12", true), config("extra", false)],
    });
    wanted.cleared[0].templates = vec![stateful.workload["spec"]["template"]["spec"].clone()];
    wanted
        .waiting
        .insert("fraud".to_owned(), "waits for red-team".to_owned());
    golden("ledger.json", &json!(settled(None, &wanted)));
}

#[test]
fn what_has_to_go_goes_first_and_alone() {
    let (one, two) = (pod("agent", "v1", &["prompts-1"]), pod("agent", "v2", &["prompts-2"]));
    let both = wanted(
        vec![cleared("refund", 1), cleared("refund", 2)],
        vec![
            offer("refund", 1, &one, vec![config("prompts-1", true)]),
            offer("refund", 2, &two, vec![config("prompts-2", true)]),
        ],
    );
    let ledger = settled(None, &both);
    let three = pod("agent", "v3", &["prompts-3"]);
    let next = wanted(
        vec![cleared("refund", 2), cleared("refund", 3)],
        vec![offer("refund", 3, &three, vec![config("prompts-3", true)])],
    );
    let plan = plan(Some(&ledger), &next, now());
    let withdrawal = plan.withdrawal.unwrap();
    assert_eq!(would_hold(&withdrawal, &one, now()), Some(Held::NotCleared));
    assert_eq!(would_hold(&withdrawal, &two, now()), None);
    assert_eq!(would_hold(&withdrawal, &three, now()), Some(Held::NotCleared));
    assert_eq!(
        withdrawal.protected_config, ledger.protected_config,
        "protection only ends when nothing needs it"
    );
    let protect = plan.protect.unwrap();
    assert_eq!(protect.profiles, withdrawal.profiles);
    assert_eq!(
        protect.protected_config.keys().collect::<Vec<_>>(),
        ["ConfigMap/prompts-2", "ConfigMap/prompts-3"]
    );
    let grant = plan.grant.unwrap();
    assert_eq!(would_hold(&grant, &three, now()), None);
    assert_eq!(would_hold(&grant, &one, now()), Some(Held::NotCleared));
    assert!(!grant.protected_config.contains_key("ConfigMap/prompts-1"));
}

/// A profile stays without being offered again, and follows its release's end.
#[test]
fn a_renewal_keeps_profiles_and_a_shorter_end_is_a_withdrawal() {
    let one = pod("agent", "v1", &["prompts-1"]);
    let mut asked = wanted(
        vec![cleared("refund", 1)],
        vec![offer("refund", 1, &one, vec![config("prompts-1", true)])],
    );
    let ledger = settled(None, &asked);
    asked.profiles.clear();
    let again = plan(Some(&ledger), &asked, now());
    assert_eq!((again.withdrawal, again.protect, again.grant), (None, None, None));
    let key = ledger.profiles.keys().next().unwrap();
    asked.cleared[0].not_after = time("2027-01-01T00:00:00Z");
    let longer = plan(Some(&ledger), &asked, now());
    assert_eq!((longer.withdrawal, longer.protect), (None, None));
    let longer = longer.grant.unwrap();
    assert_eq!(longer.profiles[key].not_after, time("2027-01-01T00:00:00Z"));
    assert_eq!(longer.protected_config, ledger.protected_config);
    asked.cleared[0].not_after = time("2026-07-01T00:00:00Z");
    let shorter = plan(Some(&longer), &asked, now());
    assert_eq!(
        shorter.withdrawal.unwrap().profiles[key].not_after,
        time("2026-07-01T00:00:00Z")
    );
    assert_eq!((shorter.protect, shorter.grant), (None, None));
    let past = plan(Some(&longer), &asked, time("2026-07-01T00:00:00Z"));
    assert!(past.withdrawal.unwrap().profiles.is_empty());
}

#[test]
fn only_the_last_releases_are_kept() {
    let pods: Vec<_> = (1..=5).map(|number| pod("agent", &format!("v{number}"), &[])).collect();
    let releases = || (1..=5).map(|number| cleared("refund", number)).collect::<Vec<_>>();
    let offers = pods
        .iter()
        .enumerate()
        .map(|(index, pod)| offer("refund", index + 1, pod, Vec::new()))
        .collect();
    let ledger = settled(None, &wanted(releases(), offers));
    let mut asked = wanted(releases(), Vec::new());
    for release in &mut asked.cleared {
        release.current = release.release == release_of(2);
    }
    let ledger = settled(Some(&ledger), &asked);
    let runs: Vec<_> = pods
        .iter()
        .map(|pod| would_hold(&ledger, pod, now()).is_none())
        .collect();
    assert_eq!(
        runs,
        [false, true, false, true, true],
        "the current one and the last two beside it"
    );
}

fn release_of(number: usize) -> ReleaseDigest {
    release(number)
}

#[test]
fn a_ledger_of_another_namespace_grants_nothing() {
    let one = pod("agent", "v1", &[]);
    let asked = wanted(vec![cleared("refund", 1)], vec![offer("refund", 1, &one, Vec::new())]);
    let ledger = settled(None, &asked);
    let mut moved = wanted(vec![cleared("refund", 1)], Vec::new());
    moved.environment = "staging".to_owned();
    let plan = plan(Some(&ledger), &moved, now());
    let withdrawal = plan.withdrawal.unwrap();
    assert!(withdrawal.profiles.is_empty() && withdrawal.index.is_empty() && withdrawal.releases.is_empty());
    assert_eq!(withdrawal.environment, "prod");
    let grant = plan.grant.unwrap();
    assert!(grant.profiles.is_empty(), "cleared there, not here");
    assert_eq!(grant.environment, "staging");
}

/// Configuration whose content changed, or that is there now and was not: what refers to it goes.
#[test]
fn changed_configuration_withdraws_what_is_made_of_it() {
    let (one, two) = (
        pod("agent", "v1", &["prompts", "extra"]),
        pod("agent", "v2", &["other"]),
    );
    let asked = wanted(
        vec![cleared("refund", 1), cleared("refund", 2)],
        vec![
            offer("refund", 1, &one, vec![config("prompts", true), config("extra", false)]),
            offer("refund", 2, &two, vec![config("other", true)]),
        ],
    );
    let ledger = settled(None, &asked);
    let runs = |ledger: &LedgerSpec| [&one, &two].map(|pod| would_hold(ledger, pod, now()).is_none());
    assert_eq!(runs(&ledger), [true, true]);
    let mut changed = wanted(asked.cleared.clone(), Vec::new());
    changed.changed.insert("ConfigMap/prompts".to_owned());
    let plan_ = plan(Some(&ledger), &changed, now());
    assert_eq!(runs(&plan_.withdrawal.unwrap()), [false, true]);
    assert_eq!(plan_.dropped.len(), 1);
    assert!(
        plan_.dropped[0]
            .to_string()
            .starts_with("ConfigurationChanged: a profile of agent `refund`, role `server`, release v1:"),
        "{:?}",
        plan_.dropped
    );
    assert!(
        plan_.dropped[0]
            .to_string()
            .ends_with("the content of ConfigMap/prompts is not what was cleared")
    );
    let mut appeared = wanted(vec![cleared("refund", 1), cleared("refund", 2)], Vec::new());
    appeared.cleared[1].configuration = vec![config("extra", true)];
    let plan_ = plan(Some(&ledger), &appeared, now());
    assert_eq!(
        runs(&plan_.withdrawal.unwrap()),
        [false, true],
        "what has to stay absent is there"
    );
    assert!(plan_.protect.unwrap().protected_config["ConfigMap/extra"].present);
    changed.profiles = asked.profiles.clone();
    let offered = plan(Some(&ledger), &changed, now());
    assert_eq!(
        (offered.withdrawal, offered.protect, offered.grant),
        (None, None, None),
        "read again, and found the same"
    );
}

#[test]
fn what_ran_when_enforcement_began_runs_until_the_date() {
    let (old, tagged) = (pod("old", "v1", &["prompts"]), "legacy:1");
    let mut tagged_pod = pod("tagged", "v1", &[]);
    tagged_pod["spec"]["containers"][0]["image"] = json!(tagged);
    let subject = |number| Subject {
        agent: "legacy".to_owned(),
        role: "server".to_owned(),
        release: release(number),
    };
    let profile = |pod: &Value| Some(Profile::of_pod(pod, &token(), OwnerKind::Plain, Images::AsTheyAre).unwrap());
    let mut asked = wanted(Vec::new(), Vec::new());
    asked.grandfathered = vec![
        Grandfathered {
            subject: subject(1),
            profile: profile(&old),
            template: Some(old["spec"].clone()),
            configuration: vec![config("prompts", true)],
        },
        Grandfathered {
            subject: subject(2),
            profile: profile(&tagged_pod),
            template: None,
            configuration: Vec::new(),
        },
    ];
    assert!(settled(None, &asked).profiles.is_empty(), "no date, no favour");
    let until = time("2027-01-31T00:00:00Z");
    asked.grandfather_until = Some(until);
    let ledger = settled(None, &asked);
    let runs = |ledger: &LedgerSpec| [&old, &tagged_pod].map(|pod| would_hold(ledger, pod, now()).is_none());
    assert_eq!(runs(&ledger), [true, true]);
    assert_eq!(would_hold(&ledger, &old, until), Some(Held::Expired(until)));
    assert_eq!(ledger.protected_config.len(), 1);
    assert!(ledger.releases.is_empty(), "nobody cleared it");
    assert!(template_matches(&ledger, &old["spec"], now()).is_some());
    // From now on the ledger itself has it.
    asked.grandfathered.clear();
    assert_eq!(settled(Some(&ledger), &asked), ledger);
    asked.revoked.insert(release(2));
    assert_eq!(runs(&settled(Some(&ledger), &asked)), [true, false]);
    // Cleared once and not any more: that is no grandfather's right.
    asked.cleared = vec![cleared("legacy", 1)];
    let cleared_once = settled(Some(&ledger), &asked);
    assert_eq!(
        cleared_once.profiles.values().map(|entry| entry.not_after).max(),
        Some(time("2026-09-01T00:00:00Z"))
    );
    asked.cleared.clear();
    assert_eq!(runs(&settled(Some(&cleared_once), &asked)), [false, false]);
    assert_eq!(
        would_hold(&LedgerSpec::default(), &tagged_pod, now()),
        Some(Held::ImageNotPinned("legacy:1".to_owned()))
    );
    asked.grandfather_until = None;
    assert!(settled(Some(&ledger), &asked).profiles.is_empty());
}

#[test]
fn a_full_ledger_says_so_and_still_withdraws() {
    let pods: Vec<_> = (0..300)
        .map(|number| pod(&format!("agent-{}", number / 40), &format!("v{number}"), &[]))
        .collect();
    let offers: Vec<_> = pods.iter().map(|pod| offer("refund", 1, pod, Vec::new())).collect();
    let asked = wanted(vec![cleared("refund", 1)], offers);
    let plan_ = plan(None, &asked, now());
    let ledger = plan_.grant.unwrap();
    let granted: Vec<_> = pods
        .iter()
        .map(|pod| would_hold(&ledger, pod, now()).is_none())
        .collect();
    let expected: Vec<_> = (0..300).map(|number| number % 40 < 32).collect();
    assert_eq!(granted[..256], expected[..256], "32 of an image, the first ones");
    assert_eq!(ledger.profiles.len(), 7 * 32 + 20);
    assert_eq!(plan_.dropped.len(), 17);
    assert!(
        plan_.dropped[0]
            .to_string()
            .starts_with("LedgerFull: a profile of agent `refund`, role `server`, release v1:"),
        "{:?}",
        plan_.dropped[0]
    );
    assert!(
        plan_.dropped[0]
            .to_string()
            .contains("the ledger holds 32 profiles of `agent-0@sha256:"),
        "{:?}",
        plan_.dropped[0]
    );
    assert_eq!(plan_.dropped[16].to_string(), "LedgerFull: and 40 more");
    let wide: Vec<_> = (0..300)
        .map(|number| pod(&format!("image-{number}"), "v", &[]))
        .collect();
    let more = wanted(
        vec![cleared("refund", 1)],
        wide.iter().map(|pod| offer("refund", 1, pod, Vec::new())).collect(),
    );
    let full = plan(Some(&ledger), &more, now());
    assert_eq!(full.withdrawal, None, "what is there stays");
    let full_ledger = full.grant.unwrap();
    assert_eq!(full_ledger.profiles.len(), MAX_PROFILES);
    assert!(
        full.dropped[0]
            .to_string()
            .ends_with("the ledger holds 256 profiles already"),
        "{:?}",
        full.dropped[0]
    );
    let none = plan(Some(&full_ledger), &wanted(Vec::new(), Vec::new()), now());
    assert!(none.withdrawal.unwrap().profiles.is_empty());
}

/// The largest pods, as many as there may be: the bytes are the bound, and a revocation is a small write (D70).
#[test]
fn the_bytes_are_bounded() {
    let word = "x".repeat(100 * 1024);
    let pods: Vec<_> = (0..12)
        .map(|number| pod(&format!("agent-{number}"), &format!("{number}{word}"), &[]))
        .collect();
    let releases: Vec<_> = (0..12)
        .map(|number| cleared(&format!("agent-{number}"), number))
        .collect();
    let offers = pods
        .iter()
        .enumerate()
        .map(|(number, pod)| offer(&format!("agent-{number}"), number, pod, Vec::new()))
        .collect();
    let mut asked = wanted(releases, offers);
    asked.waiting = (0..100)
        .map(|number| (format!("agent-{number}"), "é\"\n".repeat(200)))
        .collect();
    let plan_ = plan(None, &asked, now());
    let ledger = plan_.grant.unwrap();
    let size = |ledger: &LedgerSpec| serde_json::to_vec(ledger).unwrap().len();
    assert!((800 * 1024..=MAX_BYTES).contains(&size(&ledger)), "{}", size(&ledger));
    assert_eq!(ledger.profiles.len(), 8);
    assert!(
        plan_.dropped[0]
            .to_string()
            .contains(&format!("at most {MAX_BYTES} are written")),
        "{:?}",
        plan_.dropped[0]
    );
    assert!(
        ledger.waiting.len() <= MAX_WAITING
            && ledger
                .waiting
                .values()
                .all(|line| line.chars().count() <= MAX_EXPLANATION)
    );
    let mut revoked = asked.clone();
    revoked.cleared.remove(0);
    let next = plan(Some(&ledger), &revoked, now());
    let withdrawal = next.withdrawal.unwrap();
    assert_eq!(would_hold(&withdrawal, &pods[0], now()), Some(Held::NotCleared));
    assert!(size(&withdrawal) < size(&ledger));
    assert_eq!(next.grant.unwrap().profiles.len(), 8, "there is room for one more");
}

/// A tenant's thousand objects do not keep others out: the release that needs them is left out.
#[test]
fn protected_configuration_is_bounded() {
    let names: Vec<_> = (0..MAX_PROTECTED).map(|number| format!("map-{number}")).collect();
    let mut greedy = cleared("greedy", 1);
    greedy.configuration = names.iter().map(|name| config(name, true)).collect();
    let mut modest = cleared("modest", 2);
    modest.configuration = vec![config("prompts", true)];
    let one = pod("agent", "v1", &["prompts"]);
    let asked = wanted(
        vec![modest.clone(), greedy.clone()],
        vec![offer("modest", 2, &one, modest.configuration.clone())],
    );
    let first = plan(None, &asked, now());
    assert!(
        first.dropped[0].to_string().contains("release v1:")
            && first.dropped[0]
                .to_string()
                .contains("would protect 1025 objects, at most 1024 are allowed"),
        "{:?}",
        first.dropped
    );
    let known = settled(None, &wanted(vec![modest.clone()], asked.profiles.clone()));
    let ledger = settled(Some(&known), &asked);
    assert_eq!(would_hold(&ledger, &one, now()), None, "what is there goes first");
}

/// What ran when enforcement began, of no agent, as the operator takes it in.
fn ran(profile: Option<&Value>, template: Option<&Value>, maps: &[&str]) -> Grandfathered {
    let number = usize::from(profile.is_some());
    Grandfathered {
        subject: Subject {
            agent: String::new(),
            role: String::new(),
            release: release(number),
        },
        profile: profile.map(|pod| Profile::of_pod(pod, &token(), OwnerKind::Plain, Images::AsTheyAre).unwrap()),
        template: template.map(|pod| pod["spec"].clone()),
        configuration: maps.iter().map(|name| config(name, true)).collect(),
    }
}

#[test]
fn what_ran_before_is_known_in_spite_of_what_means_nothing() {
    let (runs, rests) = (pod("runs", "v1", &["prompts"]), pod("rests", "v1", &["jobs"]));
    let until = time("2027-01-31T00:00:00Z");
    let mut asked = wanted(Vec::new(), Vec::new());
    asked.grandfather_until = Some(until);
    asked.grandfathered = vec![ran(Some(&runs), None, &["prompts"]), ran(None, Some(&rests), &["jobs"])];
    let ledger = settled(None, &asked);
    let protected: Vec<_> = ledger.protected_config.keys().map(String::as_str).collect();
    assert_eq!(
        protected,
        ["ConfigMap/jobs", "ConfigMap/prompts"],
        "of what has no pod, too"
    );
    asked.grandfathered.clear();
    assert_eq!(settled(Some(&ledger), &asked), ledger);

    let profile = |pod: &Value| Profile::of_pod(pod, &token(), OwnerKind::Plain, Images::AsTheyAre).unwrap();
    let known = |pod: &Value, now| {
        [
            ran_before(&ledger, &profile(pod), None, now),
            ran_before(&ledger, &profile(pod), Some(&pod["spec"]), now),
            template_ran_before(&ledger, &pod["spec"], now),
        ]
    };
    let with = |pod: &Value, at: &str, value: Value| {
        let mut changed = pod.clone();
        changed["spec"]["containers"][0][at] = value;
        changed
    };
    let larger = json!({"limits": {"cpu": "2"}});
    assert_eq!(
        known(&with(&runs, "resources", larger.clone()), now()),
        [true, true, false]
    );
    assert_eq!(known(&with(&rests, "resources", larger), now()), [false, true, true]);
    for at in ["args", "command"] {
        assert_eq!(known(&with(&runs, at, json!(["v2"])), now()), [false; 3], "{at}");
        assert_eq!(known(&with(&rests, at, json!(["v2"])), now()), [false; 3], "{at}");
    }
    assert_eq!(known(&pod("runs", "v1", &["prompts-2"]), now()), [false; 3]);
    assert_eq!(known(&runs, until), [false; 3], "the date has come");

    // Who reads its own labels is known by them: a template has none.
    let reads = |word: &str| {
        let field = json!([{"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['prompt']"}}}]);
        let mut pod = with(&rests, "env", field);
        pod["metadata"]["labels"] = json!({"prompt": word});
        pod
    };
    let (kind, cruel) = (reads("be kind"), reads("be cruel"));
    asked.grandfathered = vec![ran(Some(&kind), Some(&kind), &[])];
    let ledger = settled(None, &asked);
    let known = |pod: &Value| ran_before(&ledger, &profile(pod), Some(&pod["spec"]), now());
    assert_eq!([known(&kind), known(&cruel)], [true, false]);

    // What an agent was cleared as, and what the Environment exempts, is no grandfather's.
    let mut cleared_ = asked.clone();
    cleared_.cleared = vec![ClearedRelease {
        agent: String::new(),
        ..cleared("", 1)
    }];
    let ledger = settled(None, &cleared_);
    assert!(would_hold(&ledger, &kind, now()).is_none());
    assert!(!ran_before(&ledger, &profile(&kind), Some(&kind["spec"]), now()));
}
