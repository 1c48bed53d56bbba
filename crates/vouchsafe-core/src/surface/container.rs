//! Containers: how each is started, and what it sees.

use super::{
    Facet, Resolution, binding, env, fields, image,
    mount::{self, Volumes},
    part, places,
    reading::{Reading, Who, text},
};
use serde_json::{Map, Value, json};

/// Adds a container: its image, its files, and itself.
pub(super) fn read<'a>(reading: &mut Reading<'_, '_>, container: &'a Value, who: &Who<'_>, volumes: &mut Volumes<'a>) {
    let Some(raw) = container.as_object() else {
        let component = part::unresolved(Facet::Container, &who.label, json!({"container": container}));
        return reading.add(component);
    };
    image::read(
        reading,
        &who.label,
        text(container, "image"),
        &format!("{}.image", who.at),
    );
    let mut value = Map::new();
    for (key, field) in raw {
        let kept = match key.as_str() {
            "name" | "image" => None,
            // Read below; when it is no list, nobody knows what it is, and it stays as it is.
            "env" | "envFrom" | "volumeMounts" | "volumeDevices" => {
                (!field.is_array() && !field.is_null()).then(|| field.clone())
            }
            _ => fields::of_container(key, field),
        };
        value.extend(kept.map(|kept| (key.clone(), kept)));
    }
    let mut variables = env::read(reading, container, who);
    for variable in &mut variables.all {
        let declared = places::in_variable(reading, variable, who);
        binding::apply(reading, variable, container, who, declared);
    }
    let unresolved = variables.unresolved;
    variables.write(&mut value);
    let known = mount::read(reading, container, who, volumes, &mut value);
    let value = Value::Object(value);
    reading.add(if unresolved || !known {
        part::unresolved(Facet::Container, &who.label, value)
    } else {
        part::of_value(Facet::Container, &who.label, Resolution::Resolved, value)
    });
}
