//! What the Secret holds: who signs, who will, who did, and what is shown to the API server. And when which of them is due.
//!
//! The API server trusts all authorities at once. A new one is told to it days before it signs anything, and an old one stays until it has
//! ended, so that whichever certificate a replica still shows is trusted.

use super::authority::{MakeError, Pair, Term, is_trusted};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{collections::BTreeMap, sync::Arc};
use tokio_rustls::TlsAcceptor;

const DAY: i64 = 24 * 60 * 60;
/// So long before it ends an authority gets a successor.
const SUCCESSION: i64 = 365 * DAY;
/// So long after its beginning, which is a day or two before it was made, a successor signs.
const KNOWN: i64 = 3 * DAY;

/// All of it, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificates {
    authority: Pair,
    /// Trusted already, and signs later.
    successor: Option<Pair>,
    /// Trusted still, and signs nothing.
    predecessor: Option<String>,
    served: Pair,
}

impl Certificates {
    /// What a Secret holds; none when it is not whole.
    pub(crate) fn read(data: &BTreeMap<String, ByteString>) -> Option<Self> {
        let text = |key: &str| {
            let text = std::str::from_utf8(&data.get(key)?.0).ok()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let pair = |name: &str| {
            let (certificate, key) = (text(&format!("{name}.crt"))?, text(&format!("{name}.key"))?);
            Some(Pair { certificate, key }).filter(Pair::is_whole)
        };
        Some(Self {
            authority: pair("ca")?,
            successor: pair("next-ca"),
            predecessor: text("previous-ca.crt").filter(|certificate| Term::of(certificate).is_some()),
            served: pair("tls")?,
        })
    }

    /// The same, to be written.
    pub(crate) fn data(&self) -> BTreeMap<String, ByteString> {
        let pairs = [
            ("ca", Some(&self.authority)),
            ("next-ca", self.successor.as_ref()),
            ("tls", Some(&self.served)),
        ];
        let mut data = BTreeMap::new();
        let mut put = |key: String, text: &str| drop(data.insert(key, ByteString(text.as_bytes().to_vec())));
        for (name, pair) in pairs {
            if let Some(Pair { certificate, key }) = pair {
                put(format!("{name}.crt"), certificate);
                put(format!("{name}.key"), key);
            }
        }
        if let Some(certificate) = &self.predecessor {
            put("previous-ca.crt".to_owned(), certificate);
        }
        data
    }

    /// Whom the API server is to trust.
    pub(crate) fn bundle(&self) -> String {
        let others = [
            self.successor.as_ref().map(|pair| &pair.certificate),
            self.predecessor.as_ref(),
        ];
        let all = std::iter::once(&self.authority.certificate).chain(others.into_iter().flatten());
        all.map(String::as_str).collect()
    }

    /// What there has to be instead of what is known, for a server of this name; none when nothing is due.
    pub(crate) fn due(known: Option<&Self>, host: &str, now: Timestamp) -> Result<Option<Self>, MakeError> {
        let is_on = |certificate: &str| Term::of(certificate).is_some_and(|term| term.is_on(now));
        let Some(known) = known.filter(|known| is_on(&known.authority.certificate)) else {
            return Self::anew(host, now).map(Some);
        };
        let mut due = known.clone();
        due.predecessor = due.predecessor.filter(|certificate| is_on(certificate));
        match due.successor.take() {
            Some(successor) if signs(&successor, now) => {
                let before = std::mem::replace(&mut due.authority, successor);
                due.predecessor = Some(before.certificate);
                due.served = due.authority.signs(host, now)?;
            }
            Some(successor) => due.successor = Some(successor),
            None if is_near(&due.authority, now) => due.successor = Some(Pair::authority(now)?),
            None => {}
        }
        let is_fresh = Term::of(&due.served.certificate).is_some_and(|term| !term.is_mostly_over(now));
        if !is_fresh || !due.is_taken(host, now) {
            due.served = due.authority.signs(host, now)?;
        }
        if !due.is_taken(host, now) {
            // Whatever it was that stood there, it is no authority.
            return Self::anew(host, now).map(Some);
        }
        Ok((due != *known).then_some(due))
    }

    fn anew(host: &str, now: Timestamp) -> Result<Self, MakeError> {
        let authority = Pair::authority(now)?;
        Ok(Self {
            served: authority.signs(host, now)?,
            authority,
            successor: None,
            predecessor: None,
        })
    }

    /// Whether whoever trusts the bundle takes what is served.
    fn is_taken(&self, host: &str, now: Timestamp) -> bool {
        is_trusted(&self.bundle(), &self.served.certificate, host, now)
    }

    /// What a server shows.
    ///
    /// # Errors
    /// When certificate and key do not go together.
    pub(super) fn acceptor(&self) -> Result<TlsAcceptor, Box<dyn std::error::Error + Send + Sync>> {
        let certificate = CertificateDer::from_pem_slice(self.served.certificate.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.served.key.as_bytes())?;
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// Whether a successor was trusted long enough.
fn signs(successor: &Pair, now: Timestamp) -> bool {
    Term::of(&successor.certificate).is_some_and(|term| term.begins.as_second() + KNOWN <= now.as_second())
}

/// Whether an authority's end is near.
fn is_near(authority: &Pair, now: Timestamp) -> bool {
    Term::of(&authority.certificate).is_some_and(|term| term.is_nearly_over(now, SUCCESSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "vouchsafe-webhook.vouchsafe-system.svc";

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + days * DAY).unwrap()
    }

    fn made(known: Option<&Certificates>, days: i64) -> Option<Certificates> {
        Certificates::due(known, HOST, at(days)).unwrap()
    }

    /// Whether whoever trusts `bundle` takes what is shown.
    fn trusts(bundle: &str, shown: &Certificates, days: i64) -> bool {
        is_trusted(bundle, &shown.served.certificate, HOST, at(days))
    }

    #[test]
    fn what_was_made_is_trusted_for_its_name_and_read_back() {
        let first = made(None, 0).unwrap();
        assert!(trusts(&first.bundle(), &first, 0) && trusts(&first.bundle(), &first, 89));
        assert!(!trusts(&first.bundle(), &first, 91), "it has ended");
        assert_eq!(Certificates::read(&first.data()).as_ref(), Some(&first));
        first.acceptor().unwrap();
        assert_eq!(made(Some(&first), 0), None, "nothing is due");
        // Another name is another certificate of the same authority.
        for host in ["127.0.0.1", "elsewhere.svc"] {
            let other = Certificates::due(Some(&first), host, at(0)).unwrap().unwrap();
            assert_eq!(other.bundle(), first.bundle());
            let is_of = |host| is_trusted(&first.bundle(), &other.served.certificate, host, at(0));
            assert!(is_of(host) && !is_of(HOST));
        }
    }

    #[test]
    fn what_is_not_whole_is_made_anew() {
        let first = made(None, 0).unwrap();
        for key in ["ca.crt", "ca.key", "tls.crt", "tls.key"] {
            let mut data = first.data();
            data.remove(key);
            assert_eq!(Certificates::read(&data), None, "{key}");
            data.insert(key.to_owned(), ByteString(vec![0xff]));
            assert_eq!(Certificates::read(&data), None, "{key}");
        }
        let other = made(None, 0).unwrap().data();
        for key in ["ca.key", "tls.crt", "tls.key"] {
            for wrong in [&ByteString(b"no such thing".to_vec()), &other[key]] {
                let mut data = first.data();
                data.insert(key.to_owned(), wrong.clone());
                assert_eq!(Certificates::read(&data), None, "{key}");
            }
        }
        assert_eq!(Certificates::read(&BTreeMap::new()), None);
        // A whole pair of somebody else in the place of one of ours.
        for name in ["ca", "tls"] {
            let mut data = first.data();
            for end in ["crt", "key"] {
                let key = format!("{name}.{end}");
                data.insert(key.clone(), other[&key].clone());
            }
            let mended = made(Certificates::read(&data).as_ref(), 0).unwrap();
            assert!(trusts(&mended.bundle(), &mended, 0), "{name}");
        }
        // One of a clock that was ahead, and one that is no authority.
        let ahead = made(None, 30).unwrap();
        assert_ne!(made(Some(&ahead), 0).unwrap().bundle(), ahead.bundle());
        let mut data = first.data();
        for end in ["crt", "key"] {
            data.insert(format!("ca.{end}"), first.data()[&format!("tls.{end}")].clone());
        }
        let mended = made(Certificates::read(&data).as_ref(), 0).unwrap();
        assert!(trusts(&mended.bundle(), &mended, 0));
        // One whose authority has ended is of no use to anybody.
        let later = made(Some(&first), 10 * 366).unwrap();
        assert!(trusts(&later.bundle(), &later, 10 * 366));
        assert!(later.predecessor.is_none() && later.successor.is_none());
    }

    #[test]
    fn a_certificate_is_renewed_when_two_thirds_are_over_by_the_same_authority() {
        let first = made(None, 0).unwrap();
        assert_eq!(made(Some(&first), 58), None);
        let renewed = made(Some(&first), 61).unwrap();
        assert_eq!(renewed.bundle(), first.bundle());
        assert!(trusts(&first.bundle(), &renewed, 100));
    }

    /// Day by day for thirty years: at each moment the bundle of the day before trusts what is shown today, and that of today what was shown
    /// as long as it is good.
    #[test]
    fn authorities_overlap() {
        let mut known = made(None, 0).unwrap();
        let (mut authorities, mut most) = (1, 1);
        for day in 1..(30 * 365) {
            let Some(next) = made(Some(&known), day) else { continue };
            assert!(trusts(&known.bundle(), &next, day), "day {day}: who trusts as before");
            assert!(trusts(&next.bundle(), &known, day), "day {day}: who shows what was");
            authorities += i32::from(next.authority != known.authority);
            most = most.max(next.bundle().matches("BEGIN CERTIFICATE").count());
            known = next;
        }
        assert_eq!(authorities, 4);
        assert_eq!(most, 2);
        let (mut before, day) = (made(None, 0).unwrap(), 9 * 365 + 10);
        before = made(Some(&before), day).unwrap();
        assert!(before.successor.is_some(), "told a year ahead");
        let same_day = made(Some(&before), day + 1);
        assert_eq!(same_day, None, "and it signs nothing on the day after");
    }
}
