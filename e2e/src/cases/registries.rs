//! The registries and cosign, as the cases about signatures need them.

use crate::suite::{Case, Context};
use anyhow::{Result, ensure};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "a signature is a referrer where the registry has the API",
            signed_as_referrer,
        ),
        Case::new(
            &[],
            "a signature has a fallback tag where it has not",
            signed_by_fallback_tag,
        ),
    ]
}

async fn signed_as_referrer(cx: Context) -> Result<()> {
    let registry = cx.registry().await?;
    let repository = cx.name("agent");
    let image = registry.push(&repository, "referrer").await?;
    sign_and_verify(&cx, &image).await?;
    let digest = digest_of(&image)?;
    let referrers = format!("http://{}/v2/{repository}/referrers/{digest}", registry.address());
    let answer = crate::web::get(&referrers).await?.text();
    ensure!(
        answer.contains("https://sigstore.dev/cosign/sign/v1"),
        "no signature among the referrers: {answer}"
    );
    ensure!(
        registry.tags(&repository).await?.is_empty(),
        "a fallback tag beside the referrers API"
    );
    Ok(())
}

async fn signed_by_fallback_tag(cx: Context) -> Result<()> {
    let registry = cx.registry_without_referrers().await?;
    let repository = cx.name("agent");
    let image = registry.push(&repository, "fallback").await?;
    sign_and_verify(&cx, &image).await?;
    let tag = digest_of(&image)?.replace(':', "-");
    let tags = registry.tags(&repository).await?;
    ensure!(tags == [tag], "the tags are {tags:?}");
    Ok(())
}

async fn sign_and_verify(cx: &Context, image: &str) -> Result<()> {
    let cosign = cx.cosign().await?;
    let (keys, others) = (
        cosign.keys(&cx.name("keys")).await?,
        cosign.keys(&cx.name("others")).await?,
    );
    cosign.sign(&keys, image).await?;
    cosign.verify(&keys, image).await?;
    ensure!(
        cosign.verify(&others, image).await.is_err(),
        "verified by a key that did not sign"
    );
    Ok(())
}

fn digest_of(image: &str) -> Result<&str> {
    image
        .split_once('@')
        .map(|(_, digest)| digest)
        .ok_or_else(|| anyhow::anyhow!("no digest in `{image}`"))
}
