//! The text of key files: what is read, what is refused, and that both directions agree.

use proptest::prelude::*;

use super::*;

const ZEROES: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const ID: &str = "c5d891b35c14";

fn problem(lines: &str) -> Option<(usize, KeyTextProblem)> {
    parse(lines.as_bytes()).err().map(|error| (error.line, error.problem))
}

type Content = (KeyKind, KeyId, Option<Timestamp>, bool, [u8; KEY_BYTES]);

fn contents(keys: &Keys) -> Vec<Content> {
    KeyKind::ALL
        .into_iter()
        .flat_map(|kind| keys.of(kind))
        .map(|key| (key.kind(), key.id(), key.created(), key.is_staged(), *key.secret()))
        .collect()
}

#[test]
fn a_hand_written_file_is_read() {
    let text = format!("jeday-keys 1\r\n\n  # mine\n pepper\t{ID}  2025-01-31T12:00:00Z {ZEROES}");
    let keys = parse(text.as_bytes()).unwrap();
    let created = "2025-01-31T12:00:00Z".parse().ok();
    assert!(contents(&keys) == [(KeyKind::Pepper, ID.parse().unwrap(), created, false, [0; KEY_BYTES])]);
}

#[test]
fn each_mistake_is_told_by_line_and_reason() {
    use KeyTextProblem::*;
    let line = |line: &str| problem(&format!("jeday-keys 1\n{line}\n"));
    let time = "2025-01-31T12:00:00Z";
    assert_eq!(problem(""), Some((1, Format)));
    assert_eq!(problem("jeday-keys 2\n"), Some((1, Format)));
    assert_eq!(line("pepper"), Some((2, Fields)));
    assert_eq!(line(&format!("pepper {ID} {time} {ZEROES} more")), Some((2, Fields)));
    assert_eq!(line(&format!("salt {ID} {time} {ZEROES}")), Some((2, Kind)));
    assert_eq!(line(&format!("pepper 12 {time} {ZEROES}")), Some((2, Id)));
    assert_eq!(line(&format!("pepper {ID} yesterday {ZEROES}")), Some((2, Created)));
    assert_eq!(line(&format!("pepper {ID} {time} {ZEROES}=")), Some((2, Key)));
    assert_eq!(line(&format!("pepper {ID} {time} AAAA")), Some((2, Key)));
    assert_eq!(line(&format!("pepper {ID} {time} B{}", &ZEROES[1..])), Some((2, OtherKey)));
    assert_eq!(line(&format!("pepper {ID} {time} {ZEROES} staged")), Some((2, Place)));
    let twice = format!("pepper {ID} {time} {ZEROES}\n");
    assert_eq!(line(&format!("{twice}{twice}")), Some((3, Repeated)));
    assert_eq!(parse(b"jeday-keys 1\n\xff\n").err().map(|error| error.problem), Some(NotText));
}

#[test]
fn a_staged_key_is_the_last_of_its_kind() {
    let mut keys = Keys::default();
    let key = || Key::generate(KeyKind::Refresh, Timestamp::UNIX_EPOCH).unwrap();
    keys.rotate(key()).unwrap();
    keys.stage(key()).unwrap();
    keys.0.push(key());
    assert_eq!(problem(&render(&keys, Timestamp::UNIX_EPOCH)).map(|problem| problem.1), Some(KeyTextProblem::Place));
    keys.0.pop();
    let read = parse(render(&keys, Timestamp::UNIX_EPOCH).as_bytes()).unwrap();
    assert!(contents(&read) == contents(&keys) && read.staged(KeyKind::Refresh).is_some());
}

#[test]
fn a_file_made_before_keys_for_signing_existed_is_read() {
    let lines = ["pepper c5d891b35c14", "token-local dae3586187a3", "refresh 3e19824bd8dd"]
        .map(|line| format!("{line} 2025-01-31T12:00:00Z {ZEROES}\n"));
    let keys = parse(format!("jeday-keys 1\n{}", lines.concat()).as_bytes()).unwrap();
    assert_eq!(KeyKind::ALL.map(|kind| keys.of(kind).count()), [1, 1, 0, 1]);
}

#[test]
fn no_mistake_repeats_the_key() {
    let text = format!("jeday-keys 1\npepper {ID} now {ZEROES}\n");
    let Err(error) = parse(text.as_bytes()) else { panic!("taken") };
    assert!(!format!("{error} {error:?}").contains("AAAA"));
}

#[test]
fn the_fullest_file_fits_its_bound_and_no_fuller_one_is_read() {
    let mut keys = Keys::default();
    let now = "9999-12-30T22:00:00Z".parse().unwrap();
    for kind in KeyKind::ALL {
        for _ in 1..KEYS_PER_KIND_MAX {
            keys.rotate(Key::generate(kind, now).unwrap()).unwrap();
        }
        keys.stage(Key::generate(kind, now).unwrap()).unwrap();
    }
    let text = render(&keys, now);
    assert!(text.len() <= TEXT_BYTES_MAX);
    assert!(text.lines().all(|line| line.starts_with('#') || line.len() < LINE_BYTES));
    assert_eq!(problem(&text), None);
    keys.0.insert(0, Key::generate(KeyKind::Refresh, now).unwrap());
    assert!(matches!(problem(&render(&keys, now)), Some((_, KeyTextProblem::TooMany))));
}

proptest! {
    #[test]
    fn keys_survive_the_round_trip(
        secrets in prop::collection::vec((0..KeyKind::ALL.len(), any::<[u8; KEY_BYTES]>(), 0i64..4_000_000_000), 0..12),
    ) {
        let mut keys = Keys::default();
        for (kind, secret, second) in secrets {
            let created = Timestamp::from_second(second).ok();
            keys.rotate(Key::from_secret(KeyKind::ALL[kind], created, Box::new(Zeroizing::new(secret)))).unwrap();
        }
        let read = parse(render(&keys, Timestamp::UNIX_EPOCH).as_bytes()).unwrap();
        prop_assert!(contents(&read) == contents(&keys));
    }

    #[test]
    fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&[b"jeday-keys 1\n".as_slice(), &text].concat());
    }
}
