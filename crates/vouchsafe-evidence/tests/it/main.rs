//! The client against registries that serve well, badly, and on purpose badly. Everything runs on loopback ports that the system picks.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may fail as tests do"
)]

mod content;
mod credentials;
mod honest;
mod hostile;
mod mint;
mod places;
mod server;
mod tls;

use content::Content;
use mint::Signer;
use server::Server;
use std::time::Duration;
use vouchsafe_evidence::{
    credentials::Credentials,
    reference::ImageReference,
    registry::{Client, RegistryOptions, Settings},
    signature::{Authority, PublicKey, SignatureReport, image_signatures},
};

/// A server on loopback that the settings allow.
fn allowed() -> RegistryOptions {
    RegistryOptions {
        plain_http: true,
        private_addresses: true,
        ca: None,
    }
}

/// Limits that are reached soon, and these servers allowed.
fn settings(servers: &[&Server]) -> Settings {
    Settings {
        request: Duration::from_secs(2),
        total: Duration::from_secs(5),
        registries: servers.iter().map(|server| (server.place(), allowed())).collect(),
        ..Settings::default()
    }
}

fn authority(name: &str, signers: &[&Signer]) -> Authority {
    let key = |signer: &&Signer| PublicKey::from_pem(&signer.pem()).unwrap();
    Authority {
        name: name.to_owned(),
        keys: signers.iter().map(key).collect(),
    }
}

fn reference(server: &Server, content: &Content) -> ImageReference {
    format!("{}/team/agent@{}", server.place(), content.image)
        .parse()
        .unwrap()
}

/// Asks a server, whether `signer` has signed the image that it has.
async fn signatures(settings: Settings, server: &Server, content: &Content, signer: &Signer) -> SignatureReport {
    let client = Client::new(settings).unwrap();
    let image = reference(server, content);
    image_signatures(
        &client,
        &image,
        &Credentials::anonymous(),
        &[authority("release", &[signer])],
    )
    .await
}
