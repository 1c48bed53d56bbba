//! Keys and certificates: an authority of ten years, and what it signs for a server for ninety days.
//!
//! Takes the time and a name; gives PEM. What is read of a certificate is when it begins and ends, and whether it would be taken.

use jiff::{Span, Timestamp, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{sync::Arc, time::Duration};
use x509_cert::der::{DecodePem, Encode};

/// The authority's own name. All have the same: they differ by their keys.
const NAME: &str = "vouchsafe webhook authority";
/// How long an authority is good for.
const AUTHORITY_YEARS: i64 = 10;
/// How long what it signs is.
const SERVER_DAYS: i64 = 90;

/// Why nothing could be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    /// No key, or no certificate.
    #[error("no certificate can be made for `{host}`")]
    Certificate {
        /// Whose it would be.
        host: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// The time cannot stand in one.
    #[error("no certificate can be made at this time")]
    Time(#[source] jiff::Error),
}

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Pair {
    /// Whether both can be read, and the key is the certificate's.
    pub(super) fn is_whole(&self) -> bool {
        let key = KeyPair::from_pem(&self.key).map(|key| key.subject_public_key_info());
        let certificate = x509_cert::Certificate::from_pem(&self.certificate);
        let of = certificate.and_then(|read| read.tbs_certificate.subject_public_key_info.to_der());
        matches!((key, of), (Ok(key), Ok(of)) if key == of)
    }

    /// A new authority.
    pub(super) fn authority(now: Timestamp) -> Result<Self, MakeError> {
        let failed = |source| MakeError::Certificate {
            host: NAME.to_owned(),
            source,
        };
        let mut params = authority();
        between(&mut params, now, Span::new().years(AUTHORITY_YEARS))?;
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        let key = key.serialize_pem();
        Ok(Self { certificate, key })
    }

    /// A certificate for a server under this name or address, signed by this authority.
    pub(super) fn signs(&self, host: &str, now: Timestamp) -> Result<Self, MakeError> {
        let failed = |source| MakeError::Certificate {
            host: host.to_owned(),
            source,
        };
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(failed)?;
        params.distinguished_name = called("vouchsafe webhook");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        between(&mut params, now, Span::new().days(SERVER_DAYS))?;
        let issuer = Issuer::new(authority(), KeyPair::from_pem(&self.key).map_err(failed)?);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &issuer).map_err(failed)?.pem();
        let key = key.serialize_pem();
        Ok(Self { certificate, key })
    }
}

/// All of an authority but its time.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = called(NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

/// By whole days, and from the day before on: clocks differ.
fn between(params: &mut CertificateParams, now: Timestamp, lasts: Span) -> Result<(), MakeError> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let begins = today.yesterday().map_err(MakeError::Time)?;
    let ends = today.checked_add(lasts).map_err(MakeError::Time)?;
    let time = |date: Date| {
        let small = |part: i8| u8::try_from(part).unwrap_or(1);
        date_time_ymd(i32::from(date.year()), small(date.month()), small(date.day()))
    };
    params.not_before = time(begins);
    params.not_after = time(ends);
    Ok(())
}

/// From when to when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) begins: Timestamp,
    pub(super) ends: Timestamp,
}

impl Term {
    /// None when it is no certificate.
    pub(super) fn of(certificate: &str) -> Option<Self> {
        let read = x509_cert::Certificate::from_pem(certificate).ok()?;
        let validity = read.tbs_certificate.validity;
        let time = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        Some(Self {
            begins: time(validity.not_before)?,
            ends: time(validity.not_after)?,
        })
    }

    /// Whether less than this much of it is left, in seconds.
    pub(super) fn is_nearly_over(self, now: Timestamp, seconds: i64) -> bool {
        self.ends.as_second().saturating_sub(now.as_second()) <= seconds
    }

    /// Whether it has begun and has not ended.
    pub(super) fn is_on(self, now: Timestamp) -> bool {
        self.begins <= now && now < self.ends
    }

    /// Whether two thirds of it are over.
    pub(super) fn is_mostly_over(self, now: Timestamp) -> bool {
        self.is_nearly_over(now, (self.ends.as_second() - self.begins.as_second()) / 3)
    }
}

/// Whether whoever trusts these authorities takes a certificate for a server of this name or address.
pub(super) fn is_trusted(bundle: &str, certificate: &str, host: &str, now: Timestamp) -> bool {
    verified(bundle, certificate, host, now).is_some()
}

fn verified(bundle: &str, certificate: &str, host: &str, now: Timestamp) -> Option<()> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(authority.ok()?).ok()?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .ok()?;
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let name = ServerName::try_from(host).ok()?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).ok()?));
    verifier
        .verify_server_cert(&certificate, &[], &name, &[], now)
        .ok()
        .map(drop)
}
