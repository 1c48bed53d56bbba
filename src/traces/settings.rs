//! The standard variables of OpenTelemetry, as far as they are ours to read; the exporter reads its own (headers, timeout).

use std::path::PathBuf;

/// What the environment says.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    /// The collector's host, for words: a URL can have a password in it.
    pub(super) host: String,
    /// The share of the Promotions that is traced.
    pub(super) share: f64,
    /// Certificates that the collector's must lead to.
    pub(super) certificates: Option<PathBuf>,
}

/// A variable that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is `{value}`, and has to be {wanted}")]
pub(super) struct SettingsError {
    variable: &'static str,
    value: String,
    wanted: &'static str,
}

impl Settings {
    /// Reads them; none when nobody asks for traces.
    pub(super) fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        let endpoint = first(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let Some((name, endpoint)) = endpoint.filter(|_| !is_off) else {
            return Ok(None);
        };
        let wrong = |variable, value: String, wanted| {
            Err(SettingsError {
                variable,
                value,
                wanted,
            })
        };
        let url: Option<hyper::Uri> = endpoint.parse().ok();
        let url = url.filter(|url| matches!(url.scheme_str(), Some("http" | "https")));
        let Some(host) = url.as_ref().and_then(|url| url.host()).map(ToOwned::to_owned) else {
            return wrong(name, endpoint, "a URL, as http://collector:4318");
        };
        match variable("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return wrong("OTEL_TRACES_EXPORTER", other.to_owned(), "otlp or none"),
        }
        let protocol = first(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
        if let Some((name, value)) = protocol.filter(|(_, value)| value != "http/protobuf") {
            return wrong(name, value, "http/protobuf");
        }
        let certificates = first([
            "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
        ]);
        Ok(share(variable)?.map(|share| Self {
            host,
            share,
            certificates: certificates.map(|(_, file)| file.into()),
        }))
    }
}

/// What the sampler comes to: nothing is there before us that would have decided.
fn share(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<f64>, SettingsError> {
    let sampler = variable("OTEL_TRACES_SAMPLER").unwrap_or_default();
    match sampler.as_str() {
        "" | "always_on" | "parentbased_always_on" => Ok(Some(1.0)),
        "always_off" | "parentbased_always_off" => Ok(None),
        "traceidratio" | "parentbased_traceidratio" => {
            let given = variable("OTEL_TRACES_SAMPLER_ARG").unwrap_or_else(|| "1".to_owned());
            let share = given.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            share.map(Some).ok_or(SettingsError {
                variable: "OTEL_TRACES_SAMPLER_ARG",
                value: given,
                wanted: "a number from 0 to 1",
            })
        }
        _ => Err(SettingsError {
            variable: "OTEL_TRACES_SAMPLER",
            value: sampler,
            wanted: "always_on, always_off or traceidratio",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(&variable).map_err(|error| error.to_string())
    }

    #[test]
    fn without_an_endpoint_or_where_somebody_says_so_there_are_none() {
        for variables in [
            &[][..],
            &[("OTEL_TRACES_SAMPLER", "traceidratio")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "true")],
            &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
            &[ENDPOINT, ("OTEL_TRACES_SAMPLER", "always_off")],
        ] {
            assert_eq!(read(variables), Ok(None), "{variables:?}");
        }
    }

    #[test]
    fn the_more_particular_variable_counts() {
        let all = read(&[ENDPOINT]).unwrap().unwrap();
        assert_eq!(
            (all.host.as_str(), all.share, all.certificates),
            ("collector", 1.0, None)
        );
        let some = read(&[
            ENDPOINT,
            (
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "https://name:password@other/v1/traces",
            ),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.crt"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ]);
        let some = some.unwrap().unwrap();
        assert_eq!((some.host.as_str(), some.share), ("other", 0.25));
        assert_eq!(some.certificates.unwrap().to_str(), Some("/ca.crt"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://collector:4317"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "file:///spans"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ] {
            let said = read(&[ENDPOINT, (variable, value)]).unwrap_err();
            assert!(said.starts_with(&format!("{variable} is `{value}`")), "{said}");
        }
        for share in ["1.5", "-0.1", "NaN", "half"] {
            let ratio = ("OTEL_TRACES_SAMPLER", "traceidratio");
            let said = read(&[ENDPOINT, ratio, ("OTEL_TRACES_SAMPLER_ARG", share)]).unwrap_err();
            assert!(said.starts_with("OTEL_TRACES_SAMPLER_ARG is"), "{said}");
        }
    }
}
