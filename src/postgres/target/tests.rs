//! Tables of connection strings as libpq users write them, and what no string may do.

use super::*;
use proptest::prelude::*;

fn none(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Target {
    Target::parse(text, none).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refuse(text: &str) -> String {
    match Target::parse(text, none) {
        Ok(target) => panic!("{text} was accepted as {target}"),
        Err(error) => error.to_string(),
    }
}

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Target, TargetError> {
    Target::parse(text, |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn forms_of_libpq_documentation_are_understood() {
    // Text and its canonical form.
    let table = [
        ("postgresql://", "postgres://:5432"),
        ("postgresql://localhost", "postgres://localhost:5432"),
        ("postgresql://localhost:5433", "postgres://localhost:5433"),
        ("postgresql://localhost/mydb", "postgres://localhost:5432/mydb"),
        ("postgresql://user@localhost", "postgres://user@localhost:5432"),
        ("postgresql://user:secret@localhost", "postgres://user:***@localhost:5432"),
        (
            "postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp",
            "postgres://other@localhost:5432/otherdb?application_name=myapp&connect_timeout=10",
        ),
        (
            "postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp",
            "postgres://host1:123,host2:456/somedb?application_name=myapp",
        ),
        (
            "postgresql://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Don",
            "postgres://user@localhost:5433/mydb?options=-c%20synchronous_commit%3Don",
        ),
        ("postgresql:///mydb?host=localhost&port=5433", "postgres://localhost:5433/mydb"),
        ("postgresql://[2001:db8::1234]/database", "postgres://[2001:db8::1234]:5432/database"),
        ("postgresql://[::1]:7", "postgres://[::1]:7"),
        ("postgresql://[fe80::1%25eth0]", "postgres://[fe80::1%25eth0]:5432"),
        ("host='fe80::1%a]b'", "postgres://[fe80::1%25a%5Db]:5432"),
        ("postgresql:///dbname?host=/var/lib/postgresql", "postgres://%2Fvar%2Flib%2Fpostgresql:5432/dbname"),
        ("postgresql://%2Fvar%2Flib%2Fpostgresql/dbname", "postgres://%2Fvar%2Flib%2Fpostgresql:5432/dbname"),
        ("postgres://u%40corp:p%2Fw%3A@h%2Ex/d%20b", "postgres://u%40corp:***@h.x:5432/d%20b"),
        ("postgres://:pw@h", "postgres://:***@h:5432"),
        ("postgres://h?", "postgres://h:5432"),
        ("postgres://h/?sslmode=require&", "postgres://h:5432?sslmode=require"),
        ("postgres://h?ssl=true", "postgres://h:5432?sslmode=require"),
        ("postgres://h?sslmode=allow", "postgres://h:5432"),
        ("postgres://a,b,c:1/d", "postgres://a:5432,b:5432,c:1/d"),
        ("postgres://a:1?host=b&port=2", "postgres://b:2"),
        ("  postgres://h/d\n", "postgres://h:5432/d"),
        ("", "postgres://:5432"),
        (
            "host=localhost port=5432 dbname=mydb connect_timeout=10",
            "postgres://localhost:5432/mydb?connect_timeout=10",
        ),
        ("host = 'h'  user='it\\'s \\\\me' password = 'a b'", "postgres://it%27s%20%5Cme:***@h:5432"),
        ("user=a\\ b host=h", "postgres://a%20b@h:5432"),
        ("host='' user=u password=''", "postgres://u@:5432"),
        ("host=a,b port=1 user=u user=v", "postgres://v@a:1,b:1"),
        ("host=/run/postgresql,db port=1,2", "postgres://%2Frun%2Fpostgresql:1,db:2"),
        ("hostaddr=10.0.0.1", "postgres://:5432?hostaddr=10.0.0.1"),
        ("host=db hostaddr=10.0.0.1", "postgres://db:5432?hostaddr=10.0.0.1"),
        ("host=db,dc hostaddr=,::1", "postgres://db:5432,dc:5432?hostaddr=%2C%3A%3A1"),
        ("dbname=x options='-c a://b=c'", "postgres://:5432/x?options=-c%20a%3A%2F%2Fb%3Dc"),
        ("sslrootcert=system host=h", "postgres://h:5432?sslmode=verify-full&sslrootcert=system"),
        ("host=h gssencmode=disable client_encoding=UTF8 replication=off krbsrvname=x", "postgres://h:5432"),
    ];
    for (text, canonical) in table {
        let target = parse(text);
        assert_eq!(target.to_string(), canonical, "{text}");
        if target.password.is_none() {
            assert_eq!(parse(canonical), target, "what is shown can be read again: {text}");
        }
    }
}

#[test]
fn values_reach_their_fields() {
    let target = parse(
        "host=h user=u password='p w' sslmode=verify-ca sslnegotiation=direct sslcert=c sslkey=k sslrootcert=r \
         channel_binding=require keepalives_idle=5 keepalives_interval=0 keepalives_count=2 tcp_user_timeout=1500 \
         load_balance_hosts=random target_session_attrs=prefer-standby connect_timeout=3 ssl_min_protocol_version=TLSv1.3",
    );
    assert_eq!(target.password.as_ref().map(Secret::expose), Some("p w"));
    assert_eq!(target.tls.mode, SslMode::VerifyCa);
    assert!(target.tls.direct && target.random_order);
    assert_eq!(target.tls.roots, Some(Roots::File("r".into())));
    assert_eq!(target.tls.version_min, Some(TlsVersion::V13));
    assert_eq!(target.channel_binding, ChannelBinding::Require);
    let keepalive = Keepalive { idle: Duration::from_secs(5), retries: 2, ..Keepalive::default() };
    assert_eq!(target.keepalive, Some(keepalive));
    assert_eq!(target.user_timeout, Some(Duration::from_millis(1500)));
    assert_eq!(target.attributes, SessionAttributes::PreferStandby);
    assert_eq!(target.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(parse("keepalives=0").keepalive, None);
    assert_eq!(parse("connect_timeout=0").connect_timeout, None);
    assert_eq!(parse("connect_timeout=-1").connect_timeout, None);
}

#[test]
fn environment_fills_what_the_text_leaves_open() {
    let variables = [
        ("PGHOST", "envhost"),
        ("PGPORT", "6000"),
        ("PGUSER", "envuser"),
        ("PGPASSWORD", "envpassword"),
        ("PGDATABASE", "envdb"),
        ("PGSSLMODE", "require"),
        ("PGAPPNAME", "app"),
        ("PGCONNECT_TIMEOUT", "7"),
        ("PGTARGETSESSIONATTRS", "read-write"),
        ("PGOPTIONS", "-c a=b"),
        ("PGSSLROOTCERT", ""),
        ("PGPASSFILE", "/pass"),
        ("HOME", "/home/u"),
    ];
    let target = with("", &variables).unwrap();
    assert_eq!(
        target.to_string(),
        "postgres://envuser:***@envhost:6000/envdb?sslmode=require&target_session_attrs=read-write\
         &application_name=app&options=-c%20a%3Db&connect_timeout=7"
    );
    assert_eq!(target.passfile, Some("/pass".into()));
    assert_eq!(target.tls.directory, Some("/home/u/.postgresql".into()));
    let target = with("postgres://me@mine:1/own?sslmode=disable", &variables).unwrap();
    assert!(target.to_string().starts_with("postgres://me:***@mine:1/own?sslmode=disable&"));
    // A list of hosts without ports has the default port on each, not the environment's.
    assert!(with("postgres://a,b", &variables).unwrap().to_string().contains("@a:5432,b:5432/"));
    assert_eq!(with("", &[("HOME", "/h")]).unwrap().passfile, Some("/h/.pgpass".into()));
}

#[test]
fn errors_from_the_environment_name_the_variable() {
    let error = |name: &str, value: &str| with("", &[(name, value)]).unwrap_err().to_string();
    assert!(error("PGPORT", "x").contains("PGPORT"));
    assert!(error("PGSSLMODE", "maybe").contains("PGSSLMODE"));
    assert!(error("PGREQUIREAUTH", "scram-sha-256").contains("PGREQUIREAUTH"));
    assert!(error("PGSERVICE", "prod").contains("PGSERVICE"));
    assert!(with("postgres://h", &[("PGSERVICE", "prod")]).is_ok());
}

#[test]
fn mistakes_are_named_with_what_is_accepted() {
    // Text, words of the error.
    let table: &[(&str, &[&str])] = &[
        ("mydb", &["neither", "postgres://"]),
        ("mysql://h/d", &["neither"]),
        ("http://h/d?a=b", &["begin with postgres://"]),
        ("postgres://h:port", &["port", "1 to 65535"]),
        ("postgres://h:0", &["port", "1 to 65535"]),
        ("postgres://h:65536", &["port"]),
        ("postgres://::1/d", &["brackets"]),
        ("postgres://[::1", &["brackets"]),
        ("postgres://[]/d", &["brackets"]),
        ("postgres://[::1]x/d", &["brackets"]),
        ("postgres://a%zz@h", &["user", "%25"]),
        ("postgres://u:a%2@h", &["password", "%25"]),
        ("postgres://u:a%00@h", &["password"]),
        ("postgres://h/d%ff", &["database name"]),
        ("postgres://u:p@ss@h/d", &["percent-encoded", "%40"]),
        ("postgres://u:1/ss@h/d", &["percent-encoded", "%2F"]),
        ("postgres://u:p/ss@h/d", &["percent-encoded", "%2F"]),
        ("postgres://u:p@ss?application_name=secret@h/d", &["percent-encoded", "%40"]),
        ("postgres://u:1/secret?application_name=secret@h/d", &["percent-encoded", "%40"]),
        ("postgres:///d?user=u@corp", &["percent-encoded", "%40"]),
        ("host=db:5432", &["host", "no port"]),
        ("host=postgres://u:secret@h/d", &["host", "no port"]),
        ("user='a\0b'", &["user", "zero byte"]),
        ("postgres://h\0/d", &["host", "zero byte"]),
        ("postgres://h?sslmode", &["'='"]),
        ("postgres://h?ssl=yes", &["ssl", "true"]),
        ("postgres://h?sslmod=require", &["no connection parameter sslmod", "did you mean sslmode?"]),
        ("postgres://h?zzz=1", &["no connection parameter zzz"]),
        ("postgres://h?pool_max_conns=4", &["pool_max_conns", "Go driver"]),
        ("postgres://h?search_path=x", &["search_path", "options=-c"]),
        ("postgres://h?sslmode=strict", &["sslmode", "verify-full"]),
        ("postgres://h?sslcrl=x", &["sslcrl is not supported"]),
        ("postgres://h?service=x", &["service is not supported", "database URL"]),
        ("postgres://h?gssencmode=require", &["gssencmode", "Kerberos"]),
        ("postgres://h?connect_timeout=soon", &["connect_timeout", "seconds"]),
        ("postgres://h?target_session_attrs=rw", &["target_session_attrs", "read-write"]),
        ("postgres://a,b:1,c:2?port=1,2", &["port lists 2 entries for 3 hosts", "one for all"]),
        ("host=a,b hostaddr=10.0.0.1", &["hostaddr lists 1 entries for 2 hosts"]),
        ("hostaddr=db", &["hostaddr", "IPv4"]),
        ("host=@abstract", &["abstract"]),
        ("host=h dbname", &["'=' is missing", "host"]),
        ("=x", &["'=' is missing", "beginning"]),
        ("host='h", &["host", "closing quote"]),
        ("password=my secret", &["'=' is missing", "password"]),
        ("password=my secret=word host=h", &["follows the password", "quotes"]),
        ("host=h sslnegotiation=direct", &["sslnegotiation=direct", "require"]),
        ("host=h sslrootcert=system sslmode=require", &["system", "verify-full"]),
        ("hostaddr=10.0.0.1 sslmode=verify-full", &["verify-full", "host name"]),
        ("ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", &["above"]),
    ];
    for (text, words) in table {
        let error = refuse(text);
        for word in *words {
            assert!(error.contains(word), "{text}: {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn password_file_lines_match_in_order() {
    let file = "# comment\nh:5432:d:other:no\nh:*:*:u\\:x:colon\\:ed\n*:*:d:u:p:rest\nlocalhost:1:d:u:l\\\\\n";
    let find = |host, port, database, user| {
        look_up_password(file, host, port, database, user).map(|secret| secret.expose().to_owned())
    };
    assert_eq!(find("h", 1, "d", "u:x"), Some("colon:ed".into()));
    assert_eq!(find("any", 9, "d", "u"), Some("p".into()));
    assert_eq!(find("any", 9, "e", "u"), None);
    assert_eq!(look_up_password("localhost:1:d:u:l\\\\", "localhost", 1, "d", "u").unwrap().expose(), "l\\");
    assert!(look_up_password("\\*:1:d:u:p", "h", 1, "d", "u").is_none());
}

/// Distinctive enough not to occur in a canonical form by chance.
fn password() -> impl Strategy<Value = String> {
    "[A-Z]{3}[ -~]{4,20}[A-Z]{3}"
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,60}", scheme in prop_oneof![Just(""), Just("postgres://"), Just("host=")]) {
        let _ = Target::parse(&format!("{scheme}{text}"), none);
    }

    #[test]
    fn no_uri_shaped_text_panics(text in "[a-z%@:/?,=&\\[\\]0-9 '\\\\]{0,40}") {
        let _ = Target::parse(&format!("postgres://{text}"), none);
        let _ = Target::parse(&text, none);
        let _ = look_up_password(&text, "h", 1, "d", "u");
    }

    #[test]
    fn shown_forms_never_hold_the_password(password in password()) {
        let escaped = percent_encoding::utf8_percent_encode(&password, percent_encoding::NON_ALPHANUMERIC).to_string();
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        for text in [format!("postgres://u:{escaped}@h/d"), format!("host=h user=u password='{quoted}'")] {
            let target = Target::parse(&text, none).unwrap();
            prop_assert_eq!(target.password.as_ref().unwrap().expose(), &password);
            for shown in [target.to_string(), format!("{target:?}"), format!("{target:#?}")] {
                prop_assert!(!shown.contains(&password) && !shown.contains(&escaped), "{}", shown);
            }
        }
    }

    #[test]
    fn errors_never_hold_a_piece_of_an_unescaped_password(password in password()) {
        for text in [
            format!("postgres://u:{password}@h/d?sslmod=x"),
            format!("postgres://u:{password}@h:x/d"),
            format!("user=u password={password} sslmod=x"),
            format!("user=u password='{password} host=h"),
        ] {
            if let Err(error) = Target::parse(&text, none) {
                let shown = format!("{error} {error:?}");
                for piece in password.split(|c: char| !c.is_ascii_alphanumeric()).filter(|piece| piece.len() > 3) {
                    prop_assert!(!shown.contains(piece), "{}: {}", text, shown);
                }
            }
        }
    }
}
