//! The operator's metrics, as Prometheus reads them and answers PromQL over them: by its own code.

use crate::{
    program::Run,
    tools::{Progress, Tools},
    web,
};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};

/// The program that is Prometheus for us.
#[derive(Debug, Clone)]
pub struct Metrics {
    program: PathBuf,
}

/// What was exposed at a time, in seconds.
#[derive(Debug, Clone)]
pub struct Scrape {
    /// When.
    pub at: i64,
    /// As it was answered.
    pub text: String,
}

/// What an expression comes to.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    /// The expression.
    pub expression: String,
    /// What is wrong with it, such as a metric or label that is not exposed.
    #[serde(default)]
    pub error: String,
    /// Its series, as of the last scrape.
    pub result: Vec<Sample>,
}

/// A value with its labels.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Metrics {
    /// Builds the program if it is not there.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn prepare() -> Result<Self> {
        let progress: Progress = |program, elapsed| eprintln!("building {program} ({} s)", elapsed.as_secs());
        let program = tokio::task::spawn_blocking(move || Tools::metrics(progress)).await??;
        Ok(Self { program })
    }

    /// What expressions come to over some scrapes, the newest last.
    ///
    /// # Errors
    /// When a scrape is not what Prometheus reads.
    pub async fn ask(&self, scrapes: &[Scrape], expressions: &[String]) -> Result<Vec<Answer>> {
        let scrapes: Vec<Value> = scrapes
            .iter()
            .map(|scrape| json!({"at": scrape.at, "text": scrape.text}))
            .collect();
        let question = json!({"scrapes": scrapes, "expressions": expressions});
        let said = Run::new(&self.program).input(question.to_string()).must().await?;
        serde_json::from_str(&said).context("no answer")
    }
}

/// What somebody exposes now.
///
/// # Errors
/// When nobody answers, or not as OpenMetrics.
pub async fn scrape(address: &str, at: i64) -> Result<Scrape> {
    let answer = web::get(&format!("http://{address}/metrics")).await?;
    let format = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
    ensure!(
        answer.status.as_u16() == 200
            && format.is_some_and(|format| format.starts_with("application/openmetrics-text")),
        "{} {format:?}",
        answer.status
    );
    Ok(Scrape {
        at,
        text: answer.text(),
    })
}
