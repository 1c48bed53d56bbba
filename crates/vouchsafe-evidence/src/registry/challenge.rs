//! What a registry says about how to log in (`WWW-Authenticate`, RFC 9110).
//!
//! Takes header values, gives the first challenge that we can meet. Touches nothing.

use hyper::{HeaderMap, header};
use std::collections::BTreeMap;

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password, sent along.
    Basic,
    /// A token from a token service.
    Bearer { realm: String, service: Option<String> },
}

/// The first challenge of a kind that we know; a token is preferred over a password.
pub(super) fn read(headers: &HeaderMap) -> Option<Challenge> {
    let values = || {
        headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
    };
    let bearer = values().find_map(|value| {
        let mut parameters = parameters(after_scheme(value, "bearer")?);
        Some(Challenge::Bearer {
            realm: parameters.remove("realm")?,
            service: parameters.remove("service"),
        })
    });
    bearer.or_else(|| values().find_map(|value| after_scheme(value, "basic").map(|_| Challenge::Basic)))
}

fn after_scheme<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let value = value.trim_start();
    let (start, rest) = value.split_at_checked(scheme.len())?;
    (start.eq_ignore_ascii_case(scheme) && (rest.is_empty() || rest.starts_with(' '))).then_some(rest)
}

/// Reads `name="value", name=value`; the first of a name counts, and what cannot be read ends it.
fn parameters(mut text: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => match unquoted(quoted) {
                Some(both) => both,
                None => break,
            },
            None => match rest.split_once(',') {
                Some((value, rest)) => (value.trim().to_owned(), rest),
                None => (rest.trim().to_owned(), ""),
            },
        };
        parameters.entry(name).or_insert(value);
        text = rest;
    }
    parameters
}

fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return text.get(at + 1..).map(|rest| (value, rest)),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.to_owned(),
                service: service.map(str::to_owned),
            })
        };
        for (values, expected) in [
            (
                vec![r#"Bearer realm="https://auth.example/token",service="registry.example",scope="x:y,z""#],
                bearer("https://auth.example/token", Some("registry.example")),
            ),
            (
                vec![r#"bearer scope="a,b" , realm="https://auth.example/to\"ken""#],
                bearer("https://auth.example/to\"ken", None),
            ),
            (
                vec!["Bearer realm=https://auth.example/token, service=x"],
                bearer("https://auth.example/token", Some("x")),
            ),
            (
                vec![r#"Basic realm="x""#, r#"Bearer realm="https://a.example""#],
                bearer("https://a.example", None),
            ),
            (vec![r#"Basic realm="x""#], Some(Challenge::Basic)),
            (vec!["basic"], Some(Challenge::Basic)),
            (vec!["Negotiate"], None),
            (vec!["Bearerrealm=x"], None),
            (vec!["Bearer"], None),
            (vec![r#"Bearer realm="https://auth.example"#], None),
            (vec!["Bearer service=x"], None),
            (vec![""], None),
            (vec![], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in &values {
                headers.append(header::WWW_AUTHENTICATE, value.parse().unwrap());
            }
            assert_eq!(read(&headers), expected, "{values:?}");
        }
    }
}
