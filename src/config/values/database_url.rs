//! The look of a database address: whether it is one, and how to show it without its secrets. Never interprets it.

use super::secret::MASK;

/// Why a text cannot be the address of a PostgreSQL database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// A URL for something else.
    #[error("it does not start with postgres:// or postgresql://")]
    Scheme,
    /// Neither a URL nor `key=value` pairs.
    #[error("it is neither a URL nor key=value pairs")]
    Malformed,
}

/// Parameters that may be shown. Any other one is masked: it is better to hide a harmless one than to show a password.
const SHOWN: [&str; 23] = [
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "load_balance_hosts",
    "options",
    "port",
    "require_auth",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Parameters of which only the value is masked.
const SECRET: [&str; 4] = ["passfile", "password", "scram_client_key", "sslpassword"];

/// Whether the text has one of the two forms that libpq knows; what they say is for the PostgreSQL folder to judge.
///
/// # Errors
/// [`DatabaseUrlError`] says why not.
pub fn check(text: &str) -> Result<(), DatabaseUrlError> {
    if text.trim().is_empty() {
        Err(DatabaseUrlError::Empty)
    } else if after_scheme(text).is_some() {
        Ok(())
    } else if text.contains("://") && !text.contains('=') {
        Err(DatabaseUrlError::Scheme)
    } else if text.contains('=') {
        match text.split('=').next() {
            Some(name) if name.contains("://") => Err(DatabaseUrlError::Scheme),
            _ => Ok(()),
        }
    } else {
        Err(DatabaseUrlError::Malformed)
    }
}

/// The address with passwords and unknown parameters replaced by `***`; everything is, where the parts cannot be told
/// apart.
pub fn mask(text: &str) -> String {
    let text = text.trim();
    match after_scheme(text) {
        Some((scheme, rest)) => match mask_url(rest) {
            Some(masked) => format!("{scheme}{masked}"),
            None => format!("{scheme}{MASK}"),
        },
        None => mask_pairs(text).unwrap_or_else(|| MASK.to_owned()),
    }
}

fn after_scheme(text: &str) -> Option<(&str, &str)> {
    ["postgres://", "postgresql://"].iter().find_map(|scheme| {
        let rest = text.trim_start().strip_prefix(scheme)?;
        Some((*scheme, rest))
    })
}

/// None when a separator inside a password may have moved the borders of the parts.
fn mask_url(rest: &str) -> Option<String> {
    let tail_start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(tail_start);
    if tail.contains(['@', '#']) {
        return None;
    }
    let mut shown = String::new();
    match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            match credentials.split_once(':') {
                Some((user, _)) => shown.push_str(&format!("{user}:{MASK}")),
                None => shown.push_str(credentials),
            }
            shown.push('@');
            shown.push_str(hosts);
        }
        // Where a port should be there may be a password whose host was forgotten.
        None if !authority.split(',').all(has_plain_port) => return None,
        None => shown.push_str(authority),
    }
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tail, None),
    };
    shown.push_str(path);
    if let Some(query) = query {
        let pairs: Vec<String> = query.split('&').map(mask_parameter).collect();
        shown.push('?');
        shown.push_str(&pairs.join("&"));
    }
    Some(shown)
}

fn has_plain_port(host: &str) -> bool {
    let after_brackets = host.rsplit(']').next().unwrap_or(host);
    match after_brackets.split_once(':') {
        Some((_, port)) => port.bytes().all(|byte| byte.is_ascii_digit()),
        None => true,
    }
}

/// A name is shown only when it is known: an unescaped separator in a password makes its second half look like a name.
fn mask_parameter(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if SHOWN.contains(&name) => pair.to_owned(),
        Some((name, _)) if SECRET.contains(&name) => format!("{name}={MASK}"),
        _ => MASK.to_owned(),
    }
}

/// `key=value` pairs with libpq's rules: spaces around `=`, values in single quotes, a backslash before any character.
fn mask_pairs(text: &str) -> Option<String> {
    let mut shown = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if name.is_empty() || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            return None;
        }
        let after = after.trim_start();
        let end = value_end(after)?;
        shown.push(mask_parameter(&format!("{name}={}", &after[..end])));
        rest = after[end..].trim_start();
    }
    Some(shown.join(" "))
}

/// Where the value at the start of the text ends; None when its quote is never closed.
fn value_end(text: &str) -> Option<usize> {
    let quoted = text.starts_with('\'');
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '\'' if quoted => return Some(at + 1),
            character if !quoted && character.is_whitespace() => return Some(at),
            _ => {}
        }
    }
    (!quoted).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn passwords_in_urls_are_masked() {
        for (text, shown) in [
            (
                "postgres://jeday:hunter2@db:5432/auth?sslmode=require",
                "postgres://jeday:***@db:5432/auth?sslmode=require",
            ),
            ("postgresql://jeday@db/auth", "postgresql://jeday@db/auth"),
            (
                "postgres:///auth?host=/run/pg&user=j&password=hunter2",
                "postgres:///auth?host=/run/pg&user=j&password=***",
            ),
            ("postgres://a:p@ss:w@h1:1,h2:2/auth", "postgres://a:***@h1:1,h2:2/auth"),
            ("postgres://a:hunter/2@db/auth", "postgres://***"),
            ("postgres://a:hunter?2@db/auth", "postgres://***"),
            ("postgres://a:hunter#2@db/auth", "postgres://***"),
            ("postgres://db/auth?password=h@nter2", "postgres://***"),
            ("postgres://jeday:hunter2", "postgres://***"),
            ("postgres://[::1]:5432/auth", "postgres://[::1]:5432/auth"),
            ("postgres://db/auth?hunter2", "postgres://db/auth?***"),
            ("postgres://db/auth?sslpassword=x&apikey=y", "postgres://db/auth?sslpassword=***&***"),
        ] {
            assert_eq!(mask(text), shown, "{text}");
        }
    }

    #[test]
    fn passwords_in_pairs_are_masked() {
        assert_eq!(
            mask(r"host=db password = 'hun\'ter 2' dbname=auth user=j"),
            "host=db password=*** dbname=auth user=j"
        );
        assert_eq!(mask(r"password=hunter\ 2 host='a b'"), "password=*** host='a b'");
        assert_eq!(mask("password='hunter2"), "***");
        assert_eq!(mask("hunter2"), "***");
    }

    #[test]
    fn other_databases_are_refused() {
        assert_eq!(check("postgres://db/auth"), Ok(()));
        assert_eq!(check("host=/run/postgresql dbname=auth"), Ok(()));
        assert_eq!(check(""), Err(DatabaseUrlError::Empty));
        assert_eq!(check("mysql://db/auth"), Err(DatabaseUrlError::Scheme));
        assert_eq!(check("mysql://db/a?b=c"), Err(DatabaseUrlError::Scheme));
        assert_eq!(check("db"), Err(DatabaseUrlError::Malformed));
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(
            before in "[:/?#@&= ']{0,3}",
            after in "[:/?#@&= ']{0,3}",
            user in "[a-z]{1,3}",
        ) {
            let password = format!("{before}HUNTER2{after}");
            for url in [
                format!("postgres://{user}:{password}@db:5432/auth?sslmode=require"),
                format!("postgres://db/auth?user={user}&password={password}"),
                format!("host=db password={password}"),
                format!("password='{password}' host=db"),
            ] {
                prop_assert!(!mask(&url).contains("HUNTER2"), "{}", url);
            }
        }
    }
}
