//! The environment as a source. A snapshot handed in: never reads the process's own environment.

use super::super::error::Problem;
use super::super::settings::{self, FILE_VARIABLES, SETTINGS};
use super::{Given, Source};
use std::collections::BTreeMap;
use std::ffi::OsString;

const PREFIX: &str = "JEDAY_";

/// Environment variables by name, and whose they are. No `Debug`: a value may be a secret.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    root: bool,
}

impl Environment {
    /// Takes the variables over. One whose name is not valid UTF-8 is none of Jeday's.
    pub fn new<N: Into<OsString>, V: Into<OsString>>(variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let named =
            variables.into_iter().filter_map(|(name, value)| Some((name.into().into_string().ok()?, value.into())));
        Self { variables: named.collect(), root: false }
    }

    /// Says whether the process runs as root.
    #[must_use]
    pub fn of_root(self, root: bool) -> Self {
        Self { root, ..self }
    }

    /// Whether the process runs as root.
    pub fn is_root(&self) -> bool {
        self.root
    }

    /// The value, when it is there, not empty, and valid UTF-8. An empty variable counts as absent, as in the Go
    /// version: compose files pass on variables that are not set as empty ones.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name)?.to_str().filter(|text| !text.is_empty())
    }

    /// The texts, those that win last, and complaints about variables that seem to be meant for Jeday.
    pub(in crate::config) fn given(&self, problems: &mut Vec<Problem>) -> Vec<Given> {
        let mut given = Vec::new();
        let mut known: Vec<String> = FILE_VARIABLES.iter().map(|(name, ..)| (*name).to_owned()).collect();
        for &setting in SETTINGS {
            // A name that can only mean Jeday wins over one that other programs may use too.
            let names = setting.variables.iter().map(|name| (*name).to_owned());
            for name in names.chain([setting.own_variable()]) {
                if let Some(text) = self.get(&name) {
                    given.push(Given { setting, source: Source::Variable(name.clone()), text: text.to_owned() });
                }
                known.push(name);
            }
        }
        for (name, value) in &self.variables {
            if known.contains(name) && value.to_str().is_none() {
                problems.push(Problem::new(format!("{name}: the value is not valid UTF-8")));
            }
            let is_meant = name.starts_with(PREFIX) && !known.contains(name);
            if is_meant && !is_from_kubernetes(name, &value.to_string_lossy()) {
                problems.push(unknown(name, &known));
            }
        }
        given
    }
}

fn unknown(name: &str, known: &[String]) -> Problem {
    let problem = Problem::new(format!("unknown environment variable {name}"));
    let similarity = |candidate: &String| strsim::normalized_damerau_levenshtein(name, candidate);
    // JEDAY_ before a short name is a likely mistake: JEDAY_DB_URL.
    let short = name.strip_prefix(PREFIX).unwrap_or(name);
    let without_prefix = known.iter().find(|candidate| *candidate == short);
    match without_prefix.or_else(|| settings::nearest(known.iter(), similarity)) {
        Some(meant) => problem.hint(format!("did you mean {meant}?")),
        None => problem.hint("jeday config --defaults lists every setting with its variables"),
    }
}

/// Kubernetes gives every container variables about each service of its namespace. For services called `jeday` or
/// `jeday-something` they begin with the prefix too (Kubernetes documentation, "Service", environment variables).
fn is_from_kubernetes(name: &str, value: &str) -> bool {
    let is_port_of_protocol = || {
        let mut parts = name.rsplit('_').peekable();
        if matches!(parts.peek(), Some(&"PROTO" | &"PORT" | &"ADDR")) {
            parts.next();
        }
        matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
            && parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts.next() == Some("PORT")
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
        || is_port_of_protocol()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_kubernetes_services_are_not_taken_for_settings() {
        for (name, value) in [
            ("JEDAY_SERVICE_HOST", "10.0.0.11"),
            ("JEDAY_SERVICE_PORT", "8080"),
            ("JEDAY_SERVICE_PORT_HTTP", "8080"),
            ("JEDAY_PORT", "tcp://10.0.0.11:8080"),
            ("JEDAY_PORT_8080_TCP", "tcp://10.0.0.11:8080"),
            ("JEDAY_PORT_8080_TCP_PROTO", "tcp"),
            ("JEDAY_PORT_8080_TCP_PORT", "8080"),
            ("JEDAY_METRICS_PORT_8081_TCP_ADDR", "10.0.0.11"),
        ] {
            let mut problems = Vec::new();
            Environment::new([(name, value)]).given(&mut problems);
            assert!(problems.is_empty(), "{name}");
        }
        assert!(!is_from_kubernetes("JEDAY_PORT", "8080"));
        assert!(!is_from_kubernetes("JEDAY_TCP", "1"));
    }
}
