//! What the wrk script says at its end. Pure.

use serde::{Deserialize, Serialize};

/// Starts the line that the script writes for us among wrk's own.
const MARK: &str = "jeday-bench ";

/// One run of wrk.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    /// Replies.
    pub(crate) requests: u64,
    pub(crate) duration_us: u64,
    /// Replies with a status from 400 up; the server has no others that are no success.
    pub(crate) not_2xx: u64,
    /// Sockets that could not be connected, read, written, and requests that took longer than wrk waits.
    pub(crate) connect: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) timeout: u64,
    pub(crate) p50_us: u64,
    pub(crate) p95_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

impl Summary {
    /// Finds it in what wrk has printed.
    pub(crate) fn find(output: &str) -> Result<Summary, String> {
        let line = output.lines().find_map(|line| line.strip_prefix(MARK));
        let line = line.ok_or_else(|| format!("wrk has not come to its end:\n{}", output.trim()))?;
        serde_json::from_str(line).map_err(|error| format!("wrk's script wrote {line:?}: {error}"))
    }

    pub(crate) fn created(&self) -> u64 {
        self.requests.saturating_sub(self.not_2xx)
    }

    pub(crate) fn created_per_s(&self) -> f64 {
        self.created() as f64 * 1e6 / self.duration_us as f64
    }

    pub(crate) fn socket_errors(&self) -> u64 {
        self.connect + self.read + self.write + self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Running 5s test @ http://127.0.0.1:1\n  2 threads and 32 connections\n\n\
        jeday-bench {\"requests\":1000,\"duration_us\":500000,\"not_2xx\":10,\"connect\":1,\"read\":2,\"write\":3,\
        \"timeout\":4,\"p50_us\":900,\"p95_us\":1500,\"p99_us\":2000,\"max_us\":9000}\n";

    #[test]
    fn figures_are_found_among_other_lines() {
        let summary = Summary::find(OUTPUT).unwrap();
        assert_eq!((summary.created(), summary.socket_errors(), summary.p99_us), (990, 10, 2000));
        assert!((summary.created_per_s() - 1980.0).abs() < 1e-6);
    }

    #[test]
    fn output_without_figures_is_shown() {
        let error = Summary::find("unable to connect to 127.0.0.1:1 Connection refused\n").unwrap_err();
        assert!(error.contains("Connection refused"), "{error}");
    }
}
