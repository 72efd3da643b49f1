//! Checks the rules of the house that can be checked, on the text of the files alone. Builds nothing and runs nothing.

#![allow(clippy::unwrap_used)]

#[path = "tidy/dependencies.rs"]
mod dependencies;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/source.rs"]
mod source;

use layers::words;
use source::{Breach, FILES, File, Rust, SOURCES};
use std::collections::BTreeSet;

/// A file is one concept; a longer one is two.
const LINES_MAX: usize = 500;

/// Past this many lines, tests move to a file of their own.
const TEST_LINES_MAX: usize = 100;

/// What a reader's screen shows; rustfmt.toml says the same, but looks at code only.
const COLUMNS_MAX: usize = 120;

/// Names that say nothing of what is inside.
const BANNED_NAMES: [&str; 8] = ["common", "ext", "helper", "helpers", "misc", "shared", "util", "utils"];

/// The only files with unsafe code, each for a system call that has no safe wrapper.
const UNSAFE_FILES: [&str; 3] =
    ["shards/src/offload/priority.rs", "shards/src/preflight/io_uring.rs", "shards/src/sampler.rs"];

/// Where SQL may stand. Tests and benches look at the database past the server.
const SQL_PLACES: [&str; 4] = ["src/postgres/", "migrations/", "tests/", "benches/"];

fn report(mut breaches: Vec<Breach>) {
    breaches.sort();
    let lines: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "{} against the rules of the house:\n{}", lines.len(), lines.join("\n"));
}

/// Looks at every Rust file.
fn each_source(breaches_of: impl Fn(&Rust) -> Vec<Breach>) {
    report(SOURCES.iter().flat_map(breaches_of).collect());
}

/// Looks at every line of every text file.
fn each_line(breach: impl Fn(&File, &str) -> Option<String>) {
    let mut breaches = Vec::new();
    for file in &*FILES {
        for (number, line) in file.text.split('\n').enumerate() {
            breaches.extend(breach(file, line).map(|rule| file.breach(number + 1, rule)));
        }
    }
    report(breaches);
}

/// Not written by hand, or not to be changed by a byte.
fn is_generated(file: &File) -> bool {
    file.is_in(&["Cargo.lock", "data/common-passwords.txt", "fuzz/Cargo.lock", "fuzz/seeds/"])
}

#[test]
fn every_file_is_short() {
    each_source(|source| match source.file.text.lines().count() {
        0..=LINES_MAX => Vec::new(),
        lines => vec![source.file.breach(0, format!("{lines} lines, {LINES_MAX} at most: split it by concept"))],
    });
}

#[test]
fn long_tests_have_a_file_of_their_own() {
    each_source(|source| {
        let Some(from) = source.code.find("#[cfg(test)]\nmod tests {") else { return Vec::new() };
        match source.code[from..].lines().count() {
            0..=TEST_LINES_MAX => Vec::new(),
            lines => {
                vec![
                    source.breach_at(
                        from,
                        format!("{lines} lines of tests: past {TEST_LINES_MAX} they move to tests.rs"),
                    ),
                ]
            }
        }
    });
}

#[test]
fn every_module_says_what_it_is_for() {
    each_source(|source| match source.file.text.starts_with("//! ") {
        true => Vec::new(),
        false => vec![source.file.breach(1, "a module opens with a //! line: what it is for, what it never does")],
    });
}

#[test]
fn names_say_what_is_inside() {
    let breach = |file: &File| {
        let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let banned = file.path.split('/').map(stem).find(|name| BANNED_NAMES.contains(&name.as_str()))?;
        Some(file.breach(0, format!("{banned} says nothing of what is inside")))
    };
    report(FILES.iter().filter_map(breach).collect());
}

#[test]
fn every_source_is_part_of_a_crate() {
    let sources = &*SOURCES;
    let declares = |parent: &str, name: &str| {
        let parent = sources.iter().find(|source| source.file.path == parent)?;
        let found = words(&parent.code, name).any(|at| {
            parent.code[..at].trim_end().ends_with("mod")
                && parent.code[at + name.len()..].trim_start().starts_with(';')
        });
        found.then_some(())
    };
    let mut breaches = Vec::new();
    for source in sources {
        let path = &source.file.path;
        let Some((top, inner)) = ["shards/src/", "src/", "fuzz/src/", "tests/api/", "tests/faults/"]
            .iter()
            .find_map(|top| Some((*top, path.strip_prefix(top)?.strip_suffix(".rs")?)))
        else {
            continue;
        };
        let inner = inner.trim_end_matches("/mod");
        if matches!(inner, "lib" | "main") {
            continue;
        }
        let parents = match inner.rsplit_once('/') {
            Some((parent, _)) => vec![format!("{top}{parent}.rs"), format!("{top}{parent}/mod.rs")],
            None => vec![format!("{top}lib.rs"), format!("{top}main.rs")],
        };
        let name = inner.rsplit('/').next().unwrap_or_default();
        if !parents.iter().any(|parent| declares(parent, name).is_some()) {
            breaches.push(source.file.breach(0, format!("no module declares it: neither {}", parents.join(" nor "))));
        }
    }
    report(breaches);
}

#[test]
fn data_flows_one_way() {
    report(layers::breaches(&SOURCES));
}

#[test]
fn dependencies_stay_with_their_owners() {
    report(dependencies::breaches(&FILES, &SOURCES));
}

#[test]
fn the_runtime_knows_no_protocol_and_no_secret() {
    report(dependencies::of_shards(&SOURCES));
}

#[test]
fn sql_stays_in_its_folder() {
    // Keywords and what follows them: prose has one without the other.
    let statements = [
        ("SELECT ", "FROM "),
        ("INSERT INTO ", ""),
        ("UPDATE ", " SET "),
        ("DELETE FROM ", ""),
        ("CREATE TABLE ", ""),
        ("CREATE ROLE ", ""),
        ("CREATE DATABASE ", ""),
        ("ALTER ", ""),
        ("DROP ", ""),
        ("TRUNCATE ", ""),
    ];
    each_source(|source| {
        if source.file.is_in(&SQL_PLACES) {
            return Vec::new();
        }
        let literals = &source.literals;
        let found = statements.iter().filter_map(|(start, then)| {
            let at = literals.find(start)?;
            literals[at..].contains(then).then(|| source.breach_at(at, "only src/postgres and migrations hold SQL"))
        });
        found.collect()
    });
}

#[test]
fn unsafe_code_is_named_and_explained() {
    each_source(|source| {
        let file = &source.file;
        let mut breaches = Vec::new();
        if file.is_in(&["src/lib.rs", "src/main.rs"]) && !source.code.contains("#![forbid(unsafe_code)]") {
            breaches.push(file.breach(0, "the server is #![forbid(unsafe_code)]"));
        }
        for at in words(&source.code, "unsafe") {
            if !file.is_in(&UNSAFE_FILES) {
                breaches.push(
                    source.breach_at(at, "unsafe code is in the files that tests/tidy.rs names, and nowhere else"),
                );
            }
            // The comment stands right above the statement, on one or more lines.
            let lines: Vec<&str> = file.text.lines().take(source.line_at(at) - 1).collect();
            let comment = lines.iter().rev().take_while(|line| line.trim_start().starts_with("//"));
            if !comment.into_iter().any(|line| line.contains("SAFETY:")) {
                breaches.push(source.breach_at(at, "an unsafe block says above why it is sound: // SAFETY: ..."));
            }
        }
        breaches
    });
}

#[test]
fn tests_are_named_for_behaviour() {
    each_source(|source| {
        let mut breaches = Vec::new();
        for (at, _) in source.code.match_indices("#[test]") {
            let after = &source.code[at..];
            if after["#[test]".len()..].trim_start().starts_with("#[ignore") {
                continue;
            }
            let Some(name) = words(after, "fn").next().map(|function| after[function + 2..].trim_start()) else {
                continue;
            };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let words: Vec<&str> = name.split('_').collect();
            if words[0] == "test" || words.len() < 3 {
                let rule = format!(
                    "{name} does not say which behaviour it protects, as duplicate_email_spares_its_batch does"
                );
                breaches.push(source.breach_at(at, rule));
            }
        }
        breaches
    });
}

#[test]
fn an_api_test_file_holds_one_behaviour() {
    each_source(|source| {
        let path = &source.file.path;
        if !path.starts_with("tests/api/") {
            return Vec::new();
        }
        let tests = source.code.matches("#[test]").count();
        match (path.as_str(), tests) {
            ("tests/api/main.rs", 0) => Vec::new(),
            ("tests/api/main.rs", _) => {
                vec![source.file.breach(0, "main.rs lists the behaviours; each has its own file")]
            }
            (_, 0) => vec![
                source.file.breach(0, "a file here protects a behaviour; what serves tests stands in tests/support"),
            ],
            _ => Vec::new(),
        }
    });
}

#[test]
fn nothing_is_left_for_later() {
    // Written apart, so that this file does not break its own rule.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    each_line(|file, line| {
        let mark = marks.iter().find(|mark| words(line, mark).next().is_some())?;
        (!is_generated(file)).then(|| format!("{mark}: do it, or file an issue"))
    });
    each_source(|source| {
        let macros =
            ["todo", "unimplemented"].iter().flat_map(|name| words(&source.code, name).map(move |at| (name, at)));
        let used = macros.filter(|(name, at)| source.code[at + name.len()..].starts_with('!'));
        used.map(|(name, at)| source.breach_at(at, format!("{name}! is no code"))).collect()
    });
}

#[test]
fn lines_end_where_their_text_ends() {
    each_line(|file, line| {
        let blank = line.ends_with([' ', '\t', '\r']) && !is_generated(file);
        blank.then(|| "white space at the end of the line".to_owned())
    });
    let unended = |file: &File| {
        !is_generated(file) && !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n"))
    };
    report(
        FILES
            .iter()
            .filter(|file| unended(file))
            .map(|file| file.breach(0, "a file ends with one line break"))
            .collect(),
    );
}

#[test]
fn lines_fit_a_screen() {
    each_source(|source| {
        let lines = source.file.text.lines().zip(source.literals.lines()).enumerate();
        let too_long = lines.filter(|(_, (line, literals))| {
            let columns = line.chars().count();
            // A literal that is best left in one piece may stick out.
            let literal = literals.split_whitespace().map(str::len).sum::<usize>() > COLUMNS_MAX / 4;
            columns > COLUMNS_MAX && !literal
        });
        too_long.map(|(number, _)| source.file.breach(number + 1, format!("more than {COLUMNS_MAX} columns"))).collect()
    });
}

#[test]
fn migrations_are_numbered_without_gaps_and_each_can_be_taken_back() {
    let mut breaches = Vec::new();
    let mut steps = BTreeSet::new();
    let mut stems = BTreeSet::new();
    for file in &*FILES {
        let Some(name) = file.path.strip_prefix("migrations/") else { continue };
        let stem = name.strip_suffix(".up.sql").or_else(|| name.strip_suffix(".down.sql"));
        let number = stem.and_then(|stem| stem.split_once('_')).filter(|(digits, _)| digits.len() == 4);
        match number.and_then(|(digits, _)| digits.parse::<usize>().ok()) {
            Some(number) => {
                steps.insert((number, name.ends_with(".up.sql")));
                stems.insert(stem.unwrap_or_default().to_owned());
            }
            None => breaches.push(file.breach(0, "a migration is called 0001_what_it_makes.up.sql or .down.sql")),
        }
    }
    for number in 1..=steps.len() / 2 {
        for (up, way) in [(true, "up"), (false, "down")] {
            if !steps.contains(&(number, up)) {
                let rule = format!("migration {number:04} has no .{way}.sql");
                breaches.push(Breach { path: "migrations/".to_owned(), line: 0, rule });
            }
        }
    }
    if 2 * stems.len() != steps.len() {
        let rule = "two migrations have one number, or the two ways of one have different names".to_owned();
        breaches.push(Breach { path: "migrations/".to_owned(), line: 0, rule });
    }
    report(breaches);
}
