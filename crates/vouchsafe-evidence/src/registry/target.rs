//! Where a request goes, checked.
//!
//! Takes what a registry wrote into `Location`, `Link` or a realm, gives a URL that has no user in it and no scheme but HTTP's.
//! Whether it may be asked is for [`super::connection`] to say.

use hyper::Uri;

/// An absolute URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    uri: Uri,
    /// Without TLS.
    plain: bool,
    /// Host and port as they are compared: lower case, no default port.
    place: String,
}

impl Target {
    /// Reads an absolute URL.
    pub(super) fn read(url: &str) -> Result<Self, &'static str> {
        let url = url.split('#').next().unwrap_or_default();
        let uri = url.parse::<Uri>().map_err(|_| "that is not a URL")?;
        let plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") => true,
            _ => return Err("that is not an HTTP URL"),
        };
        let authority = uri.authority().ok_or("that URL has no host")?;
        if authority.as_str().contains('@') {
            return Err("that URL has a user in it");
        }
        let place = place(authority.as_str(), plain);
        Ok(Self { uri, plain, place })
    }

    /// What `location` means, seen from here.
    pub(super) fn join(&self, location: &str) -> Result<Self, &'static str> {
        let scheme = if self.plain { "http" } else { "https" };
        match location {
            _ if location.starts_with("//") => Self::read(&format!("{scheme}:{location}")),
            _ if location.starts_with('/') => Self::read(&format!("{scheme}://{}{location}", self.authority())),
            _ if location.starts_with('?') => {
                Self::read(&format!("{scheme}://{}{}{location}", self.authority(), self.uri.path()))
            }
            _ => Self::read(location),
        }
    }

    /// The same URL with `query` added to what it asks for.
    pub(super) fn with_query(&self, query: &str) -> Result<Self, &'static str> {
        let mark = if self.uri.query().is_some() { '&' } else { '?' };
        Self::read(&format!("{}{mark}{query}", self.uri))
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Host and port.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// The host alone, without brackets.
    pub(super) fn host(&self) -> &str {
        let host = self.uri.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether credentials for the one are meant for the other.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.plain == other.plain && self.place == other.place
    }

    fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }
}

/// Host and port as they are compared.
pub(super) fn place(authority: &str, plain: bool) -> String {
    let default = if plain { ":80" } else { ":443" };
    authority
        .strip_suffix(default)
        .unwrap_or(authority)
        .to_ascii_lowercase()
}

/// Escapes a value of a query or form, so that it stays one.
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_where_they_stand() {
        let here = Target::read("https://Registry.example:443/v2/a/referrers/x?n=1").unwrap();
        assert_eq!(
            (here.place(), here.is_plain(), here.host()),
            ("registry.example", false, "Registry.example")
        );
        for (location, expected) in [
            ("/v2/b", Ok("https://Registry.example:443/v2/b")),
            ("?last=2", Ok("https://Registry.example:443/v2/a/referrers/x?last=2")),
            ("//other.example/b", Ok("https://other.example/b")),
            ("https://other.example/b#c", Ok("https://other.example/b")),
            ("http://registry.example/b", Ok("http://registry.example/b")),
            ("https://user:secret@other.example/b", Err("that URL has a user in it")),
            ("ftp://other.example/b", Err("that is not an HTTP URL")),
            ("file:///etc/passwd", Err("that is not a URL")),
            ("b/c", Err("that is not a URL")),
            ("https://", Err("that is not a URL")),
            ("https://a b/", Err("that is not a URL")),
            ("", Err("that is not a URL")),
        ] {
            let target = here.join(location).map(|target| target.uri().to_string());
            assert_eq!(target, expected.map(str::to_owned), "{location}");
        }
    }

    #[test]
    fn places_are_compared_without_case_and_default_port() {
        let same = |a: &str, b: &str| Target::read(a).unwrap().is_same_place(&Target::read(b).unwrap());
        assert!(same("https://Registry.example/a", "https://registry.example:443/b"));
        assert!(same("http://registry.example/a", "http://registry.example:80/b"));
        assert!(!same("https://registry.example/", "http://registry.example/"));
        assert!(!same("https://registry.example/", "https://registry.example:80/"));
        assert!(!same(
            "https://registry.example/",
            "https://registry.example.evil.test/"
        ));
    }

    #[test]
    fn values_are_escaped() {
        assert_eq!(escape("a&b=c/ü#?%"), "a%26b%3Dc%2F%C3%BC%23%3F%25");
        let target = Target::read("https://auth.example/token?x=1")
            .unwrap()
            .with_query("service=a")
            .unwrap();
        assert_eq!(target.uri().to_string(), "https://auth.example/token?x=1&service=a");
    }
}
