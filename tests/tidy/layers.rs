//! Which module may import which. Data flows one way; what does not yet is listed here by name, with the reason.

use super::source::{Breach, Rust};
use std::collections::{BTreeMap, BTreeSet};

/// Every module of the server from the top down, and what it may import. Whoever is not listed as a source of a module
/// may not name it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "config",
            "server",
            "connection",
            "routes",
            "handlers",
            "batch",
            "hardening",
            "tokens",
            "rate_limit",
            "postgres",
            "account",
            "tls",
            "keys",
            "telemetry",
            "http",
            "clock",
            "limits",
        ],
    ),
    (
        "server",
        &[
            "connection",
            "routes",
            "handlers",
            "batch",
            "hardening",
            "tokens",
            "rate_limit",
            "postgres",
            "account",
            "tls",
            "keys",
            "telemetry",
            "http",
            "clock",
            "limits",
        ],
    ),
    ("connection", &["routes", "handlers", "rate_limit", "tls", "telemetry", "http", "limits", "fail_points"]),
    ("routes", &["handlers", "telemetry", "http"]),
    (
        "handlers",
        &[
            "batch",
            "hardening",
            "tokens",
            "rate_limit",
            "postgres",
            "account",
            "telemetry",
            "http",
            "limits",
            "fail_points",
        ],
    ),
    ("batch", &["postgres", "telemetry", "simulation", "limits"]),
    ("hardening", &["postgres", "account", "keys", "telemetry", "simulation", "clock", "limits", "fail_points"]),
    ("tokens", &["postgres", "account", "keys", "telemetry", "simulation", "limits"]),
    ("rate_limit", &["limits"]),
    ("postgres", &["account", "telemetry", "limits"]),
    ("account", &["limits"]),
    ("tls", &["keys", "telemetry", "limits"]),
    ("keys", &["limits"]),
    ("telemetry", &["http", "clock", "limits"]),
    ("config", &["http"]),
    // For tests alone.
    ("simulation", &[]),
    ("http", &[]),
    ("clock", &[]),
    ("limits", &[]),
    ("fail_points", &[]),
];

/// Imports against the flow: who, what, why. Each has to be used, so that none outlives its reason.
const AGAINST_THE_FLOW: &[(&str, &str, &str)] = &[
    ("connection", "server::Server", "the state of a shard and the wiring of its stages are one module still"),
    ("handlers", "server::Server", "the state of a shard and the wiring of its stages are one module still"),
    (
        "handlers",
        "routes::Endpoint",
        "endpoints are named where their paths are, and dispatched where they are answered",
    ),
    ("postgres", "hardening::WeakRecord", "a record is made by hardening, and stored as the value it is"),
    ("limits", "http::body::BodyLimits", "the bounds of a body, one value each, are a struct of http"),
    ("limits", "http::head::HeadLimits", "the bounds of a head, one value each, are a struct of http"),
];

pub(crate) fn breaches(files: &[Rust]) -> Vec<Breach> {
    let may: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let mut breaches = Vec::new();
    let mut used = BTreeSet::new();
    for file in files {
        let Some(module) = module_path(&file.file.path) else { continue };
        let name = module.first().map_or("main", String::as_str);
        let Some(allowed) = may.get(name) else {
            breaches
                .push(file.file.breach(0, format!("module {name} has no place in the layers of tests/tidy/layers.rs")));
            continue;
        };
        for (at, path) in imports(file.product(), &module) {
            let imported = path.split("::").next().unwrap_or_default();
            let exception = AGAINST_THE_FLOW.iter().position(|(from, to, _)| *from == name && path == *to);
            if let Some(exception) = exception {
                used.insert(exception);
            } else if imported != name && may.contains_key(imported) && !allowed.contains(&imported) {
                breaches.push(file.breach_at(at, format!("{name} may not import {path}: data flows the other way")));
            }
        }
    }
    for (number, (from, to, _)) in AGAINST_THE_FLOW.iter().enumerate() {
        if !used.contains(&number) {
            let rule = format!("{from} does not import {to} any more: take it off AGAINST_THE_FLOW");
            breaches.push(Breach { path: "tests/tidy/layers.rs".to_owned(), line: 0, rule });
        }
    }
    breaches
}

/// The path of the module in this file of `src/`; empty for `main.rs`.
fn module_path(path: &str) -> Option<Vec<String>> {
    let inner = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    match inner {
        "lib" => None,
        "main" => Some(Vec::new()),
        _ => Some(inner.trim_end_matches("/mod").split('/').map(str::to_owned).collect()),
    }
}

/// Every path into the crate that the code names, in full and without `crate::`, with its place.
fn imports(code: &str, module: &[String]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // main.rs is a crate of its own that sees the library by its name.
    for root in ["crate", "jeday"] {
        for at in words(code, root) {
            if let Some(rest) = code[at + root.len()..].trim_start().strip_prefix("::") {
                tree(rest, "", &mut |path| found.push((at, path)));
            }
        }
    }
    for at in words(code, "super") {
        let mut rest = &code[at..];
        let mut levels = 0;
        while let Some(after) = rest.strip_prefix("super").and_then(|rest| rest.trim_start().strip_prefix("::")) {
            (rest, levels) = (after.trim_start(), levels + 1);
        }
        let inside = code[..at].trim_end().ends_with("::");
        // From the crate's root on; fewer levels stay inside the module's own folder.
        if levels >= module.len() && !inside && levels > 0 {
            tree(rest, "", &mut |path| found.push((at, path)));
        }
    }
    found
}

/// The paths of a use tree, or the one path of an expression.
fn tree<'a>(text: &'a str, prefix: &str, found: &mut impl FnMut(String)) -> &'a str {
    let mut rest = text.trim_start();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') && !rest.is_empty() {
            let after = tree(rest, prefix, found);
            rest = after.trim_start().trim_start_matches(',').trim_start();
        }
        return rest.strip_prefix('}').unwrap_or(rest);
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '*').unwrap_or(rest.len());
    let path = match (prefix, &rest[..end]) {
        ("", name) => name.to_owned(),
        (prefix, "self") => prefix.to_owned(),
        (prefix, name) => format!("{prefix}::{name}"),
    };
    let after = rest[end..].trim_start();
    match after.strip_prefix("::") {
        Some(deeper) if end > 0 && !deeper.starts_with('<') => tree(deeper, &path, found),
        _ => {
            // A tree that cannot be read must not read for ever.
            let skipped = if end == 0 { rest.chars().next().map_or(0, char::len_utf8) } else { end };
            found(path);
            after_alias(&rest[skipped..])
        }
    }
}

fn after_alias(rest: &str) -> &str {
    match rest.trim_start().strip_prefix("as ") {
        Some(alias) => alias.trim_start().trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
        None => rest,
    }
}

/// Where this word stands by itself.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| !is_part(code[..*at].chars().next_back()) && !is_part(code[at + word.len()..].chars().next()))
}

#[test]
fn the_layers_have_no_cycle() {
    let below: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    let position = |name: &str| MAY_IMPORT.iter().position(|(module, _)| *module == name);
    for (module, imported) in &below {
        for other in *imported {
            // Listed from the top down: whoever may be imported stands further down.
            assert!(position(other) > position(module), "{module} and {other}");
        }
    }
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code =
        "use crate::{a::{B, self, c::D as E}, f};\nfn g() { crate::h::i::<u8>(); super::j() } use super::super::k::*;";
    let module = ["x".to_owned(), "y".to_owned()];
    let paths: Vec<_> = imports(code, &module).into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, ["a::B", "a", "a::c::D", "f", "h::i", "k::*"]);
}
