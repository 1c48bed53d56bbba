//! Bindings: what may differ between environments, and how far.
//!
//! A binding's name and pattern are in the digest, its value is not. So a value that could bring in code or content is never free: what the
//! dynamic linker, an interpreter or a proxy setting reads, what is expanded into a command, or what is a prompt or a model.

use super::{
    Binding, ProblemReason,
    env::Variable,
    mount::absolute,
    reading::{Reading, Who},
};
use regex::RegexBuilder;
use serde_json::{Value, json};

/// Bytes of a pattern.
const MAX_PATTERN: usize = 512;
/// Bytes of a compiled pattern. The `regex` crate matches in linear time; this bounds its constant.
const MAX_COMPILED: usize = 256 * 1024;
/// Bytes of a value.
const MAX_BOUND: usize = 4 * 1024;

/// Variables that runtimes, linkers, shells and TLS libraries read before the program does.
const NEVER_FREE: &[&str] = &[
    "BASH_ENV",
    "BASHOPTS",
    "CLASSPATH",
    "CURL_CA_BUNDLE",
    "ENV",
    "GCONV_PATH",
    "HOME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "PATH",
    "PROMPT_COMMAND",
    "PS4",
    "REQUESTS_CA_BUNDLE",
    "SHELLOPTS",
    "_JAVA_OPTIONS",
];
/// Families of them.
const NEVER_FREE_PREFIXES: &[&str] = &[
    "BASH_FUNC_",
    "DOTNET_",
    "DYLD_",
    "GIT_",
    "GLIBC_",
    "LD_",
    "PERL5",
    "PYTHON",
    "RUBY",
    "SSL_CERT_",
    "OPENSSL_",
];
/// Directories of code: whatever is mounted there is executed.
const CODE: &[&str] = &[
    "/bin", "/lib", "/lib32", "/lib64", "/sbin", "/usr", "/proc", "/sys", "/dev", "/boot",
];

/// What a variable of the container becomes, where a binding is declared for it.
pub(super) fn apply(
    reading: &mut Reading<'_, '_>,
    variable: &mut Variable,
    container: &Value,
    who: &Who<'_>,
    declared: bool,
) {
    let Some(binding) = reading.binding_of(&variable.name) else {
        return;
    };
    let content = declared.then(|| format!("`{}` is declared as a prompt or a model", variable.name));
    if let Some(why) = content.or_else(|| not_free(&variable.name, variable.text.as_deref(), container)) {
        let message = format!("binding `{}` cannot be free: {why}", binding.name);
        return reading.block(
            ProblemReason::BindingNotFree,
            &variable.field,
            message,
            "give it a fixed value and take the binding out",
        );
    }
    let Some(value) = variable.text.clone() else {
        if variable.entry.get("absent").is_none() {
            let message = format!(
                "the value of binding `{}` cannot be seen, so that its pattern cannot be judged",
                binding.name
            );
            reading.block(
                ProblemReason::BindingOutOfPattern,
                &variable.field,
                message,
                "write the value as a literal or in a ConfigMap",
            );
        }
        return;
    };
    match matches(&binding, &value) {
        Ok(true) => {}
        Ok(false) => {
            let pattern = binding.pattern.as_deref().unwrap_or_default();
            let message = format!(
                "`{}` of binding `{}` does not match `{pattern}`",
                shown(&value),
                binding.name
            );
            reading.block(
                ProblemReason::BindingOutOfPattern,
                &variable.field,
                message,
                "use a value within the pattern, or widen the pattern",
            );
        }
        Err(why) => {
            let message = format!("the pattern of binding `{}` {why}", binding.name);
            reading.block(
                ProblemReason::BindingPatternInvalid,
                &variable.field,
                message,
                "correct `spec.bindings` of the Agent",
            );
            return;
        }
    }
    reading.bind(&binding.name, &format!("{}:{}", who.label, variable.name), &value);
    reading.find(super::Facet::Binding, &binding.name);
    variable.entry = json!({"binding": binding.name});
}

/// Why a variable cannot be a binding.
fn not_free(name: &str, text: Option<&str>, container: &Value) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    if upper.ends_with("_PROXY") || NEVER_FREE.contains(&upper.as_str()) {
        return Some(format!("`{name}` is read by the runtime before the program"));
    }
    if let Some(family) = NEVER_FREE_PREFIXES.iter().find(|prefix| upper.starts_with(**prefix)) {
        return Some(format!(
            "`{name}` is of the family `{family}*`, which runtimes read before the program"
        ));
    }
    if text.is_some_and(|text| text.contains("$(")) {
        return Some("its value is expanded from other variables".to_owned());
    }
    expands(container, &format!("$({name})")).then(|| format!("`$({name})` is expanded in a command or another value"))
}

fn expands(value: &Value, reference: &str) -> bool {
    match value {
        Value::String(text) => text.contains(reference),
        Value::Array(items) => items.iter().any(|item| expands(item, reference)),
        Value::Object(fields) => fields.values().any(|field| expands(field, reference)),
        _ => false,
    }
}

/// Whether the whole value matches the pattern, or what is wrong with the pattern.
fn matches(binding: &Binding, value: &str) -> Result<bool, String> {
    let pattern = match binding.pattern.as_deref() {
        None | Some("") => return Err("is missing".to_owned()),
        Some(pattern) if pattern.len() > MAX_PATTERN => return Err(format!("has more than {MAX_PATTERN} bytes")),
        Some(pattern) => pattern,
    };
    if value.len() > MAX_BOUND {
        return Ok(false);
    }
    // By itself first: `a)|(b` must not become right through what is put around it.
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .build()
    };
    // In free-spacing mode (`(?x)`) a comment at its end would swallow our parenthesis: that does not compile, and is refused.
    match build(pattern).and_then(|_| build(&format!(r"\A(?:{pattern})\z"))) {
        Ok(regex) => Ok(regex.is_match(value)),
        Err(_) => Err("is not a regular expression within its bounds".to_owned()),
    }
}

fn shown(value: &str) -> String {
    value.chars().take(128).collect()
}

/// The binding of a Secret mounted at this path, if it may be free there.
pub(super) fn of_mount(
    reading: &mut Reading<'_, '_>,
    path: &str,
    secrets: Option<&str>,
    who: &Who<'_>,
    field: &str,
) -> Option<String> {
    let binding = reading.binding_at(path)?;
    let path = absolute(path);
    let mut places = reading
        .declaration
        .prompts
        .iter()
        .filter_map(|prompt| prompt.place.path.as_deref());
    let why = if path.is_empty()
        || path == "/etc"
        || path.starts_with("/etc/ld.so")
        || CODE.iter().any(|code| below(&path, code))
    {
        Some("code is read from there")
    } else if places.any(|place| below(&absolute(place), &path)) {
        Some("a prompt is read from there")
    } else if secrets.is_none() {
        Some("what is mounted there is not a Secret")
    } else {
        None
    };
    if let Some(why) = why {
        let message = format!("binding `{}` at `{path}` cannot be free: {why}", binding.name);
        reading.block(
            ProblemReason::BindingNotFree,
            field,
            message,
            "mount one Secret alone, in a directory of its own",
        );
        return None;
    }
    reading.bind(
        &binding.name,
        &format!("{}:{path}", who.label),
        &format!("Secret/{}", secrets.unwrap_or_default()),
    );
    reading.find(super::Facet::Binding, &binding.name);
    Some(binding.name)
}

/// Whether a path is a directory or in it.
fn below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
