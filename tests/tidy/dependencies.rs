//! What is taken from elsewhere: each direct dependency stands in the table of ARCHITECTURE.md with the folder that
//! owns its concern, and is named nowhere else. Licences are not looked at here.

use super::{
    layers::words,
    source::{Breach, File, Rust},
};
use std::collections::BTreeMap;

const TABLE: &str = "ARCHITECTURE.md";
const TABLE_FROM: &str = "<!-- dependencies: checked by tests/tidy.rs -->";
const TABLE_TO: &str = "<!-- end of dependencies -->";

/// Owners that the house has fixed, and no table can change: crate, and where it may be named.
const FIXED: &[(&str, &[&str])] = &[
    ("argon2", &["src/hardening/"]),
    ("argon2-rust", &["src/hardening/"]),
    ("core_affinity", &["shards/"]),
    ("glommio", &["shards/"]),
    ("httparse", &["src/http/"]),
    ("pasetors", &["src/tokens/", "fuzz/"]),
    ("rustls", &["src/postgres/", "src/telemetry/traces/", "src/tls/", "tests/"]),
    ("socket2", &["shards/"]),
    ("tokio-postgres", &["src/postgres/", "tests/", "benches/"]),
];

/// What must not appear in the runtime's code: it knows no protocol and no secret.
const UNKNOWN_TO_SHARDS: [&str; 6] = ["argon", "hmac", "http", "jeday", "postgres", "sql"];

/// Where tools of all trades are named: errors, logs, tests.
const EVERYWHERE: &str = "everywhere";

struct Row {
    line: usize,
    places: Vec<String>,
}

impl Row {
    fn covers(&self, source: &Rust) -> bool {
        self.places.iter().any(|place| place == EVERYWHERE || source.file.is_in(&[place]))
    }

    fn shown(&self) -> String {
        self.places.join(", ")
    }
}

pub(crate) fn breaches(files: &[File], sources: &[Rust]) -> Vec<Breach> {
    let Some(table) = files.iter().find(|file| file.path == TABLE) else {
        return vec![Breach { path: TABLE.to_owned(), line: 0, rule: "there is no table of dependencies".to_owned() }];
    };
    let rows = rows(table);
    let mut breaches = Vec::new();
    let mut declared = BTreeMap::new();
    for manifest in files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        for (line, name) in dependencies(manifest) {
            declared.entry(name.clone()).or_insert(line);
            if !rows.contains_key(&name) {
                let rule = format!("dependency {name} is missing in the table of {TABLE}: licence, owner and reason");
                breaches.push(manifest.breach(line, rule));
            }
        }
    }
    for (name, row) in &rows {
        if !declared.contains_key(name) {
            breaches.push(table.breach(row.line, format!("{name} is no direct dependency any more")));
            continue;
        }
        let (covered, elsewhere): (Vec<_>, Vec<_>) = sources.iter().partition(|source| row.covers(source));
        // Tests, benches and fuzz targets look at the product from outside and own no concern of it.
        let product = elsewhere.iter().filter(|source| !source.file.is_in(&["tests/", "benches/", "fuzz/"]));
        for (source, at) in product.filter_map(|source| Some((source, names(source, name)?))) {
            let rule = format!("{name} belongs to {}, by the table of {TABLE}", row.shown());
            breaches.push(source.breach_at(at, rule));
        }
        if !covered.iter().any(|source| names(source, name).is_some()) {
            breaches.push(table.breach(row.line, format!("{name} is named nowhere in {}: is it needed?", row.shown())));
        }
    }
    for (name, places) in FIXED {
        for source in sources.iter().filter(|source| !source.file.is_in(places)) {
            if let Some(at) = names(source, name) {
                breaches.push(source.breach_at(at, format!("only {} may name {name}", places.join(", "))));
            }
        }
    }
    breaches
}

pub(crate) fn of_shards(sources: &[Rust]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources.iter().filter(|source| source.file.is_in(&["shards/"])) {
        let code = source.code.to_lowercase();
        for word in UNKNOWN_TO_SHARDS {
            if let Some(at) = code.find(word) {
                let rule = format!("shards/ knows no HTTP, no SQL and no password, but names {word}");
                breaches.push(source.breach_at(at, rule));
            }
        }
    }
    breaches
}

/// The rows between the markers, by crate: `| crate | licence | where | why |`.
fn rows(table: &File) -> BTreeMap<String, Row> {
    let lines = table.text.lines().enumerate().skip_while(|(_, line)| *line != TABLE_FROM);
    let cells = lines.skip(1).take_while(|(_, line)| *line != TABLE_TO).filter_map(|(number, line)| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, _, places, _] = cells[..] else { return None };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        let places = places.split(", ").map(|place| place.trim_matches('`').to_owned()).collect();
        Some((name.to_owned(), Row { line: number + 1, places }))
    });
    cells.collect()
}

/// Names of what a manifest depends on, with their lines; not those that the workspace only offers.
fn dependencies(manifest: &File) -> Vec<(usize, String)> {
    let mut section = "";
    let mut found = Vec::new();
    for (number, line) in manifest.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        } else if matches!(section, "[dependencies]" | "[dev-dependencies]" | "[build-dependencies]") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            // Our own crates are no dependencies in the sense of the table.
            if !name.is_empty() && !name.starts_with('#') && !["jeday", "shards"].contains(&name) {
                found.push((number + 1, name.to_owned()));
            }
        }
    }
    found
}

/// Where the code names this crate first.
fn names(source: &Rust, name: &str) -> Option<usize> {
    let krate = name.replace('-', "_");
    let code = &source.code;
    if is_module_here(code, &krate) {
        return None;
    }
    words(code, &krate).find(|at| {
        let before = code[..*at].trim_end();
        let after = code[at + krate.len()..].trim_start();
        let is_path = after.starts_with("::") && !before.ends_with("::") && !before.ends_with('.');
        is_path || before.ends_with("use") && after.starts_with(';')
    })
}

/// Whether a module of ours has this name here, as `config::values::bytes` has.
fn is_module_here(code: &str, name: &str) -> bool {
    words(code, name).any(|at| {
        let before = code[..at].trim_end();
        let after = code[at + name.len()..].trim_start();
        let statement = &before[before.rfind(';').map_or(0, |end| end + 1)..];
        let import = words(statement, "use").last().map_or("", |from| &statement[from..]);
        let ours = ["use crate", "use self", "use super"].iter().any(|start| import.starts_with(start));
        let declared = before.ends_with("mod") && after.starts_with([';', '{']);
        let whole = !after.starts_with("::") || after[2..].trim_start().starts_with("{self");
        declared || ours && whole
    })
}
