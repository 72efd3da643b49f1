//! Settings that take one word of a few. Never a meaning beyond the name: what a level or a format does is telemetry's
//! part.

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing at all.
    Off,
    /// Failures that need an operator.
    Error,
    /// Also what may become a failure.
    Warn,
    /// Also what the server does on the whole; the default.
    Info,
    /// Also what single parts do.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Understands the names in any letter case, and those of the Go version's logger.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "off" | "disabled" => Self::Off,
            // The Go version's logger has two levels above `error`, which Jeday logs as errors.
            "error" | "fatal" | "panic" => Self::Error,
            "warn" | "warning" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }

    /// The name as it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// Understands the names in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Self::Auto,
            "human" => Self::Human,
            "json" => Self::Json,
            _ => return None,
        })
    }

    /// The name as it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

/// Whether statements are prepared once for each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepare {
    /// Prepared, unless the peer turns out not to keep prepared statements (some poolers).
    Auto,
    /// Prepared; a peer that forgets them is an error.
    Always,
    /// Sent whole each time.
    Never,
}

impl Prepare {
    /// Understands the names in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Self::Auto,
            "always" => Self::Always,
            "never" => Self::Never,
            _ => return None,
        })
    }

    /// The name as it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// Parameters of Argon2id that have a name: Jeday's own, and those of OWASP's Password Storage Cheat Sheet, each by its
/// memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argon2Preset {
    /// The Go version's, and the default.
    Default,
    /// 46 MiB.
    Owasp46m,
    /// 19 MiB.
    Owasp19m,
    /// 12 MiB.
    Owasp12m,
    /// 9 MiB.
    Owasp9m,
    /// 7 MiB.
    Owasp7m,
}

impl Argon2Preset {
    /// Understands the names in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        [Self::Default, Self::Owasp46m, Self::Owasp19m, Self::Owasp12m, Self::Owasp9m, Self::Owasp7m]
            .into_iter()
            .find(|preset| preset.name().eq_ignore_ascii_case(text))
    }

    /// The name as it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Owasp46m => "owasp-46m",
            Self::Owasp19m => "owasp-19m",
            Self::Owasp12m => "owasp-12m",
            Self::Owasp9m => "owasp-9m",
            Self::Owasp7m => "owasp-7m",
        }
    }
}

/// Who can read and check access tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenMode {
    /// Only who has the key: PASETO v4.local.
    Local,
    /// Whoever has the published key: PASETO v4.public.
    Public,
}

impl TokenMode {
    /// Understands the names in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "local" => Self::Local,
            "public" => Self::Public,
            _ => return None,
        })
    }

    /// The name as it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Public => "public",
        }
    }
}

/// Whether connections begin with a PROXY header. There is no third word: who guesses believes anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// No connection does.
    Off,
    /// Every connection does.
    Required,
}

impl ProxyProtocol {
    /// Understands the names in any letter case.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "off" => Self::Off,
            "required" => Self::Required,
            _ => return None,
        })
    }

    /// The name as it is written in a file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Required => "required",
        }
    }
}

/// Understands what people write for yes and no.
pub fn parse_switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_go_loggers_levels_are_understood() {
        assert_eq!(LogLevel::parse("DEBUG"), Some(LogLevel::Debug));
        assert_eq!(LogLevel::parse("Warning"), Some(LogLevel::Warn));
        assert_eq!(LogLevel::parse("fatal"), Some(LogLevel::Error));
        assert_eq!(LogLevel::parse("disabled"), Some(LogLevel::Off));
        assert_eq!(LogLevel::parse("loud"), None);
    }
}
