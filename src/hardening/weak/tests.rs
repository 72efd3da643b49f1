//! Records against values computed elsewhere, round trips, and what must not verify.

use proptest::prelude::*;

use super::*;

const ZEROES: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const COUNTING: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn peppers(value: &str) -> Peppers {
    let keys = Keys::from_value(KeyKind::Pepper, value).unwrap();
    Peppers::new(&keys).unwrap()
}

fn password(text: &str) -> Password {
    Password::attempt(text.into()).unwrap()
}

fn salt() -> Salt {
    Salt::new(std::array::from_fn(|at| 0xf0 | at as u8))
}

fn record(text: &str) -> String {
    peppers(COUNTING).newest().record(salt(), &password(text)).as_str().to_owned()
}

// python: b64encode(hmac.digest(bytes(range(32)), bytes(range(0xf0, 0x100)) + password, 'sha256')).rstrip(b'=')
#[test]
fn records_equal_those_computed_elsewhere() {
    assert_eq!(
        record("correct horse battery staple"),
        "$hmac-sha256$k=39900f0c27a4$8PHy8/T19vf4+fr7/P3+/w$VPMFsoCNkkKYoRX+qh50pCnBKhxEikin/10PkDCCEyM"
    );
    assert_eq!(
        record("пароль-😀"),
        "$hmac-sha256$k=39900f0c27a4$8PHy8/T19vf4+fr7/P3+/w$20kzqcOCgXvINIdrk+xpRgtb5UG5tGq1xQqcTyRE9Og"
    );
    assert_eq!(
        record(&"x".repeat(256)),
        "$hmac-sha256$k=39900f0c27a4$8PHy8/T19vf4+fr7/P3+/w$QatbbQL5mrfHBd91cE3fx9kdprMSOd+yMmpZQfIKfyw"
    );
    assert_eq!(
        record(""),
        "$hmac-sha256$k=39900f0c27a4$8PHy8/T19vf4+fr7/P3+/w$FSd7J1j/ZzqpL5lLxysP6QQ5XwyxjUD1gsUDyJOXtjc"
    );
}

#[test]
fn only_the_right_password_verifies() {
    let peppers = peppers(COUNTING);
    let record = peppers.newest().record(salt(), &password("k7#mQ2xz"));
    assert_eq!(peppers.verify(&record, &password("k7#mQ2xz")), Ok(true));
    for wrong in ["k7#mQ2xZ", "k7#mQ2xz ", "k7#mQ2x", ""] {
        assert_eq!(peppers.verify(&record, &password(wrong)), Ok(false), "{wrong}");
    }
}

#[test]
fn an_older_pepper_still_verifies_and_a_lost_one_is_named() {
    let old = peppers(COUNTING);
    let record = old.newest().record(salt(), &password("k7#mQ2xz"));
    let rotated = peppers(&format!("{ZEROES},{COUNTING}"));
    assert_ne!(rotated.newest().id(), record.pepper());
    assert_eq!(rotated.verify(&record, &password("k7#mQ2xz")), Ok(true));
    assert_eq!(rotated.verify(&record, &password("k7#mQ2xy")), Ok(false));
    let lost = peppers(ZEROES).verify(&record, &password("k7#mQ2xz"));
    assert_eq!(lost, Err(UnknownPepper(record.pepper())));
}

#[test]
fn pepper_and_salt_both_change_the_digest() {
    let (peppers, other) = (peppers(COUNTING), peppers(ZEROES));
    let digest = |pepper: &Pepper, salt| *pepper.digest(&salt, &password("k7#mQ2xz")).as_bytes();
    assert_ne!(digest(peppers.newest(), salt()), digest(other.newest(), salt()));
    assert_ne!(digest(peppers.newest(), salt()), digest(peppers.newest(), Salt::new([0; SALT_BYTES])));
}

#[test]
fn anything_but_a_record_is_refused() {
    let good = record("k7#mQ2xz");
    let with = |at: usize, byte: &str| format!("{}{byte}{}", &good[..at], &good[at + 1..]);
    let mut bad = vec![
        String::new(),
        good[1..].to_owned(),
        format!("{good}="),
        format!("{good}\n"),
        good.to_uppercase(),
        good.replace("sha256", "sha512"),
        "$argon2id$v=19$m=65536,t=1,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        with(ID_AT, "G"),
        with(SALT_AT, "_"),
        with(DIGEST_AT, "-"),
        with(SALT_AT - 1, "."),
        with(DIGEST_AT - 1, "."),
        // Same length in bytes, no character boundary where a part ends.
        format!("{}é{}", &good[..SALT_AT - 2], &good[SALT_AT..]),
    ];
    // The last digits carry bits that belong to no byte: a second spelling of the same record.
    bad.push(with(DIGEST_AT - 2, "B"));
    bad.push(with(RECORD_BYTES - 1, "B"));
    for text in bad {
        assert_eq!(WeakRecord::parse(&text).err(), Some(WeakRecordError), "{text}");
    }
}

#[test]
fn keys_without_a_pepper_make_none() {
    assert_eq!(Peppers::new(&Keys::default()).err(), Some(NoPepper));
}

proptest! {
    #[test]
    fn a_record_survives_the_round_trip(text in "\\PC{0,40}", salt: [u8; SALT_BYTES]) {
        let peppers = peppers(COUNTING);
        let made = peppers.newest().record(Salt::new(salt), &password(&text));
        let read = WeakRecord::parse(made.as_str()).unwrap();
        prop_assert_eq!(read.as_str(), made.as_str());
        prop_assert_eq!((read.pepper(), read.salt()), (made.pepper(), &Salt::new(salt)));
        prop_assert_eq!(read.digest().as_bytes(), made.digest().as_bytes());
        prop_assert_eq!(peppers.verify(&read, &password(&text)), Ok(true));
    }

    #[test]
    fn what_is_read_has_one_spelling(text in "\\$hmac-sha256\\$k=[0-9a-f]{12}\\$[A-Za-z0-9+/]{22}\\$[A-Za-z0-9+/]{43}") {
        if let Ok(read) = WeakRecord::parse(&text) {
            let again = WeakRecord::encode(read.pepper(), *read.salt(), read.digest().clone());
            prop_assert_eq!(again.as_str(), text);
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = WeakRecord::parse(&text);
    }
}
