//! Certificates: a registry's own authority counts for that registry, and nobody else's does.

use crate::{Content, Server, Signer, content::Serves, server::Reply, signatures};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::sync::Arc;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};
use vouchsafe_evidence::{
    registry::{RegistryOptions, Settings},
    signature::SignatureState,
};

/// A certificate authority, and a server's acceptor with a certificate by it for `127.0.0.1`.
fn authority(name: &str) -> (String, TlsAcceptor) {
    let mut root = CertificateParams::default();
    root.distinguished_name.push(DnType::CommonName, name);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &root)
        .unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (root.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn only_the_registrys_own_authority_counts_for_it() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let ((ours, acceptor), (theirs, _)) = (authority("ours"), authority("theirs"));
    let served = content.clone();
    let server = Server::serve(Some(acceptor), move |asked| served.reply(asked)).await;
    let with = |ca: Option<&String>, plain_http| {
        let ca = ca.map(|pem| pem.clone().into_bytes());
        let options = RegistryOptions {
            plain_http,
            private_addresses: true,
            ca,
        };
        Settings {
            registries: [(server.place(), options)].into(),
            ..Settings::default()
        }
    };
    let report = signatures(with(Some(&ours), false), &server, &content, &signer).await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
    let both = format!("{theirs}{ours}");
    let report = signatures(with(Some(&both), false), &server, &content, &signer).await;
    assert_eq!(report.state, SignatureState::Verified, "{}", report.detail);
    for ca in [Some(&theirs), None] {
        let report = signatures(with(ca, false), &server, &content, &signer).await;
        assert_eq!(report.state, SignatureState::CannotTell);
        assert!(
            report.detail.contains("invalid peer certificate: UnknownIssuer"),
            "{}",
            report.detail
        );
    }
    let report = signatures(with(Some(&ours), true), &server, &content, &signer).await;
    assert_eq!(
        report.state,
        SignatureState::CannotTell,
        "no TLS where the settings say none"
    );
    assert!(report.detail.contains("cannot be reached"), "{}", report.detail);
}

#[tokio::test]
async fn a_redirect_may_not_leave_tls_or_borrow_an_authority() {
    let signer = Signer::p256();
    let content = Content::signed(Serves::Api, &signer);
    let (pem, acceptor) = authority("ours");
    let inner = content.clone();
    let plain = Server::start({
        let inner = inner.clone();
        move |asked| inner.reply(asked)
    })
    .await;
    let other = Server::serve(Some(acceptor.clone()), move |asked| inner.reply(asked)).await;
    for (target, other_options, reason) in [
        (plain.url(&content.at_image()), None, "that leaves TLS"),
        (other.url(&content.at_image()), None, "has the address 127.0.0.1"),
        (
            other.url(&content.at_image()),
            Some(RegistryOptions {
                private_addresses: true,
                ..RegistryOptions::default()
            }),
            "UnknownIssuer",
        ),
    ] {
        let moved = content.clone().answer(&content.at_image(), Reply::redirect(&target));
        let server = Server::serve(Some(acceptor.clone()), move |asked| moved.reply(asked)).await;
        let options = RegistryOptions {
            private_addresses: true,
            ca: Some(pem.clone().into_bytes()),
            ..RegistryOptions::default()
        };
        let mut settings = crate::settings(&[&plain]);
        settings.registries.insert(server.place(), options);
        settings
            .registries
            .extend(other_options.map(|options| (other.place(), options)));
        let report = signatures(settings, &server, &content, &signer).await;
        assert_eq!(report.state, SignatureState::CannotTell, "{target}");
        assert!(report.detail.contains(reason), "{target}: {}", report.detail);
    }
    assert_eq!(plain.connections(), 0);
}
