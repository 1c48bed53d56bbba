//! The certificate authority of a test cluster: made when the cluster starts, kept in memory and in the run's folder, trusted by
//! nothing else. It issues the API server's certificate, and one for any user and groups.

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SigningKey,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio_rustls::TlsAcceptor;
use yasna::{
    Tag,
    models::{ObjectIdentifier, UTCTime},
};

/// The authority's own name, and so the issuer of what it signs.
const NAME: &str = "test-cluster";
/// From long ago, so that no machine's clock is too slow.
const NOT_BEFORE: &[u8] = b"200101000000Z";
/// The last second that this form of time can say.
const NOT_AFTER: &[u8] = b"491231235959Z";

const COMMON_NAME: [u64; 4] = [2, 5, 4, 3];
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];
const ECDSA_WITH_SHA256: [u64; 7] = [1, 2, 840, 10045, 4, 3, 2];
const EXTENDED_KEY_USAGE: [u64; 4] = [2, 5, 29, 37];
const CLIENT_AUTHENTICATION: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 2];

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key, PKCS#8.
    pub key: String,
}

impl Identity {
    /// For a server that shows it.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn acceptor(&self) -> Result<TlsAcceptor> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes());
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(
            vec![certificate.context("the certificate cannot be read")?],
            key.context("the key cannot be read")?,
        );
        let config = config.context("the certificate cannot be used")?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    serial: AtomicU32,
}

impl Authority {
    /// Makes a new one.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self> {
        let key = KeyPair::generate().context("cannot make the authority's key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params
            .self_signed(&key)
            .context("cannot sign the authority's certificate")?
            .pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
            serial: AtomicU32::new(2),
        })
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server under these names and addresses.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn server(&self, names: &[&str]) -> Result<Identity> {
        let key = KeyPair::generate().context("cannot make a server's key")?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).context("cannot name a server")?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .context("cannot sign a server's certificate")?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// A certificate that Kubernetes takes for this user in these groups. Written out by hand, because a subject with several
    /// organizations is more than the library's map of names can hold.
    ///
    /// # Errors
    /// When no key can be made, or signing fails.
    pub fn user(&self, name: &str, groups: &[&str]) -> Result<Identity> {
        let key = KeyPair::generate().context("cannot make a user's key")?;
        let body = self.body(name, groups, &key.subject_public_key_info())?;
        let signature = self
            .issuer
            .key()
            .sign(&body)
            .context("cannot sign a user's certificate")?;
        let certificate = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&body);
                writer
                    .next()
                    .write_sequence(|writer| oid(writer.next(), &ECDSA_WITH_SHA256));
                writer.next().write_bitvec_bytes(&signature, signature.len() * 8);
            });
        });
        Ok(Identity {
            certificate: pem("CERTIFICATE", &certificate),
            key: key.serialize_pem(),
        })
    }

    /// What is signed: RFC 5280, 4.1, `TBSCertificate`.
    fn body(&self, name: &str, groups: &[&str], public_key: &[u8]) -> Result<Vec<u8>> {
        let not_before = UTCTime::parse(NOT_BEFORE).context("cannot read a time")?;
        let not_after = UTCTime::parse(NOT_AFTER).context("cannot read a time")?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Ok(yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_tagged(Tag::context(0), |writer| writer.write_u8(2));
                writer.next().write_u32(serial);
                writer
                    .next()
                    .write_sequence(|writer| oid(writer.next(), &ECDSA_WITH_SHA256));
                subject(writer.next(), NAME, &[]);
                writer.next().write_sequence(|writer| {
                    writer.next().write_utctime(&not_before);
                    writer.next().write_utctime(&not_after);
                });
                subject(writer.next(), name, groups);
                writer.next().write_der(public_key);
                writer.next().write_tagged(Tag::context(3), for_clients_only);
            });
        }))
    }
}

fn subject(writer: yasna::DERWriter<'_>, name: &str, groups: &[&str]) {
    let attributes = groups
        .iter()
        .map(|group| (&ORGANIZATION, *group))
        .chain([(&COMMON_NAME, name)]);
    writer.write_sequence(|writer| {
        for (kind, value) in attributes {
            writer.next().write_set(|writer| {
                writer.next().write_sequence(|writer| {
                    oid(writer.next(), kind);
                    writer.next().write_utf8_string(value);
                });
            });
        }
    });
}

fn for_clients_only(writer: yasna::DERWriter<'_>) {
    let usage = yasna::construct_der(|writer| {
        writer.write_sequence(|writer| oid(writer.next(), &CLIENT_AUTHENTICATION));
    });
    writer.write_sequence(|writer| {
        writer.next().write_sequence(|writer| {
            oid(writer.next(), &EXTENDED_KEY_USAGE);
            writer.next().write_bytes(&usage);
        });
    });
}

fn oid(writer: yasna::DERWriter<'_>, parts: &[u64]) {
    writer.write_oid(&ObjectIdentifier::from_slice(parts));
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<String> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
