//! From bytes to documents: YAML as kubectl reads it, or JSON, within bounds.

use super::json::Unique;
use serde_json::Value;
use serde_saphyr::options::DuplicateKeyPolicy;

/// Documents of one file.
const MAX_DOCUMENTS: usize = 10_000;
/// Mappings, sequences and scalars of one file, aliases expanded.
const MAX_NODES: usize = 2_000_000;
/// Bytes of scalars of one file, aliases expanded.
const MAX_SCALARS: usize = 64 * 1024 * 1024;
/// Levels of nesting.
const MAX_DEPTH: usize = 100;

/// The documents of a file, empty ones left out; or why it cannot be read, in one line.
pub(crate) fn documents(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let text = str::from_utf8(bytes).map_err(|error| format!("is not UTF-8 text ({error})"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['{', '[']) {
        match json(text) {
            Err(error) if error.is_data() => return Err(error.to_string()),
            Err(_) => {}
            read => return read.map_err(|error| error.to_string()),
        }
    }
    yaml(text)
}

fn json(text: &str) -> Result<Vec<Value>, serde_json::Error> {
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Unique>();
    let values = documents.map(|document| document.map(|Unique(value)| value));
    values.collect()
}

/// YAML 1.1 where kubectl's parser is: `0644` is octal, `yes` and `on` are true, `<<` merges.
fn yaml(text: &str) -> Result<Vec<Value>, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: MAX_DOCUMENTS,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_total_scalar_bytes: MAX_SCALARS,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| one_line(&error.to_string()))
}

fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[track_caller]
    fn reads(text: &str, expected: &Value) {
        assert_eq!(Value::Array(documents(text.as_bytes()).unwrap()), *expected, "{text}");
    }

    #[track_caller]
    fn refuses(text: &[u8], why: &str) {
        let error = documents(text).unwrap_err();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn yaml_and_json_are_read_as_kubectl_reads_them() {
        reads("a: 1\n---\n# nothing\n---\nb: yes\n", &json!([{"a": 1}, {"b": true}]));
        reads("mode: 0644\nother: 0o644\n", &json!([{"mode": 420, "other": 420}]));
        reads(
            "x: &x {a: 1}\ny: {<<: *x, b: 2}\n",
            &json!([{"x": {"a": 1}, "y": {"a": 1, "b": 2}}]),
        );
        reads(
            "when: 2026-01-02\nversion: \"1.10\"\n",
            &json!([{"when": "2026-01-02", "version": "1.10"}]),
        );
        reads(
            r#"{"a": [1, -2, 0.5, "x", null, true]} {"b": {}}"#,
            &json!([{"a": [1, -2, 0.5, "x", null, true]}, {"b": {}}]),
        );
        reads("{a: 1, b: [x]}", &json!([{"a": 1, "b": ["x"]}]));
        reads("\u{feff}a: 1", &json!([{"a": 1}]));
        reads("", &json!([]));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        refuses(b"a: 1\na: 2\n", "duplicate");
        refuses(br#"{"a": 1, "b": {"c": 1, "c": 2}}"#, "duplicate key `c`");
        refuses(b"a: [\xff]", "UTF-8");
        refuses(b"a: [1", "");
        refuses(b"a: .inf", "");
    }

    #[test]
    fn bombs_are_refused() {
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = vec![format!("*a{}", level - 1); 9].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        refuses(laughs.as_bytes(), "");
        let fat = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 90].join(", "));
        refuses(fat.as_bytes(), "");
        refuses("[".repeat(100_000).as_bytes(), "");
        refuses(format!("a: {}", "[".repeat(100_000)).as_bytes(), "");
        refuses("{\"a\":".repeat(100_000).as_bytes(), "");
        refuses("- ".repeat(100_000).as_bytes(), "");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = documents(&bytes);
        }

        #[test]
        fn arbitrary_markup_never_panics(text in r#"([-{}\[\]:,&*#!|>'"%@`<?~ \n\ta-c0-9]|---\n|<<: |\{"){0,80}"#) {
            let _ = documents(text.as_bytes());
        }
    }
}
