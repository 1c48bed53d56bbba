//! Where requests may go (D48).

use crate::{Content, Server, Signer, allowed, authority, content::Serves, server::Reply, settings, signatures};
use std::collections::BTreeMap;
use vouchsafe_evidence::{
    credentials::Credentials,
    registry::{Client, RegistryOptions, Settings},
    signature::{SignatureReport, SignatureState, image_signatures},
};

async fn at(
    place: &str,
    registries: BTreeMap<String, RegistryOptions>,
    content: &Content,
    signer: &Signer,
) -> SignatureReport {
    let client = Client::new(Settings {
        registries,
        ..Settings::default()
    })
    .unwrap();
    let image = format!("{place}/team/agent@{}", content.image).parse().unwrap();
    image_signatures(
        &client,
        &image,
        &Credentials::anonymous(),
        &[authority("release", &[signer])],
    )
    .await
}

#[tokio::test]
async fn no_address_inside_is_asked_unless_the_settings_name_the_registry() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let served = content.clone();
    let server = Server::start(move |asked| served.reply(asked)).await;
    let port = server.port();
    let plain = RegistryOptions {
        plain_http: true,
        ..RegistryOptions::default()
    };
    for (place, address) in [
        (format!("127.0.0.1:{port}"), "127.0.0.1"),
        (format!("localhost:{port}"), ""),
        (format!("[::1]:{port}"), "::1"),
        (format!("[::ffff:127.0.0.1]:{port}"), "::ffff:127.0.0.1"),
        ("10.96.0.1".to_owned(), "10.96.0.1"),
        ("169.254.169.254".to_owned(), "169.254.169.254"),
        (format!("0.0.0.0:{port}"), "0.0.0.0"),
    ] {
        // Plain HTTP alone does not open the inside; nor does another registry there.
        for registries in [
            BTreeMap::new(),
            BTreeMap::from([(place.clone(), plain.clone())]),
            BTreeMap::from([("127.0.0.1:1".to_owned(), allowed())]),
        ] {
            let report = at(&place, registries, &content, &signer).await;
            assert_eq!(
                (report.state, report.transient),
                (SignatureState::CannotTell, false),
                "{place}: {report:?}"
            );
            let reason = format!("has the address {address}");
            assert!(report.detail.contains(reason.trim_end()), "{place}: {}", report.detail);
        }
    }
    assert_eq!(server.connections(), 0);
    let place = format!("localhost:{port}");
    let report = at(&place, BTreeMap::from([(place.clone(), allowed())]), &content, &signer).await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
}

#[tokio::test]
async fn a_redirect_opens_nothing_that_was_closed() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let served = content.clone();
    let inside = Server::start(move |asked| served.reply(asked)).await;
    for (target, reason) in [
        (inside.url("/x"), "the settings do not allow plain HTTP there"),
        (
            format!("https://{}/x", inside.place()),
            "has the address 127.0.0.1, which only",
        ),
        (
            format!("https://localhost:{}/x", inside.port()),
            "which only a registry allowed by the operator's settings may have",
        ),
        (
            "http://169.254.169.254/latest/meta-data".to_owned(),
            "the settings do not allow plain HTTP there",
        ),
        ("https://169.254.169.254/".to_owned(), "has the address 169.254.169.254"),
        (
            "https://[::ffff:10.0.0.1]/".to_owned(),
            "has the address ::ffff:10.0.0.1",
        ),
        (
            "https://kubernetes.default.svc.localhost/".to_owned(),
            "`kubernetes.default.svc.localhost`",
        ),
    ] {
        let moved = content.clone().answer(&content.at_image(), Reply::redirect(&target));
        let server = Server::start(move |asked| moved.reply(asked)).await;
        let report = signatures(settings(&[&server]), &server, &content, &signer).await;
        assert_eq!(report.state, SignatureState::CannotTell, "{target}");
        assert!(report.detail.contains(reason), "{target}: {}", report.detail);
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn nobody_there_is_cannot_tell_for_now() {
    let signer = Signer::p256();
    let content = Content::unsigned(Serves::Api);
    let place = Server::start(|_| Reply::status(404)).await.place();
    let report = at(&place, BTreeMap::from([(place.clone(), allowed())]), &content, &signer).await;
    assert_eq!((report.state, report.transient), (SignatureState::CannotTell, true));
    assert!(report.detail.contains("cannot be reached: "), "{}", report.detail);
}
