//! What somebody is about to vouch for.

use crate::cli::{
    Failure, changes,
    cluster::Cluster,
    diff::{Side, cleared, side, texts},
    digest::field,
    screen::{Screen, Style},
    verdict,
};
use vouchsafe_api::{Promotion, promotion::status::Outcome};

/// Prints the release, what is known against it, and what changed since what is cleared.
pub(super) async fn print(promotion: &Promotion, cluster: &Cluster, screen: &mut Screen) -> Result<(), Failure> {
    let spec = &promotion.spec;
    let name = promotion.metadata.name.as_deref().unwrap_or_default();
    screen.pieces(&[(Style::Plain, "Promotion "), (Style::Bold, name)]);
    field(screen, "agent", &spec.agent);
    field(screen, "environment", &spec.environment);
    field(screen, "release", &spec.release.to_string());
    let requester = spec
        .requested_by
        .as_ref()
        .map_or("(the operator)", |stamp| stamp.username.as_str());
    field(screen, "asked by", requester);
    field(screen, "verdict", verdict::word(verdict::of(promotion)));
    for check in promotion
        .status
        .iter()
        .flat_map(|status| &status.checks)
        .filter(|check| check.outcome != Outcome::Pass)
    {
        let words = format!("  {} {}: {}", check.outcome, check.check, check.message);
        screen.styled(verdict::outcome_style(check.outcome), &words);
    }
    let before = cleared(&spec.agent, Some(name), cluster).await?;
    let after = side(promotion, texts(cluster).await?)?;
    match &before {
        Some(before) => screen.line(&format!("Changes since {}:", before.title)),
        None => screen.line("Nothing of this agent is cleared here yet. It is made of:"),
    }
    let nothing = Side::default();
    changes::print(
        &before.as_ref().unwrap_or(&nothing).surface,
        &after.surface,
        &after.texts,
        screen,
    );
    Ok(())
}
