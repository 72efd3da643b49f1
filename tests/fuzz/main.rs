//! The checks of the fuzz targets without a fuzzer: on every seed, and on mutants of the seeds. `make fuzz` looks for
//! more.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub)]
mod checks;
#[path = "../support"]
mod support {
    pub(crate) mod mutation;
}

use std::{collections::BTreeSet, fs, path::Path};
use support::mutation::{Random, Replay, first_seed, mutant, rounds};

/// Mutants of each parser's seeds: two seconds without optimisation.
const ROUNDS: u64 = 3_000;

/// What these parsers are known to trip over.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\0",
    b" ",
    b"\"",
    b"'",
    b"\\",
    b"\\u00",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"1e9",
    b"@",
    b"/",
    b"?",
    b"&",
    b"=",
    b"%",
    b"%00",
    b"%40",
    b"::",
    b".",
    b"0",
    b"-",
    b"\xff",
    b"\xc2\xa0",
    b";a=\"b\"",
    b"0\r\n\r\n",
    b"Content-Length: 1\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"password=",
];

/// What must hold for any bytes.
type Check = fn(&[u8]);

const CHECKS: [(&str, Check); 5] = [
    ("head", checks::head),
    ("body", checks::body),
    ("json", checks::json),
    ("token", checks::token),
    ("database_url", checks::database_url),
];

fn seeds(parser: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(parser);
    // In an order of their own, so that a seed of the random numbers is the same mutant everywhere.
    let files: BTreeSet<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

fn hold(parser: &str) {
    let (_, check) = CHECKS.iter().find(|(name, _)| *name == parser).unwrap();
    let stock = seeds(parser);
    for seed in &stock {
        check(seed);
    }
    let first = first_seed();
    for round in 0..rounds(ROUNDS) {
        let seed = first.wrapping_add(round);
        let _replay = Replay(seed);
        check(&mutant(&stock, PIECES, &mut Random::new(seed)));
    }
}

#[test]
fn heads_read_the_same_however_they_come() {
    hold("head");
}

#[test]
fn bodies_read_the_same_however_they_come() {
    hold("body");
}

#[test]
fn json_is_taken_when_another_reader_takes_it() {
    hold("json");
}

#[test]
fn no_token_is_accepted_but_what_was_issued() {
    hold("token");
}

#[test]
fn database_urls_show_no_password() {
    hold("database_url");
}

#[test]
fn each_check_has_its_fuzz_target_and_seeds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let targets: BTreeSet<_> =
        fs::read_dir(root.join("fuzz_targets")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(targets, CHECKS.iter().map(|(name, _)| format!("{name}.rs").into()).collect());
    for (name, _) in CHECKS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is no target");
        let text = fs::read_to_string(root.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("jeday_fuzz::{name}(bytes)")), "{name} does not call its check");
        assert!(seeds(name).len() >= 5, "{name} has few seeds");
    }
}
