//! Where the database is: the first line is what an operator writes, each further one a variable of his environment.

use jeday::postgres::target::{Target, TargetError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What no text of a target may show.
const SECRET: &str = "3f7a-secret-9c41";

/// What is read can be shown and read again, and shows no password, whichever it is.
pub fn database_url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (url, environment) = text.split_once('\n').unwrap_or((text, ""));
    let variable = |name: &str| {
        let value = environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    };
    if let Ok(target) = Target::parse(url, variable) {
        let shown = target.to_string();
        // What the environment has given is in it as well.
        let again = Target::parse(&shown, |_| None).unwrap_or_else(|error| panic!("{error}: {shown} of {text:?}"));
        assert_eq!(again.to_string(), shown, "{text:?}");
        assert_eq!((again.user(), again.database()), (target.user(), target.database()), "{text:?}");
    }
    // Some texts hold it themselves by now.
    if !text.contains(SECRET) {
        let said = match Target::parse(
            url,
            |name| if name == "PGPASSWORD" { Some(SECRET.to_owned()) } else { variable(name) },
        ) {
            Ok(target) => format!("{target} {target:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!said.contains(SECRET), "{said}");
    }
    as_password(text);
}

/// A password is the same in both notations, and is not told by what is shown, nor by an error about one that was not
/// escaped.
fn as_password(password: &str) {
    if password.is_empty() || password.contains('\0') {
        return;
    }
    let escaped = utf8_percent_encode(password, NON_ALPHANUMERIC);
    let quoted = password.replace('\\', r"\\").replace('\'', r"\'");
    let texts = [
        format!("postgres://u:{escaped}@h:5432/d"),
        format!("postgres://u@h/d?password={escaped}"),
        format!("user=u password='{quoted}' host=h port=5432 dbname=d"),
    ];
    let targets = texts.map(|text| Target::parse(&text, |_| None).unwrap_or_else(|error| panic!("{error}: {text}")));
    assert!(targets.iter().all(|target| *target == targets[0]), "{password:?}");
    assert_eq!(targets[0].to_string(), "postgres://u:***@h:5432/d", "{password:?}");

    match Target::parse(&format!("postgres://u:{password}@h:5432/d"), |_| None) {
        // A name of a parameter may be the rest of the password.
        Err(error @ TargetError::Unknown { .. }) => panic!("{error}: {password:?}"),
        Err(_) => {}
        Ok(target) => assert_eq!(target.to_string(), "postgres://u:***@h:5432/d", "{password:?}"),
    }
}
