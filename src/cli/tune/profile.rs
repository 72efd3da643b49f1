//! The winner as a tuning profile: what its profile and the sweep have set, and nothing that holds anyway. Checked by
//! reading it as `--profile` does, before it is written.

use super::{
    super::{CliError, Context, placement},
    points::Point,
    results::Results,
    verdict::Verdict,
};
use crate::config::{CliValues, Config, Entry, FileText, Provenance, Source, Sources};
use std::{fmt::Write, path::Path};

/// The settings of a point, resolved as its server resolves them. Its profile lies below `folder`.
pub(super) fn resolved(context: &Context, point: &Point, folder: &Path) -> Result<placement::Placement, CliError> {
    let context = context.with_profile(point.profile.as_ref().map(|file| folder.join(file)));
    let values = point.assignments().fold(CliValues::none(), CliValues::set);
    placement::resolve(&context, &values)
}

/// The text of the profile.
pub(super) fn text(results: &Results, verdict: &Verdict, provenance: &Provenance) -> Result<String, CliError> {
    let sweep = &results.sweep;
    let mut text = String::from("# Written by jeday tune: the settings that were measured to be best.\n");
    for sentence in verdict.sentences(results) {
        let _ = writeln!(text, "# {sentence}");
    }
    let _ = writeln!(
        text,
        "# {}, {}, scenario {} by {}, {} x {} s each.",
        sweep.started, sweep.machine, sweep.scenario, sweep.generator_version, sweep.repeats, sweep.seconds
    );
    let chosen: Vec<&Entry> = provenance.entries().iter().filter(|entry| is_chosen(entry)).collect();
    let mut section = "";
    for entry in &chosen {
        if entry.setting.section() != section {
            section = entry.setting.section();
            let _ = writeln!(text, "\n[{section}]");
        }
        if let Some(tried) = tried(results, entry.setting.key) {
            let _ = writeln!(text, "# Of {tried}.");
        }
        if let Some(value) = entry.value.toml() {
            let _ = writeln!(text, "{} = {value}", entry.setting.name());
        }
    }
    check(&text, &chosen)?;
    Ok(text)
}

fn is_chosen(entry: &Entry) -> bool {
    entry.setting.tuning && matches!(entry.source, Source::Profile { .. } | Source::Set)
}

/// The values that the sweep has tried, where it has varied this setting.
fn tried(results: &Results, key: &str) -> Option<String> {
    let mut values: Vec<&str> = Vec::new();
    let all = results.sweep.points.iter().flat_map(|point| &point.settings).filter(|(varied, _)| varied == key);
    for (_, value) in all {
        if !values.contains(&value.as_str()) {
            values.push(value);
        }
    }
    (!values.is_empty()).then(|| values.join(", "))
}

/// Reads it as `--profile` does: every value has to come back.
fn check(text: &str, chosen: &[&Entry]) -> Result<(), CliError> {
    let profile = FileText { path: "the recommended profile".to_owned(), text: text.to_owned() };
    let (_, read) = Config::resolve(&Sources { profile: Some(&profile), ..Sources::default() })?;
    let differs = |entry: &&&Entry| read.get(entry.setting.key).is_none_or(|found| found.value != entry.value);
    match chosen.iter().find(differs) {
        None => Ok(()),
        Some(entry) => {
            let key = entry.setting.key;
            Err(CliError::failure(format!("{key} does not come back from the recommended profile as it was measured")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;
    use crate::config::Environment;

    #[test]
    fn the_winner_is_a_profile_of_what_was_chosen_alone() {
        let mut results = results(&[&[100.0, 101.0, 102.0], &[300.0, 301.0, 302.0]]);
        for (point, size) in results.sweep.points.iter_mut().zip(["100", "200"]) {
            point.settings.push(("registration.batch_size".to_owned(), size.to_owned()));
        }
        let profile = FileText { path: "p.toml".to_owned(), text: "[database]\nread_connections = 3\n".to_owned() };
        let cli = CliValues::none().set("registration.batch_size=200").set("server.idle_timeout=3s");
        let environment = Environment::new([("JEDAY_REGISTRATION_BATCH_WAIT", "3ms")]);
        let sources = Sources { profile: Some(&profile), cli, environment, ..Sources::default() };
        let (_, provenance) = Config::resolve(&sources).unwrap();
        let text = text(&results, &Verdict::of(&results), &provenance).unwrap();
        let settings: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert_eq!(settings, ["[database]", "read_connections = 3", "[registration]", "batch_size = 200"], "{text}");
        assert!(text.contains("# Of 100, 200.\nbatch_size = 200\n"), "{text}");
        assert!(text.contains("# Recommended by requests/s: b\n"), "{text}");
    }

    #[test]
    fn a_value_that_does_not_come_back_is_told() {
        let cli = CliValues::none().set("registration.batch_size=200");
        let (_, provenance) = Config::resolve(&Sources { cli, ..Sources::default() }).unwrap();
        let chosen: Vec<_> = provenance.entries().iter().filter(|entry| is_chosen(entry)).collect();
        assert!(check("[registration]\nbatch_size = 200\n", &chosen).is_ok());
        let error = check("[registration]\nbatch_size = 100\n", &chosen).unwrap_err();
        assert!(error.report().contains("registration.batch_size does not come back"));
    }
}
