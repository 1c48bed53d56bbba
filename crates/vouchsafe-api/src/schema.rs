//! Schemas of values that `schemars` cannot work out by itself: digests, times, JSON as it comes, conditions.
//!
//! Takes nothing, gives schemas; every one of them is bounded, because the API server estimates what a rule costs from bounds.

use schemars::{Schema, SchemaGenerator, json_schema};

/// `sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn digest(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 71, "pattern": "^sha256:[0-9a-f]{64}$"})
}

/// `v1:sha256:` and 64 lower-case hexadecimal digits.
pub(crate) fn release(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 74, "pattern": "^v1:sha256:[0-9a-f]{64}$"})
}

/// A time, by RFC 3339.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// Any object, kept as it is.
pub(crate) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Any JSON, kept as it is.
pub(crate) fn json(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// Generation of the spec that a status is about; -1 as long as nobody has looked.
pub(crate) fn observed_generation(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "default": -1})
}

/// Conditions, as `metav1.Condition`, one of a type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {"type": "string", "maxLength": 63, "pattern": "^[A-Z][A-Za-z0-9]*$"},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "reason": {"type": "string", "maxLength": 63, "pattern": "^[A-Z][A-Za-z0-9]*$"},
                "message": {"type": "string", "maxLength": 4096}
            }
        }
    })
}
