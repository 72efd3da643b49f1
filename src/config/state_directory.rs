//! Where state is kept when nobody says: systemd's directory for the unit, or the XDG rules. Never creates it.

use super::sources::Source;
use super::sources::environment::Environment;

/// For a process without a home, and for root, into whose home the user that PostgreSQL then runs as cannot look: the
/// place that the Filesystem Hierarchy Standard (3.0, section 5.8) names.
const WITHOUT_HOME: &str = "/var/lib/jeday";

/// The directory, and what it follows from. These variables are ambient, not addressed to Jeday, so that they rank
/// as defaults: a file that names a directory wins over them.
pub(super) fn state_directory(environment: &Environment) -> (String, Source) {
    // systemd.exec(5): several directories are separated by colons.
    let of_unit =
        environment.get("STATE_DIRECTORY").and_then(|list| list.split(':').next()).filter(|path| path.starts_with('/'));
    if let Some(path) = of_unit {
        return (path.to_owned(), Source::Derived("STATE_DIRECTORY"));
    }
    // XDG Base Directory Specification 0.8: relative paths are to be ignored.
    let absolute = |name| {
        let path = environment.get(name)?;
        path.starts_with('/').then(|| path.trim_end_matches('/'))
    };
    if let Some(path) = absolute("XDG_STATE_HOME") {
        return (format!("{path}/jeday"), Source::Derived("XDG_STATE_HOME"));
    }
    if environment.is_root() {
        return (WITHOUT_HOME.to_owned(), Source::Derived("the user root"));
    }
    match absolute("HOME") {
        Some(path) => (format!("{path}/.local/state/jeday"), Source::Derived("HOME")),
        None => (WITHOUT_HOME.to_owned(), Source::Default),
    }
}
