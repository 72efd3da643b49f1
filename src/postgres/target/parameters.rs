//! The connection parameters that libpq knows, the environment variables that stand in for them, and which of them
//! Jeday honours. Interprets no value beyond telling harmless ones from those it would be wrong to ignore.

use super::TargetError;
use std::collections::BTreeMap;

/// What Jeday does with a parameter.
enum Support {
    Honoured,
    /// Has no meaning here and no harm comes from it.
    Ignored,
    /// Refused, unless it has one of these values, which ask for what Jeday does anyway.
    Refused(&'static str, &'static [&'static str]),
}
use Support::{Honoured, Ignored, Refused};

struct Parameter {
    name: &'static str,
    variable: Option<&'static str>,
    support: Support,
}

const fn known(name: &'static str, variable: Option<&'static str>, support: Support) -> Parameter {
    Parameter { name, variable, support }
}

const KNOWN: &[Parameter] = &[
    known("host", Some("PGHOST"), Honoured),
    known("hostaddr", Some("PGHOSTADDR"), Honoured),
    known("port", Some("PGPORT"), Honoured),
    known("user", Some("PGUSER"), Honoured),
    known("password", Some("PGPASSWORD"), Honoured),
    known("passfile", Some("PGPASSFILE"), Honoured),
    known("dbname", Some("PGDATABASE"), Honoured),
    known("connect_timeout", Some("PGCONNECT_TIMEOUT"), Honoured),
    known("application_name", Some("PGAPPNAME"), Honoured),
    known("fallback_application_name", None, Honoured),
    known("options", Some("PGOPTIONS"), Honoured),
    known("target_session_attrs", Some("PGTARGETSESSIONATTRS"), Honoured),
    known("load_balance_hosts", Some("PGLOADBALANCEHOSTS"), Honoured),
    known("channel_binding", Some("PGCHANNELBINDING"), Honoured),
    known("keepalives", None, Honoured),
    known("keepalives_idle", None, Honoured),
    known("keepalives_interval", None, Honoured),
    known("keepalives_count", None, Honoured),
    known("tcp_user_timeout", None, Honoured),
    known("sslmode", Some("PGSSLMODE"), Honoured),
    known("sslnegotiation", Some("PGSSLNEGOTIATION"), Honoured),
    known("sslrootcert", Some("PGSSLROOTCERT"), Honoured),
    known("sslcert", Some("PGSSLCERT"), Honoured),
    known("sslkey", Some("PGSSLKEY"), Honoured),
    known("sslcertmode", Some("PGSSLCERTMODE"), Honoured),
    known("sslsni", Some("PGSSLSNI"), Honoured),
    known("ssl_min_protocol_version", Some("PGSSLMINPROTOCOLVERSION"), Honoured),
    known("ssl_max_protocol_version", Some("PGSSLMAXPROTOCOLVERSION"), Honoured),
    known("service", Some("PGSERVICE"), Refused("write the service's parameters into the database URL itself", &[])),
    known("servicefile", Some("PGSERVICEFILE"), Ignored),
    known(
        "client_encoding",
        Some("PGCLIENTENCODING"),
        Refused("Jeday always speaks UTF-8", &["auto", "utf8", "utf-8"]),
    ),
    known("replication", None, Refused("Jeday needs an ordinary session", &["false", "off", "no", "0"])),
    known("require_auth", Some("PGREQUIREAUTH"), Refused(REQUIRE_AUTH, &[])),
    known("requirepeer", Some("PGREQUIREPEER"), Refused("protect the socket's directory by its permissions", &[])),
    known("sslcrl", Some("PGSSLCRL"), Refused(CRL, &[])),
    known("sslcrldir", Some("PGSSLCRLDIR"), Refused(CRL, &[])),
    known("sslpassword", None, Refused("keep the client's key unencrypted in a file with mode 0600", &[])),
    known("sslkeylogfile", None, Refused("Jeday never writes TLS secrets down", &[])),
    known("sslcompression", Some("PGSSLCOMPRESSION"), Refused("compression makes TLS guessable", &["0"])),
    known("requiressl", Some("PGREQUIRESSL"), Refused("use sslmode=require", &["0"])),
    known("gssencmode", Some("PGGSSENCMODE"), Refused(GSS, &["disable", "prefer"])),
    known("gssdelegation", Some("PGGSSDELEGATION"), Refused(GSS, &["0"])),
    known("gsslib", Some("PGGSSLIB"), Ignored),
    known("krbsrvname", Some("PGKRBSRVNAME"), Ignored),
    known("min_protocol_version", Some("PGMINPROTOCOLVERSION"), Refused(PROTOCOL, &["3.0"])),
    known("max_protocol_version", Some("PGMAXPROTOCOLVERSION"), Ignored),
    known("scram_client_key", None, Refused(SCRAM_KEY, &[])),
    known("scram_server_key", None, Refused(SCRAM_KEY, &[])),
    known("oauth_issuer", None, Refused(OAUTH, &[])),
    known("oauth_client_id", None, Refused(OAUTH, &[])),
    known("oauth_client_secret", None, Refused(OAUTH, &[])),
    known("oauth_scope", None, Refused(OAUTH, &[])),
];

const REQUIRE_AUTH: &str = "use channel_binding=require or sslmode=verify-full to make sure of the server";
const CRL: &str = "revocation lists are not read; give the server a certificate of a new authority instead";
const GSS: &str = "Kerberos is not spoken; use a password or a client certificate";
const PROTOCOL: &str = "Jeday speaks protocol 3.0, which every server accepts";
const SCRAM_KEY: &str = "give the password itself";
const OAUTH: &str = "OAuth is not spoken; use a password or a client certificate";

/// What other clients take in a URI and libpq refuses; the remedy is worth a sentence of its own.
const FOREIGN: &[(&[&str], &str)] = &[
    (
        &["pool_max_conns", "pool_min_conns", "pool_max_conn_lifetime", "pool_max_conn_idle_time"],
        "it belongs to the Go driver's pool; remove it: Jeday's own settings say how many connections a shard has",
    ),
    (
        &["search_path", "statement_timeout", "lock_timeout", "timezone", "synchronous_commit", "work_mem"],
        "it is a setting of the server; pass it as options=-c name=value, or with ALTER ROLE ... SET",
    ),
    (&["statement_cache_capacity", "default_query_exec_mode", "prepareThreshold"], "Jeday prepares by its own rules"),
];

/// Whether libpq has a parameter of this name.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|parameter| parameter.name == name)
}

/// A value and how to call its source in an error: the parameter's name, or the variable's.
pub(super) struct Setting {
    pub(super) value: String,
    pub(super) origin: &'static str,
}

/// Values by parameter name.
#[derive(Default)]
pub(super) struct Settings(BTreeMap<&'static str, Setting>);

impl Settings {
    /// Of equal names the last counts.
    pub(super) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Settings, TargetError> {
        let mut settings = Settings::default();
        let mut after_password = false;
        for (name, value) in pairs {
            let Some(parameter) = KNOWN.iter().find(|parameter| parameter.name == name) else {
                return Err(if after_password { TargetError::UnknownAfterPassword } else { unknown(name) });
            };
            after_password = name == "password";
            settings.put(parameter, value, parameter.name)?;
        }
        Ok(settings)
    }

    /// Fills what is open from libpq's environment variables.
    pub(super) fn with_environment(
        mut self,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, TargetError> {
        for parameter in KNOWN {
            let Some(variable) = parameter.variable else { continue };
            if self.0.contains_key(parameter.name) {
                continue;
            }
            // A service only fills gaps: with a host given there is nothing to refuse.
            if parameter.name == "service" && self.0.contains_key("host") {
                continue;
            }
            if let Some(value) = environment(variable).filter(|value| !value.is_empty()) {
                self.put(parameter, value, variable)?;
            }
        }
        Ok(self)
    }

    fn put(&mut self, parameter: &'static Parameter, value: String, origin: &'static str) -> Result<(), TargetError> {
        match parameter.support {
            // The protocol ends each text by it.
            _ if value.contains('\0') => {
                return Err(TargetError::Value { name: origin.to_owned(), accepted: "text without a zero byte" });
            }
            Ignored => {}
            Refused(_, harmless) if value.is_empty() || harmless.iter().any(|one| value.eq_ignore_ascii_case(one)) => {}
            Refused(reason, _) => return Err(TargetError::Unsupported { name: origin.to_owned(), reason }),
            Honoured => {
                self.0.insert(parameter.name, Setting { value, origin });
            }
        }
        Ok(())
    }

    /// The value, unless it is absent or empty, which mean the same.
    pub(super) fn take(&mut self, name: &str) -> Option<Setting> {
        debug_assert!(is_known(name), "{name} is in the table");
        self.0.remove(name).filter(|setting| !setting.value.is_empty())
    }
}

fn unknown(name: String) -> TargetError {
    if let Some((_, reason)) = FOREIGN.iter().find(|(names, _)| names.iter().any(|one| name.eq_ignore_ascii_case(one)))
    {
        return TargetError::Unsupported { name, reason };
    }
    let nearest = KNOWN
        .iter()
        .map(|parameter| (strsim::jaro_winkler(&name.to_ascii_lowercase(), parameter.name), parameter.name))
        .max_by(|one, other| one.0.total_cmp(&other.0))
        // Below this, the suggestion has little to do with what was meant.
        .filter(|(similarity, _)| *similarity > 0.8)
        .map(|(_, name)| name);
    TargetError::Unknown { name, nearest }
}
