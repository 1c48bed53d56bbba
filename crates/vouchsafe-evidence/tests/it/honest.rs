//! Registries that serve well.

use crate::{
    Content, Server, Signer, authority,
    content::{BASE, INDEX, Serves},
    mint::{self, SIGN},
    reference,
    server::Reply,
    settings, signatures,
};
use vouchsafe_core::digest::Digest;
use vouchsafe_evidence::{
    credentials::Credentials,
    registry::{Client, RegistryError},
    signature::{SignatureState, image_signatures},
};

#[tokio::test]
async fn a_signature_is_found_wherever_cosign_puts_it() {
    let signer = Signer::p256();
    let by_tag = || Content::signed(Serves::Tag, &signer);
    let by_api = || Content::signed(Serves::Api, &signer);
    let mut charset = by_api();
    let list = match charset.reply(&get(&charset.api())) {
        Reply::Whole(200, _, body) => Reply::ok(&format!("{INDEX}; charset=utf-8"), body),
        other => panic!("{other:?}"),
    };
    charset = {
        let api = charset.api();
        charset.answer(&api, list)
    };
    for (name, content) in [
        ("referrers API", by_api()),
        ("with a charset", charset),
        ("fallback tag", by_tag()),
        ("fallback tag, 400", {
            let c = by_tag();
            let api = c.api();
            c.answer(&api, Reply::status(400))
        }),
        ("fallback tag, 405", {
            let c = by_tag();
            let api = c.api();
            c.answer(&api, Reply::status(405))
        }),
        ("fallback tag, page for people", {
            let c = by_tag();
            let api = c.api();
            c.answer(&api, Reply::ok("text/html", "<html>"))
        }),
        ("older form", Content::signed_older(&signer)),
    ] {
        let served = content.clone();
        let server = Server::start(move |asked| served.reply(asked)).await;
        let report = signatures(settings(&[&server]), &server, &content, &signer).await;
        assert_eq!(
            (report.state, report.complete, report.detail.as_str()),
            (SignatureState::Verified, true, "signed by `release`"),
            "{name}"
        );
        assert_eq!(report.keys.len(), 1, "{name}");
        assert_eq!(report.distinct(), 1, "{name}");
        let other = signatures(settings(&[&server]), &server, &content, &Signer::p256()).await;
        assert_eq!(
            (other.state, other.complete, other.detail.as_str()),
            (
                SignatureState::NotSigned,
                true,
                "no signature by a key of `release` was found; found: 1 signed by another key"
            ),
            "{name}"
        );
        assert!(
            server
                .asked()
                .iter()
                .all(|asked| asked.method == "GET" && asked.authorization().is_none())
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_signed() {
    let signer = Signer::p256();
    for (serves, present, detail) in [
        (Serves::Api, true, "no signature by a key of `release` was found"),
        (Serves::Tag, true, "no signature by a key of `release` was found"),
        (Serves::Api, false, "the registry has no such image"),
    ] {
        let mut content = Content::unsigned(serves);
        if !present {
            content.image = Digest::of(b"another");
        }
        let served = content.clone();
        let server = Server::start(move |asked| served.reply(asked)).await;
        let report = signatures(settings(&[&server]), &server, &content, &signer).await;
        assert_eq!(
            (report.state, report.complete, report.transient, report.detail.as_str()),
            (SignatureState::NotSigned, true, false, detail)
        );
    }
}

/// The signature of an index is none of its children, and the other way round; another image's signature is moved here in vain.
#[tokio::test]
async fn a_signature_counts_for_exactly_the_named_digest() {
    let signer = Signer::p256();
    let mut content = Content::unsigned(Serves::Api);
    content.attach(&signer.statement(&Digest::of(b"the index").to_string(), SIGN));
    content.attach(&signer.statement(&content.image.to_string(), "https://slsa.dev/provenance/v1"));
    let payload = mint::simple(&Digest::of(b"the index").to_string()).to_string();
    content.sign_older(&[signer.sign(payload.as_bytes())], &payload);
    let served = content.clone();
    let server = Server::start(move |asked| served.reply(asked)).await;
    let report = signatures(settings(&[&server]), &server, &content, &signer).await;
    assert_eq!((report.state, report.complete), (SignatureState::NotSigned, true));
    assert_eq!(
        report.detail,
        "no signature by a key of `release` was found; found: 1 an attestation (\"https://slsa.dev/provenance/v1\") and not a signature, 2 a signature of another image"
    );
}

#[tokio::test]
async fn several_authorities_are_looked_for_in_every_place() {
    let (bundled, older, shared, absent) = (Signer::p256(), Signer::rsa(), Signer::p384(), Signer::p256());
    let mut content = Content::signed(Serves::Api, &bundled);
    content.attach(&shared.message(&content.manifest.clone()));
    let payload = mint::simple(&content.image.to_string()).to_string();
    content.sign_older(&[absent.sign(b"x"), older.sign(payload.as_bytes())], &payload);
    let authorities = [
        authority("a", &[&bundled]),
        authority("b", &[&older]),
        authority("c", &[&shared]),
        authority("d", &[&absent, &shared]),
        authority("e", &[&absent]),
    ];
    let served = content.clone();
    let server = Server::start(move |asked| served.reply(asked)).await;
    let client = Client::new(settings(&[&server])).unwrap();
    let report = image_signatures(
        &client,
        &reference(&server, &content),
        &Credentials::anonymous(),
        &authorities,
    )
    .await;
    assert_eq!(report.verified.into_iter().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    assert_eq!((report.keys.len(), report.complete), (3, true));
    assert!(
        report.detail.starts_with("signed by `a`, `b`, `c`, `d`, not by `e`"),
        "{}",
        report.detail
    );
}

/// A plain signature over other JSON, such as one of the older form, says nothing about an image.
#[tokio::test]
async fn a_plain_signature_counts_over_a_manifest_only() {
    let signer = Signer::p256();
    let older = mint::simple(&Digest::of(b"x").to_string()).to_string();
    for (manifest, is_image) in [
        (r#"{"schemaVersion":2,"manifests":[]}"#, true),
        (
            r#"{"schemaVersion":2,"config":{"digest":"x","size":1},"layers":[]}"#,
            true,
        ),
        (older.as_str(), false),
        ("{}", false),
        (r#"{"schemaVersion":2}"#, false),
        (r#"{"schemaVersion":2,"layers":[]}"#, false),
        (r#"{"schemaVersion":2,"config":{"digest":"x","size":1}}"#, false),
        (r#"{"schemaVersion":1,"manifests":[]}"#, false),
        (r#"{"manifests":[]}"#, false),
        (r#"[2,null,null,[]]"#, false),
        ("not JSON", false),
    ] {
        let mut content = Content::of(Serves::Api, manifest.as_bytes());
        content.attach(&signer.message(manifest.as_bytes()));
        let served = content.clone();
        let server = Server::start(move |asked| served.reply(asked)).await;
        let report = signatures(settings(&[&server]), &server, &content, &signer).await;
        let (state, detail) = match is_image {
            true => (SignatureState::Verified, "signed by `release`"),
            false => (
                SignatureState::NotSigned,
                "no signature by a key of `release` was found; found: 1 malformed (what it is attached to is no image)",
            ),
        };
        assert_eq!((report.state, report.detail.as_str()), (state, detail), "{manifest}");
    }
}

#[tokio::test]
async fn a_tag_is_resolved_by_content() {
    let content = Content::unsigned(Serves::Api);
    let tag = format!("{BASE}/manifests/1.0");
    let lying = Reply::ok("x", content.manifest.clone()).with("docker-content-digest", &Digest::of(b"lie").to_string());
    let served = content.clone().answer(&tag, lying);
    let server = Server::start(move |asked| served.reply(asked)).await;
    let client = Client::new(settings(&[&server])).unwrap();
    let image = format!("{}/team/agent:1.0", server.place()).parse().unwrap();
    let pinned = client.resolve(&image, &Credentials::anonymous()).await.unwrap();
    assert_eq!(pinned, reference(&server, &content));
    let bytes = client.manifest(&pinned, &Credentials::anonymous()).await.unwrap();
    assert_eq!(bytes, content.manifest);
    let image = format!("{}/team/agent:2.0", server.place()).parse().unwrap();
    let error = client.resolve(&image, &Credentials::anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotThere { .. }), "{error}");
}

fn get(path: &str) -> crate::server::Asked {
    crate::server::Asked {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: Default::default(),
        body: String::new(),
    }
}
