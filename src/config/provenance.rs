//! Where each value came from, and how the whole is shown. Holds texts with secrets already masked, never values.

use super::settings::{Effective, Fallback, SETTINGS, Setting};
use super::sources::Source;
use std::fmt::Write;

/// One value that holds.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is for.
    pub setting: &'static Setting,
    /// How it may be shown.
    pub value: Effective,
    /// Where it came from.
    pub source: Source,
}

/// Where each value came from: one entry for each setting, in the table's order.
#[derive(Debug, Clone)]
pub struct Provenance(Vec<Entry>);

impl Provenance {
    pub(super) fn unset() -> Self {
        let unset =
            SETTINGS.iter().copied().map(|setting| Entry { setting, value: Effective::Unset, source: Source::Default });
        Self(unset.collect())
    }

    pub(super) fn record(&mut self, setting: &Setting, value: Effective, source: Source) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.setting.key == setting.key) {
            entry.value = value;
            entry.source = source;
        }
    }

    /// All entries, in the table's order.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The entry of one setting.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.setting.key == key)
    }

    /// What was set although this version does nothing with it yet; worth a warning at start.
    pub fn without_effect(&self) -> impl Iterator<Item = &Entry> {
        self.0
            .iter()
            .filter(|entry| !entry.setting.has_effect() && !matches!(entry.source, Source::Default | Source::Topology))
    }

    /// `key = value (source)`, for messages.
    pub(super) fn describe(&self, key: &str) -> String {
        let shown = self.get(key).and_then(|entry| {
            let value = entry.value.toml()?;
            Some(format!("{key} = {value} (from {})", entry.source))
        });
        shown.unwrap_or_else(|| key.to_owned())
    }

    /// The values as lines of a TOML file, each with its source.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for section in sections() {
            let lines: Vec<(String, String)> = self
                .0
                .iter()
                .filter(|entry| entry.setting.section() == section)
                .map(|entry| (line(entry), format!("# from {}", entry.source)))
                .collect();
            let width = lines.iter().map(|(line, _)| line.chars().count()).max();
            let width = width.unwrap_or(0);
            let _ = writeln!(text, "\n[{section}]");
            for (line, from) in lines {
                let _ = writeln!(text, "{line:width$}  {from}");
            }
        }
        text
    }

    /// The values as JSON: `{"section": {"name": {"value": ..., "source": "..."}}}`.
    pub fn to_json(&self) -> serde_json::Value {
        let mut sections = serde_json::Map::new();
        for entry in &self.0 {
            let section = sections
                .entry(entry.setting.section())
                .or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()));
            if let Some(section) = section.as_object_mut() {
                section.insert(
                    entry.setting.name().to_owned(),
                    serde_json::json!({
                        "value": entry.value.json(),
                        "source": entry.source.to_string(),
                    }),
                );
            }
        }
        serde_json::Value::Object(sections)
    }
}

fn line(entry: &Entry) -> String {
    let name = entry.setting.name();
    match (entry.value.toml(), entry.setting.default) {
        (Some(value), _) => format!("{name} = {value}"),
        (None, Fallback::Unset(meaning)) => format!("# {name} is not set: {meaning}"),
        (None, _) => format!("# {name} is not set"),
    }
}

fn sections() -> impl Iterator<Item = &'static str> {
    SETTINGS
        .chunk_by(|left, right| left.section() == right.section())
        .filter_map(|chunk| chunk.first().map(|setting| setting.section()))
}
