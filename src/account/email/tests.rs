//! What the address grammar takes, refuses and makes equal.

use proptest::prelude::*;

use super::*;

fn parsed(sent: &str) -> Result<String, EmailError> {
    Email::parse(sent).map(|email| email.as_str().to_owned())
}

#[test]
fn ordinary_addresses_are_taken() {
    for sent in ["a@b.co", "first.last+tag@sub.example.com", "o'neil@example.org", "!#$%&'*+-/=?^_`{|}~@example.com"] {
        assert_eq!(parsed(sent).as_deref(), Ok(sent));
    }
    assert_eq!(parsed("1@1.de").as_deref(), Ok("1@1.de"));
}

#[test]
fn spellings_of_one_mailbox_are_one_account() {
    for (sent, stored) in [
        ("Bob@Example.COM", "bob@example.com"),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
        ("bob@XN--Bcher-KVA.example", "bob@xn--bcher-kva.example"),
        ("bob@bücher。example", "bob@xn--bcher-kva.example"),
        ("bob@faß.de", "bob@xn--fa-hia.de"),
        ("JOSE\u{301}@example.com", "josé@example.com"),
        ("Jürgen.MÜLLER@example.com", "jürgen.müller@example.com"),
        ("用户@例え.jp", "用户@xn--r8jz45g.jp"),
    ] {
        assert_eq!(parsed(sent).as_deref(), Ok(stored), "{sent}");
    }
}

#[test]
fn broken_local_parts_are_refused() {
    for local in ["", ".a", "a.", "a..b", "a b", " a", "a\"b", "\"a\"", "a(b)", "a,b", "a@b", "a\0b", "a\u{7f}", "a\nb"]
    {
        assert_eq!(parsed(&format!("{local}@example.com")), Err(EmailError::LocalPart), "{local:?}");
    }
}

#[test]
fn characters_that_hide_or_imitate_are_refused_in_local_parts() {
    for (name, local) in [
        ("Kelvin sign", "mi\u{212a}e"),
        ("capital dotted I", "\u{130}stanbul"),
        ("full-width", "\u{ff42}ob"),
        ("full-width at", "bob\u{ff20}x"),
        ("ligature", "\u{fb01}nn"),
        ("zero width space", "b\u{200b}ob\u{e9}"),
        ("soft hyphen", "b\u{ad}ob"),
        ("right-to-left override", "bob\u{202e}"),
        ("C1 control", "bob\u{85}"),
        ("no-break space", "bob\u{a0}"),
        ("ideographic full stop", "bob\u{3002}x"),
        ("one dot leader", "bob\u{2024}x"),
        ("leading combining mark", "\u{301}bob"),
        ("unassigned", "bob\u{378}"),
        ("Greek question mark", "bob\u{37e}"),
        ("private use", "bob\u{e000}"),
    ] {
        assert_eq!(parsed(&format!("{local}@example.com")), Err(EmailError::LocalPart), "{name}");
    }
}

#[test]
fn broken_domains_are_refused() {
    for domain in [
        "",
        ".",
        ".com",
        "example.com.",
        "exa..mple",
        "-a.com",
        "a-.com",
        "a_b.com",
        "a b.com",
        "[127.0.0.1]",
        "[IPv6:::1]",
        "ab--cd.com",
        "xn--.com",
        "xn--a.com",
        "xn--abc-.com",
        "a\u{202e}b.com",
        "a\u{ff20}b.com",
        "a\0.com",
    ] {
        assert_eq!(parsed(&format!("bob@{domain}")), Err(EmailError::Domain), "{domain:?}");
    }
}

#[test]
fn domains_without_a_named_top_level_are_refused() {
    for domain in ["localhost", "com", "127.0.0.1", "example.123"] {
        assert_eq!(parsed(&format!("bob@{domain}")), Err(EmailError::DomainNotQualified), "{domain}");
    }
    assert_eq!(parsed("bob.example.com"), Err(EmailError::NoAt));
    assert_eq!(parsed(""), Err(EmailError::NoAt));
}

#[test]
fn lengths_are_exact() {
    let local = "a".repeat(64);
    assert!(parsed(&format!("{local}@example.com")).is_ok());
    assert_eq!(parsed(&format!("a{local}@example.com")), Err(EmailError::LocalPartTooLong));
    // 33 times two octets in 33 characters.
    assert_eq!(parsed(&format!("{}@example.com", "é".repeat(33))), Err(EmailError::LocalPartTooLong));

    let label = "b".repeat(63);
    assert!(parsed(&format!("a@{label}.com")).is_ok());
    assert_eq!(parsed(&format!("a@b{label}.com")), Err(EmailError::Domain));

    let domain = format!("{label}.{label}.{}", "c".repeat(61));
    let whole = format!("{local}@{domain}");
    assert_eq!(whole.len(), 254);
    assert!(parsed(&whole).is_ok());
    assert_eq!(parsed(&format!("{whole}c")), Err(EmailError::TooLong));
    assert_eq!(parsed(&"x".repeat(1 << 20)), Err(EmailError::TooLong));
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(sent in any_address()) {
        if let Ok(email) = Email::parse(&sent) {
            prop_assert_eq!(Email::parse(email.as_str()), Ok(email.clone()));
            prop_assert!(email.as_str().len() <= EMAIL_OCTETS_MAX);
        }
    }

    #[test]
    fn letter_case_never_makes_a_second_account(sent in "[a-zA-Z0-9.+_-]{1,20}@[a-zA-Z0-9-]{1,12}\\.[a-zA-Z]{2,6}") {
        prop_assert_eq!(parsed(&sent), parsed(&sent.to_ascii_uppercase()));
    }

    #[test]
    fn the_fast_path_for_domains_agrees_with_the_library(
        domain in "[a-zA-Z0-9.xn-]{0,70}|([a-z0-9-]{0,5}\\.){0,4}[a-z0-9]{1,4}",
    ) {
        if is_plain_domain(domain.as_bytes()) {
            let judged = Uts46::new()
                .to_ascii(domain.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify);
            // The length of the whole domain is left to the length of the whole address.
            if domain.len() <= 253 {
                prop_assert_eq!(judged.ok().map(Cow::into_owned), Some(domain.to_ascii_lowercase()));
            }
        }
    }

    #[test]
    fn no_input_panics(sent in any::<String>()) {
        let _ = Email::parse(&sent);
    }
}

fn any_address() -> impl Strategy<Value = String> {
    let local = prop_oneof![
        Just(String::from("bob")),
        "[a-zA-Z0-9.]{1,8}",
        "\\PC{1,6}",
        "[\u{e0}-\u{24f}e\u{301}\u{327}]{1,6}"
    ];
    let domain = prop_oneof![
        Just(String::from("example.com")),
        "\\PC{1,6}\\.[a-z]{2,3}",
        "[a-zA-Z0-9\u{e0}-\u{ff}-]{1,8}\\.com"
    ];
    (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"))
}
