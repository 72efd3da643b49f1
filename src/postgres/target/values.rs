//! From parameters as text to a [`Target`]: what each value means, what libpq's defaults are, which combinations
//! contradict each other.

use super::{
    ChannelBinding, Host, Keepalive, Place, Roots, Secret, SessionAttributes, SslMode, Target, TargetError,
    TlsSettings, TlsVersion,
    parameters::{Setting, Settings},
};
use std::{
    net::{IpAddr, Ipv6Addr},
    path::PathBuf,
    time::Duration,
};

const PORT_DEFAULT: u16 = 5432;

pub(super) fn build(
    mut settings: Settings,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Target, TargetError> {
    let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let tls = tls(&mut settings, home.as_ref().map(|home| home.join(".postgresql")))?;
    let hosts = hosts(&mut settings)?;
    let verifies_names = tls.mode == SslMode::VerifyFull;
    if verifies_names && hosts.iter().any(|host| matches!(&host.place, Place::Tcp { name, .. } if name.is_empty())) {
        return Err(TargetError::Conflict("sslmode=verify-full needs a host name; hostaddr alone has none to check"));
    }
    let text = |setting: Setting| setting.value;
    Ok(Target {
        hosts,
        user: settings.take("user").map(text),
        password: settings.take("password").map(text).map(Secret),
        database: settings.take("dbname").map(text),
        application_name: settings
            .take("application_name")
            .or_else(|| settings.take("fallback_application_name"))
            .map(text),
        options: settings.take("options").map(text),
        connect_timeout: seconds(settings.take("connect_timeout"))?,
        attributes: choice(
            settings.take("target_session_attrs"),
            &[
                ("any", SessionAttributes::Any),
                ("read-write", SessionAttributes::ReadWrite),
                ("read-only", SessionAttributes::ReadOnly),
                ("primary", SessionAttributes::Primary),
                ("standby", SessionAttributes::Standby),
                ("prefer-standby", SessionAttributes::PreferStandby),
            ],
            "any, read-write, read-only, primary, standby or prefer-standby",
        )?
        .unwrap_or_default(),
        random_order: choice(
            settings.take("load_balance_hosts"),
            &[("disable", false), ("random", true)],
            "disable or random",
        )?
        .unwrap_or(false),
        tls,
        channel_binding: choice(
            settings.take("channel_binding"),
            &[
                ("disable", ChannelBinding::Disable),
                ("prefer", ChannelBinding::Prefer),
                ("require", ChannelBinding::Require),
            ],
            "disable, prefer or require",
        )?
        .unwrap_or_default(),
        keepalive: keepalive(&mut settings)?,
        user_timeout: number(settings.take("tcp_user_timeout"), "a number of milliseconds")?
            .filter(|millis| *millis > 0)
            .map(|millis| Duration::from_millis(u64::from(millis))),
        passfile: settings
            .take("passfile")
            .map(|setting| PathBuf::from(setting.value))
            .or_else(|| home.map(|home| home.join(".pgpass"))),
    })
}

fn hosts(settings: &mut Settings) -> Result<Vec<Host>, TargetError> {
    let (names, addresses, ports) = (settings.take("host"), settings.take("hostaddr"), settings.take("port"));
    let split = |setting: &Option<Setting>| -> Option<Vec<String>> {
        setting.as_ref().map(|setting| setting.value.split(',').map(|part| part.trim().to_owned()).collect())
    };
    let count_error = |setting: &Option<Setting>, count: usize, hosts: usize, one_is_enough: bool| {
        let name = setting.as_ref().map_or("host", |setting| setting.origin).to_owned();
        Err(TargetError::Count { name, count, hosts, one_is_enough })
    };
    let (name_list, address_list) = (split(&names), split(&addresses));
    let count = name_list.as_ref().or(address_list.as_ref()).map_or(1, Vec::len);
    if let Some(list) = &address_list
        && list.len() != count
    {
        return count_error(&addresses, list.len(), count, false);
    }
    let port_list = split(&ports).unwrap_or_default();
    if port_list.len() > 1 && port_list.len() != count {
        return count_error(&ports, port_list.len(), count, true);
    }
    (0..count)
        .map(|index| {
            let part = |list: &Option<Vec<String>>| list.as_ref().map_or("", |list| list[index].as_str()).to_owned();
            let port = port_list.get(index).or(port_list.first()).map_or("", String::as_str);
            Ok(Host {
                place: place(part(&name_list), names.as_ref(), &part(&address_list), addresses.as_ref())?,
                port: match port {
                    "" => PORT_DEFAULT,
                    text => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| TargetError::Value {
                        name: ports.as_ref().map_or("port", |setting| setting.origin).to_owned(),
                        accepted: "a number from 1 to 65535 for each host, or one for all",
                    })?,
                },
            })
        })
        .collect()
}

fn place(
    name: String,
    names: Option<&Setting>,
    address: &str,
    addresses: Option<&Setting>,
) -> Result<Place, TargetError> {
    // Also a URL that stands where only its host belongs, and may have a password in it.
    let is_address = || name.split('%').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    if name.contains(':') && !name.starts_with(['/', '@']) && !is_address() {
        return Err(TargetError::Value {
            name: names.map_or("host", |setting| setting.origin).to_owned(),
            accepted: "a name, an address or the directory of a socket for each host, and no port",
        });
    }
    if !address.is_empty() {
        let address = address.parse().map_err(|_| TargetError::Value {
            name: addresses.map_or("hostaddr", |setting| setting.origin).to_owned(),
            accepted: "an IPv4 or IPv6 address for each host",
        })?;
        return Ok(Place::Tcp { name, address: Some(address) });
    }
    match name.as_bytes().first() {
        None => Ok(Place::DefaultSocket),
        Some(b'/') => Ok(Place::Socket(PathBuf::from(name))),
        Some(b'@') => {
            Err(TargetError::Conflict("abstract Unix sockets are not supported: give the socket's directory"))
        }
        Some(_) => {
            let address: Option<IpAddr> = name.parse().ok();
            Ok(Place::Tcp { name, address })
        }
    }
}

fn tls(settings: &mut Settings, directory: Option<PathBuf>) -> Result<TlsSettings, TargetError> {
    let roots = settings.take("sslrootcert").map(|setting| match setting.value.as_str() {
        "system" => Roots::System,
        _ => Roots::File(PathBuf::from(setting.value)),
    });
    let mode = choice(
        settings.take("sslmode"),
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Prefer),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
        "disable, allow, prefer, require, verify-ca or verify-full",
    )?;
    let system = roots == Some(Roots::System);
    if system && mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
        // Anybody can have a certificate from a public authority: without the name it proves nothing.
        return Err(TargetError::Conflict("sslrootcert=system needs sslmode=verify-full"));
    }
    let mode = mode.unwrap_or(if system { SslMode::VerifyFull } else { SslMode::default() });
    let direct =
        choice(settings.take("sslnegotiation"), &[("postgres", false), ("direct", true)], "postgres or direct")?
            .unwrap_or(false);
    if direct && mode < SslMode::Require {
        return Err(TargetError::Conflict("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full"));
    }
    let versions = [("TLSv1.2", TlsVersion::V12), ("TLSv1.3", TlsVersion::V13)];
    let accepted = "TLSv1.2 or TLSv1.3";
    let version_min = match settings.take("ssl_min_protocol_version") {
        // Older versions are never spoken, so a lower bound below asks for less than is given.
        Some(setting) if ["TLSv1", "TLSv1.1"].contains(&setting.value.as_str()) => None,
        setting => choice(setting, &versions, accepted)?,
    };
    let version_max = choice(settings.take("ssl_max_protocol_version"), &versions, accepted)?;
    if version_max.is_some_and(|max| version_min.is_some_and(|min| min > max)) {
        return Err(TargetError::Conflict("ssl_min_protocol_version is above ssl_max_protocol_version"));
    }
    let path = |setting: Setting| PathBuf::from(setting.value);
    Ok(TlsSettings {
        mode,
        direct,
        roots,
        certificate: settings.take("sslcert").map(path),
        key: settings.take("sslkey").map(path),
        show_certificate: choice(
            settings.take("sslcertmode"),
            &[("disable", false), ("allow", true)],
            "disable or allow",
        )?
        .unwrap_or(true),
        server_name_indication: switch(settings.take("sslsni"))?.unwrap_or(true),
        version_min,
        version_max,
        directory,
    })
}

fn keepalive(settings: &mut Settings) -> Result<Option<Keepalive>, TargetError> {
    let wanted = switch(settings.take("keepalives"))?.unwrap_or(true);
    let default = Keepalive::default();
    // Zero asks for the default, as in libpq.
    let seconds = |setting, default: Duration| -> Result<Duration, TargetError> {
        let given: Option<u32> = number(setting, "a number of seconds")?;
        Ok(given.filter(|seconds| *seconds > 0).map_or(default, |seconds| Duration::from_secs(u64::from(seconds))))
    };
    let keepalive = Keepalive {
        idle: seconds(settings.take("keepalives_idle"), default.idle)?,
        interval: seconds(settings.take("keepalives_interval"), default.interval)?,
        retries: number(settings.take("keepalives_count"), "a number of probes")?
            .filter(|count| *count > 0)
            .unwrap_or(default.retries),
    };
    Ok(wanted.then_some(keepalive))
}

fn choice<T: Copy>(
    setting: Option<Setting>,
    known: &[(&str, T)],
    accepted: &'static str,
) -> Result<Option<T>, TargetError> {
    let Some(setting) = setting else { return Ok(None) };
    match known.iter().find(|(word, _)| *word == setting.value) {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(TargetError::Value { name: setting.origin.to_owned(), accepted }),
    }
}

fn switch(setting: Option<Setting>) -> Result<Option<bool>, TargetError> {
    choice(setting, &[("0", false), ("1", true)], "0 or 1")
}

fn number(setting: Option<Setting>, accepted: &'static str) -> Result<Option<u32>, TargetError> {
    let Some(setting) = setting else { return Ok(None) };
    match setting.value.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(TargetError::Value { name: setting.origin.to_owned(), accepted }),
    }
}

/// libpq takes zero and negative numbers for "no limit"; here they leave the limit to Jeday.
fn seconds(setting: Option<Setting>) -> Result<Option<Duration>, TargetError> {
    let Some(setting) = setting else { return Ok(None) };
    match setting.value.trim().parse::<i32>() {
        Ok(seconds) => Ok(u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)),
        Err(_) => Err(TargetError::Value { name: setting.origin.to_owned(), accepted: "a whole number of seconds" }),
    }
}
