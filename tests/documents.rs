//! What is written for people agrees with what the program does. Looks at no running server.

#![allow(clippy::unwrap_used)]

use jeday::config::{Config, FileText, Sources, settings};
use jeday::telemetry::SecurityEventKind;
use serde_json::Value;
use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&whole).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands between the lines `<!-- from -->` and `<!-- to -->`.
fn section(path: &str, from: &str, to: &str) -> String {
    let text = read(path);
    let (_, rest) = text.split_once(&format!("<!-- {from} -->\n")).unwrap_or_else(|| panic!("{path} has no {from}"));
    rest.split_once(&format!("<!-- {to} -->")).unwrap_or_else(|| panic!("{path} has no {to}")).0.to_owned()
}

/// The cells of a Markdown table, without its head.
fn cells(table: &str) -> Vec<Vec<String>> {
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
}

#[test]
fn the_readme_has_the_reference_of_all_settings() {
    let written = section("README.md", "settings: jeday config --markdown", "end of settings");
    // Not compared in one piece: the message would be the whole of both.
    for (written, generated) in written.lines().zip(settings::markdown().lines()) {
        assert_eq!(written, generated, "`make readme` brings it up to date");
    }
    assert_eq!(written.lines().count(), settings::markdown().lines().count());
}

#[test]
fn the_readme_lists_every_code_with_its_status() {
    let document: Value = serde_json::from_str(&read("openapi.json")).unwrap();
    let mut described = Vec::new();
    for response in document["components"]["responses"].as_object().unwrap().values() {
        let problem = &response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"];
        for code in problem["code"]["enum"].as_array().into_iter().flatten() {
            described.push((problem["status"]["const"].to_string(), code.as_str().unwrap().to_owned()));
        }
    }
    let listed = cells(&section("README.md", "codes: those of openapi.json", "end of codes"));
    let mut listed: Vec<_> = listed.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    described.sort();
    listed.sort();
    assert_eq!(listed, described);
}

#[test]
fn the_readme_lists_every_security_event_with_its_fields() {
    let listed =
        cells(&section("README.md", "security events: those of src/telemetry/security.rs", "end of security events"));
    let listed: Vec<_> = listed.into_iter().map(|row| [row[0].clone(), row[1].clone(), row[2].clone()]).collect();
    let recorded =
        SecurityEventKind::ALL.map(|kind| [kind.name(), kind.level(), &kind.fields().join(", ")].map(str::to_owned));
    assert_eq!(listed, recorded);
}

#[test]
fn every_metric_that_the_readme_names_is_exported() {
    let mut exported = String::new();
    for folder in ["src/telemetry", "src/telemetry/prometheus"] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                exported += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let readme = read("README.md");
    let named = readme.split('`').filter(|text| text.starts_with("jeday_"));
    let mut count = 0;
    for name in named {
        assert!(exported.contains(&format!("\"{name}\"")), "the README names {name}");
        count += 1;
    }
    assert!(count > 0);
}

/// The cores that there are profiles for.
const PROFILES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Lines `name = value` of a file, each with whether a comment stands above it. Of several together the first has it.
fn settings_of(text: &str) -> Vec<(&str, &str, bool)> {
    let mut commented = false;
    let mut found = Vec::new();
    for line in text.lines() {
        match line.split_once(" = ") {
            Some((name, value)) if !line.starts_with('#') => found.push((name, value, commented)),
            _ => commented = line.starts_with("# "),
        }
    }
    found
}

#[test]
fn every_size_of_machine_has_a_profile_that_explains_each_setting() {
    for cpus in PROFILES {
        let name = format!("cores-{cpus}.toml");
        let text = read(&format!("tuning/{name}"));
        let profile = FileText { path: name.clone(), text: text.clone() };
        let sources = Sources { profile: Some(&profile), ..Sources::default() };
        let (config, provenance) = Config::resolve(&sources).unwrap_or_else(|error| panic!("{:?}", error.problems));
        assert!(config.cores.request_shards.is_some_and(|shards| (1..=cpus).contains(&shards)), "{name}");
        assert!(settings_of(&text).iter().all(|(_, _, commented)| *commented), "{name}: a setting without its reason");
        for entry in provenance.entries().iter().filter(|entry| entry.setting.tuning) {
            assert!(entry.source.to_string().starts_with(&name), "{name} leaves {} open", entry.setting.key);
        }
        assert!(read("tuning/README.md").contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn no_settings_for_a_database_risk_what_it_has_confirmed() {
    const DURABLE: [&str; 3] = ["fsync", "full_page_writes", "synchronous_commit"];
    for cpus in PROFILES {
        let text = read(&format!("tuning/cores-{cpus}.postgresql.conf"));
        let settings = settings_of(&text);
        for name in DURABLE {
            let found: Vec<_> = settings.iter().filter(|setting| setting.0 == name).collect();
            assert!(matches!(found[..], [(_, "on", true)]), "{cpus}: {name}: {found:?}");
        }
        assert!(settings.iter().all(|(_, _, commented)| *commented), "{cpus}: a setting without its reason");
    }
    // Whatever else is in there, under whatever name.
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let risky = text.lines().filter(|line| !line.trim_start().starts_with('#')).find(|line| {
            let words: Vec<_> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let off = words.iter().any(|word| matches!(*word, "off" | "false" | "no" | "0" | "local"));
            off && DURABLE.iter().any(|name| words.contains(name))
        });
        assert_eq!(risky, None, "{}", path.display());
    }
}

/// Every page that is written for people.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = Vec::new();
    for folder in ["", "deploy/", "docs/", "k6/", "tuning/"] {
        let names =
            fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        pages.extend(names.filter(|name| name.ends_with(".md")).map(|name| format!("{folder}{name}")));
    }
    pages
}

/// Where a page's headings can be linked to: in small letters, hyphens for spaces, nothing else.
fn anchors(page: &str) -> Vec<String> {
    let headings = page
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    let kept = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    headings.map(|text| text.to_lowercase().replace(' ', "-").chars().filter(|c| kept(*c)).collect()).collect()
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let mut count = 0;
    for page in pages() {
        let text = read(&page);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = Path::new(&page).parent().unwrap().join(path);
            let target = if path.is_empty() { page.clone() } else { folder.to_str().unwrap().to_owned() };
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target);
            assert!(there.exists(), "{page} leads to {link}, which is not there");
            assert!(
                anchor.is_empty() || anchors(&read(&target)).contains(&anchor.to_owned()),
                "{page}: no heading {link}"
            );
            count += 1;
        }
    }
    assert!(count > 20, "only {count} links were found");
}

#[test]
fn each_dependency_is_listed_under_the_licence_it_declares() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        // Crates for other systems need not have been fetched.
        .args(["--filter-platform", &format!("{}-unknown-linux-gnu", env::consts::ARCH)])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let ours = || packages.iter().filter(|package| package["source"].is_null());
    // Of a crate in two versions, the one that we use and not the one that a dependency does.
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap().iter();
    let used: Vec<&Value> = nodes
        .filter(|node| ours().any(|package| package["id"] == node["id"]))
        .flat_map(|node| node["dependencies"].as_array().unwrap())
        .collect();
    let licence = |name: &str| {
        let package = packages.iter().find(|package| package["name"] == name && used.contains(&&package["id"]))?;
        Some(package["license"].as_str()?.to_owned())
    };
    let declared: BTreeMap<_, _> = ours()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .filter(|dependency| !dependency["source"].is_null())
        .map(|dependency| {
            let name = dependency["name"].as_str().unwrap();
            (dependency["rename"].as_str().unwrap_or(name).to_owned(), licence(name).unwrap())
        })
        .collect();
    let table = section("ARCHITECTURE.md", "dependencies: checked by tests/tidy.rs", "end of dependencies");
    // The fuzz targets are a workspace of their own, whose crates need not have been fetched: `make deny` knows them.
    let rows = cells(&table).into_iter().filter(|row| row[2] != "fuzz/");
    let listed: BTreeMap<_, _> = rows.map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(listed, declared);
}

#[test]
fn every_test_that_the_faults_name_exists() {
    let table = section("docs/faults.md", "faults: checked by tests/documents.rs", "end of faults");
    let rows = cells(&table);
    let numbers: Vec<_> = rows.iter().map(|row| row[0].parse::<usize>().unwrap()).collect();
    assert_eq!(numbers, (1..=22).collect::<Vec<_>>());
    let mut written = String::new();
    for folder in ["tests/faults", "tests/api", "tests/sturdiness"] {
        let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).into_iter().flatten();
        let files = files.map(|file| file.unwrap().path()).filter(|file| file.is_file());
        written.extend(files.map(|file| fs::read_to_string(file).unwrap()));
    }
    for row in rows {
        for test in row[3].split(", ").filter(|name| !name.is_empty()) {
            assert!(written.contains(&format!("#[test]\nfn {test}(")), "fault {}: there is no test {test}", row[0]);
        }
    }
}
