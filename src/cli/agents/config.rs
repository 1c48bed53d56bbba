//! The bytes of ConfigMaps and Secrets, from raw manifests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::collections::BTreeMap;
use vouchsafe_core::surface::ConfigObject;

/// Why an object is no ConfigMap or Secret that the API server would take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A field that has to be a map is none.
    #[error("`{0}` is not a map")]
    NotAMap(&'static str),
    /// A value that has to be text is none.
    #[error("`{0}.{1}` is not text; put it in quotes")]
    NotText(&'static str, String),
    /// A value that has to be base64 is none.
    #[error("`{0}.{1}` is not base64")]
    NotBase64(&'static str, String),
}

/// Its content: of a ConfigMap `data` and `binaryData`, of a Secret `data` and, before it, `stringData`.
pub(crate) fn config_object(object: &Value) -> Result<ConfigObject, ConfigError> {
    let mut data = BTreeMap::new();
    if object.get("kind").and_then(Value::as_str) == Some("Secret") {
        encoded(object, "data", &mut data)?;
        plain(object, "stringData", &mut data)?;
    } else {
        plain(object, "data", &mut data)?;
        encoded(object, "binaryData", &mut data)?;
    }
    let immutable = object.get("immutable").and_then(Value::as_bool).unwrap_or_default();
    Ok(ConfigObject { data, immutable })
}

type Data = BTreeMap<String, Vec<u8>>;

fn plain(object: &Value, field: &'static str, data: &mut Data) -> Result<(), ConfigError> {
    each(object, field, |key, text| {
        data.insert(key.to_owned(), text.as_bytes().to_vec());
        Ok(())
    })
}

fn encoded(object: &Value, field: &'static str, data: &mut Data) -> Result<(), ConfigError> {
    each(object, field, |key, text| {
        let packed: String = text.split(['\n', '\r']).collect();
        let bytes = STANDARD
            .decode(packed)
            .map_err(|_| ConfigError::NotBase64(field, key.to_owned()))?;
        data.insert(key.to_owned(), bytes);
        Ok(())
    })
}

/// Every entry of a map of texts; null is the empty text, as the API server has it.
fn each(
    object: &Value,
    field: &'static str,
    mut take: impl FnMut(&str, &str) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    let entries = match object.get(field) {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(entries)) => entries,
        Some(_) => return Err(ConfigError::NotAMap(field)),
    };
    for (key, value) in entries {
        match value {
            Value::String(text) => take(key, text)?,
            Value::Null => take(key, "")?,
            _ => return Err(ConfigError::NotText(field, key.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bytes_are_those_that_pods_will_see() {
        let map = json!({"kind": "ConfigMap", "data": {"a": "text", "n": null}, "binaryData": {"b": "/w=="}, "immutable": true});
        let read = config_object(&map).unwrap();
        assert_eq!(read.data["a"], b"text");
        assert_eq!(read.data["b"], [0xff]);
        assert_eq!(read.data["n"], b"");
        assert!(read.immutable);
        let secret = json!({"kind": "Secret", "data": {"a": "b2xk", "b": "eA==\n"}, "stringData": {"a": "new"}});
        let read = config_object(&secret).unwrap();
        assert_eq!(read.data["a"], b"new");
        assert_eq!(read.data["b"], b"x");
    }

    #[test]
    fn what_the_api_server_would_refuse_is_refused() {
        for (object, error) in [
            (json!({"data": {"a": 1}}), ConfigError::NotText("data", "a".to_owned())),
            (json!({"data": []}), ConfigError::NotAMap("data")),
            (
                json!({"binaryData": {"a": "?"}}),
                ConfigError::NotBase64("binaryData", "a".to_owned()),
            ),
        ] {
            assert_eq!(config_object(&object).unwrap_err(), error);
        }
    }
}
