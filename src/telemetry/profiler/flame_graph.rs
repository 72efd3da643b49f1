//! A profile as a flame graph: width is CPU time, callers are below. An SVG without outside resources.

use super::{Profile, functions::Functions};
use crate::limits::PROFILE_HZ;
use inferno::flamegraph::{self, Options};
use std::{fmt::Write, io};

pub(super) fn draw(profile: &Profile) -> io::Result<Vec<u8>> {
    let mut functions = Functions::of_this_process();
    let lines: Vec<String> =
        profile.samples.iter().map(|((thread, stack), count)| line(thread, stack, *count, &mut functions)).collect();
    let mut options = Options::default();
    options.title = "jeday: CPU time".to_owned();
    options.subtitle = Some(format!(
        "{:.1} s, {PROFILE_HZ} samples a second of CPU time, {} missed",
        profile.lasted.as_secs_f64(),
        profile.missed
    ));
    // The same stack has the same colour in the next graph.
    options.deterministic = true;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)?;
    Ok(svg)
}

/// A stack as such tools have it: names from the outermost to the innermost, and how often.
fn line(thread: &str, stack: &[u64], count: u64, functions: &mut Functions) -> String {
    let mut line = plain(thread);
    for (depth, &address) in stack.iter().enumerate().rev() {
        for function in functions.at(depth, address).iter().rev() {
            line.push(';');
            line.push_str(&plain(&function.name));
        }
    }
    let _ = write!(line, " {count}");
    line
}

/// Without what would end a name or a line.
fn plain(name: &str) -> String {
    name.replace(';', ",").replace(['\n', '\r'], " ")
}
