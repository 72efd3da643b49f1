//! A TOML file as a source, configuration or tuning profile: texts with their lines. Never opens the file.

use super::super::error::Problem;
use super::super::settings::{self, Kind, SETTINGS, Setting};
use super::{Given, Source};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// Syntax errors after the first few tend to follow from them.
const SYNTAX_ERRORS_SHOWN_MAX: usize = 3;

/// A file that was read. No `Debug`: what stands in it may be a secret.
#[derive(Clone)]
pub struct FileText {
    /// Its name, as messages are to show it.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

/// What a file may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Role {
    /// Everything.
    Configuration,
    /// What is marked as tuning.
    Profile,
}

impl FileText {
    /// The texts in the file, and complaints about what cannot be understood.
    pub(in crate::config) fn given(&self, role: Role, problems: &mut Vec<Problem>) -> Vec<Given> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if !errors.is_empty() {
            for error in errors.iter().take(SYNTAX_ERRORS_SHOWN_MAX) {
                // Only the message: the error's own display repeats the line, which may hold a secret.
                let place = match error.span() {
                    Some(span) => self.place(&span),
                    None => self.path.clone(),
                };
                problems.push(Problem::new(format!("{place}: {}", error.message())));
            }
            return Vec::new();
        }
        let mut reader = Reader { file: self, role, problems: Vec::new(), given: Vec::new() };
        for (name, value) in table.get_ref() {
            reader.section(name, value);
        }
        // The table is sorted by name; a person reads the file from top to bottom.
        reader.problems.sort_by_key(|(position, _)| *position);
        reader.given.sort_by_key(|(position, _)| *position);
        problems.extend(reader.problems.into_iter().map(|(_, problem)| problem));
        reader.given.into_iter().map(|(_, given)| given).collect()
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }

    fn place(&self, span: &Range<usize>) -> String {
        format!("{}:{}", self.path, self.line(span))
    }
}

/// What is found goes with its position in the file.
struct Reader<'a> {
    file: &'a FileText,
    role: Role,
    problems: Vec<(usize, Problem)>,
    given: Vec<(usize, Given)>,
}

impl Reader<'_> {
    fn section(&mut self, name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let section = name.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(entries) if SETTINGS.iter().any(|known| known.section() == section) => {
                for (name, value) in entries {
                    let key = format!("{section}.{}", name.get_ref());
                    self.entry(&key, name.span(), value.get_ref());
                }
            }
            DeValue::Table(_) => {
                let place = self.file.place(&name.span());
                self.refuse(&name.span(), unknown_section(&place, section));
            }
            _ => {
                let place = self.file.place(&name.span());
                self.refuse(&name.span(), Problem::unknown_key(&place, section));
            }
        }
    }

    fn entry(&mut self, key: &str, span: Range<usize>, value: &DeValue<'_>) {
        let place = self.file.place(&span);
        let Some(setting) = settings::find(key) else {
            self.refuse(&span, Problem::unknown_key(&place, key));
            return;
        };
        if self.role == Role::Profile && !setting.tuning {
            let problem = Problem::new(format!("{place}: {key} is not a tuning setting"));
            self.refuse(&span, problem.hint("put it into the configuration file"));
            return;
        }
        let Some(text) = text_of(value, &setting.kind) else {
            let article = match value.type_str() {
                kind @ "array" => format!("an {kind}"),
                kind => format!("a {kind}"),
            };
            let problem = Problem::new(format!("{place}: {key} cannot be {article}"));
            self.refuse(&span, problem.hint(format!("accepted: {}", setting.accepts())));
            return;
        };
        let (path, line) = (self.file.path.clone(), self.file.line(&span));
        let source = match self.role {
            Role::Configuration => Source::File { path, line },
            Role::Profile => Source::Profile { path, line },
        };
        let given = Given { setting, source, text };
        self.given.push((span.start, given));
    }

    fn refuse(&mut self, span: &Range<usize>, problem: Problem) {
        self.problems.push((span.start, problem));
    }
}

fn unknown_section(place: &str, section: &str) -> Problem {
    let similarity = |known: &Setting| strsim::normalized_damerau_levenshtein(section, known.section());
    let shown = section.escape_debug();
    let problem = Problem::new(format!("{place}: unknown section [{shown}]"));
    match settings::nearest(SETTINGS.iter().copied(), similarity) {
        Some(setting) => problem.hint(format!("did you mean [{}]?", setting.section())),
        None => problem.hint("jeday config --defaults lists every section"),
    }
}

/// The value as the text that any other source would give; a list may also be an array.
fn text_of(value: &DeValue<'_>, kind: &Kind) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        DeValue::Integer(number) => Some(
            i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| number.to_string(), |number| number.to_string()),
        ),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(on) => Some(on.to_string()),
        DeValue::Array(items) if matches!(kind, Kind::Cpus(_) | Kind::Networks(_) | Kind::Origins(_)) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| text_of(item.get_ref(), kind)).collect();
            Some(texts?.join(","))
        }
        DeValue::Array(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
