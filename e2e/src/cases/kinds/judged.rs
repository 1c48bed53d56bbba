//! The objects of `crates/vouchsafe-api/tests/cases`, which its tests judge by schemas and rules alone: here by the API server itself.

use crate::suite::Context;
use anyhow::{Context as _, Result, bail, ensure};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, PostParams},
    core::{GroupVersionKind, Status},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// One file.
#[derive(Deserialize)]
struct Cases {
    full: Value,
    smallest: Value,
    #[serde(default)]
    accepted: Vec<Value>,
    refused: Vec<Refused>,
    #[serde(default)]
    immutable: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    change: Value,
    says: String,
}

/// What the API server says of every one of them.
pub(super) async fn objects_are_judged(cx: Context) -> Result<()> {
    cx.chart().await?;
    let namespace = cx.governed_namespace("kinds", "prod").await?;
    let (mut judged, mut wrong) = (0, Vec::new());
    for (file, cases) in files()? {
        let judge = Judge::new(&cx, &cases, &namespace)?;
        let changes = cases.accepted.iter().map(|change| changed(&cases.full, change));
        for object in [cases.full.clone(), cases.smallest.clone()].into_iter().chain(changes) {
            judged += 1;
            if let Err(refusal) = judge.create(&object).await? {
                wrong.push(format!("{file}: should be accepted: {object}: {}", refusal.message));
            }
        }
        // What is not in the schema is dropped, not refused, unless the client asks for strictness.
        for case in cases.refused.iter().filter(|case| !case.says.ends_with(" Unknown")) {
            judged += 1;
            let answer = judge.create(&changed(&cases.full, &case.change)).await?;
            wrong.extend(fault(&file, case, &answer));
        }
        for case in &cases.immutable {
            judged += 1;
            let answer = judge.change(&case.change).await?;
            wrong.extend(fault(&file, case, &answer));
        }
        judge.clean_up().await;
    }
    ensure!(judged > 150, "only {judged} objects were judged");
    ensure!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

fn files() -> Result<Vec<(String, Cases)>> {
    let folder = crate::checkout().join("crates/vouchsafe-api/tests/cases");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    ensure!(paths.len() == 8, "{} files for eight kinds", paths.len());
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{name}`"))?;
        let cases = serde_saphyr::from_str(&text).with_context(|| format!("`{name}` is not as cases are"))?;
        Ok((name, cases))
    };
    paths.into_iter().map(read).collect()
}

/// The API of one kind.
struct Judge {
    api: Api<DynamicObject>,
    namespace: Option<String>,
    full: Value,
}

type Answer = Result<(), Status>;

impl Judge {
    fn new(cx: &Context, cases: &Cases, namespace: &str) -> Result<Self> {
        let kind = word(&cases.full, "/kind");
        let gvk = GroupVersionKind::gvk(vouchsafe_api::GROUP, vouchsafe_api::VERSION, kind);
        let plural = match kind {
            "Evidence" => "evidence".to_owned(),
            kind => format!("{}s", kind.to_lowercase()),
        };
        let resource = ApiResource::from_gvk_with_plural(&gvk, &plural);
        let namespaced = cases.full.pointer("/metadata/namespace").is_some();
        let namespace = namespaced.then(|| namespace.to_owned());
        let api = match &namespace {
            Some(namespace) => Api::namespaced_with(cx.client(), namespace, &resource),
            None => Api::all_with(cx.client(), &resource),
        };
        let full = cases.full.clone();
        Ok(Self { api, namespace, full })
    }

    fn object(&self, object: &Value) -> Result<DynamicObject> {
        let mut object: DynamicObject = serde_json::from_value(object.clone()).context("no object")?;
        object.metadata.namespace.clone_from(&self.namespace);
        Ok(object)
    }

    /// What creating it would do.
    async fn create(&self, object: &Value) -> Result<Answer> {
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        answer(self.api.create(&dry, &self.object(object)?).await)
    }

    /// What changing a stored one would do. Where the operator wrote its status meanwhile, it is read anew.
    async fn change(&self, change: &Value) -> Result<Answer> {
        for _ in 0..TRIES {
            match self.change_once(change).await? {
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                judged => return answer(judged),
            }
        }
        bail!("the object changes faster than it can be changed");
    }

    /// Who made it the API server writes.
    async fn change_once(&self, change: &Value) -> Result<kube::Result<DynamicObject>> {
        let name = word(&self.full, "/metadata/name");
        let stored = match self.api.get_opt(name).await? {
            Some(stored) => stored,
            None => {
                let unstamped = json!({"spec": {"by": null, "requestedBy": null}});
                let object = self.object(&changed(&self.full, &unstamped))?;
                self.api.create(&PostParams::default(), &object).await?
            }
        };
        let stored = serde_json::to_value(stored).context("no JSON")?;
        let object = self.object(&changed(&stored, change))?;
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        Ok(self.api.replace(name, &dry, &object).await)
    }

    /// As far as it goes: the namespace goes anyway.
    async fn clean_up(&self) {
        let name = word(&self.full, "/metadata/name");
        let _ = self.api.delete(name, &DeleteParams::default()).await;
    }
}

/// How often an object is read anew.
const TRIES: usize = 20;

/// What cannot be stamped, because it does not even have the shape of its kind: said before the schema is asked.
const SHAPELESS: &str = "failed to convert original object to typed object";

/// What our own policies refuse has passed the schema before.
fn answer<T>(result: kube::Result<T>) -> Result<Answer> {
    match result {
        Ok(_) => Ok(Ok(())),
        Err(kube::Error::Api(status)) if status.message.contains("ValidatingAdmissionPolicy 'vouchsafe-") => Ok(Ok(())),
        Err(kube::Error::Api(status)) if status.code == 422 || status.message.contains(SHAPELESS) => Ok(Err(*status)),
        Err(error) => bail!("the API server does not judge: {error}"),
    }
}

/// What is wrong with an answer, when it should name a field and say something of it.
fn fault(file: &str, case: &Refused, answer: &Answer) -> Option<String> {
    let Err(status) = answer else {
        return Some(format!(
            "{file}: accepted, and should say `{}`: {}",
            case.says, case.change
        ));
    };
    let (field, words) = case.says.split_once(' ').unwrap_or_default();
    let field = if field == "object" { "" } else { field };
    let list = field.split('[').next().unwrap_or_default();
    if status.message.contains(SHAPELESS) && status.message.contains(&format!(".{list}")) {
        return None;
    }
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let mut named = causes.filter(|cause| cause.field.replace("<nil>", "") == field);
    let said = named.any(|cause| cause.reason == format!("FieldValue{words}") || cause.message.contains(words));
    (!said).then(|| format!("{file}: should say `{}`, says: {}", case.says, status.message))
}

fn word<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn changed(object: &Value, change: &Value) -> Value {
    let mut object = object.clone();
    merge(&mut object, change);
    object
}

/// By RFC 7396.
fn merge(into: &mut Value, change: &Value) {
    let Value::Object(fields) = change else {
        *into = change.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Some(object) = into.as_object_mut() else { return };
    for (name, field) in fields {
        if field.is_null() {
            object.remove(name);
        } else {
            merge(object.entry(name).or_insert(Value::Null), field);
        }
    }
}
