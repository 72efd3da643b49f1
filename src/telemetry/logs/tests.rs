//! Logging: the shape of lines, what is refused, and that nobody is held up.

use super::*;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Captured {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// What is written when `work` runs on a thread of its own.
fn logged(level: &str, style: Style, shard: Option<usize>, work: fn()) -> String {
    let captured = Captured::default();
    let subscriber = subscriber(parse_level(level).unwrap(), style, captured.clone());
    thread::spawn(move || {
        if let Some(shard) = shard {
            name_shard(shard);
        }
        tracing::subscriber::with_default(subscriber, work);
    })
    .join()
    .unwrap();
    captured.text()
}

/// What `work` writes as JSON at the default level, one object a line.
pub(in crate::telemetry) fn logged_json(work: fn()) -> Vec<serde_json::Value> {
    let text = logged("info", Style::Json, None, work);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const HUMAN: Style = Style::Human { colours: false };

#[test]
fn json_lines_have_the_promised_fields() {
    let text = logged("info", Style::Json, Some(3), || {
        info!(attempt = 2, "line \"one\"\nstill {}", '}');
    });
    assert_eq!(text.matches('\n').count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "line \"one\"\nstill }");
    assert_eq!(line["target"], module_path!());
    assert_eq!(line["shard"], 3);
    assert_eq!(line["attempt"], 2);
    let timestamp = line["timestamp"].as_str().unwrap();
    assert!(timestamp.ends_with('Z'), "{timestamp} is not UTC");
    let age_s = jiff::Timestamp::now().as_second() - timestamp.parse::<jiff::Timestamp>().unwrap().as_second();
    assert!((0..60).contains(&age_s), "{timestamp} is not now");
}

#[test]
fn lines_from_outside_a_shard_name_none() {
    let text = logged("info", Style::Json, None, || info!("starting"));
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line.get("shard"), None);
    assert_eq!(line["message"], "starting");
}

#[test]
fn an_event_that_names_a_shard_is_left_as_it_is() {
    let text = logged("info", Style::Json, Some(3), || info!(shard = 5, "about another"));
    assert_eq!(text.matches("shard").count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["shard"], 5);
}

#[test]
fn human_lines_end_with_the_shard() {
    let text = logged("info", HUMAN, Some(3), || warn!(code = 7, "slow"));
    assert!(text.ends_with("slow code=7 shard=3\n"), "{text:?}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn human_lines_are_coloured_only_when_asked() {
    let coloured = Style::Human { colours: true };
    let text = logged("info", coloured, Some(3), || warn!("slow"));
    assert!(text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn levels_and_directives_filter() {
    let work = || {
        debug!("mine");
        debug!(target: "other", "theirs");
        info!(target: "other", "loud");
    };
    assert_eq!(logged("INFO", HUMAN, None, work).lines().count(), 1);
    let directives = format!("info,{}=debug", module_path!());
    assert_eq!(logged(&directives, HUMAN, None, work).lines().count(), 2);
    assert_eq!(logged("off", HUMAN, None, work), "");
}

#[test]
fn unknown_levels_are_refused() {
    for level in ["", "verbose", "info,loud", "jeday=noisy", "info,"] {
        let refusal = parse_level(level).map(drop);
        assert_eq!(refusal, Err(InitError::UnknownLevel(level.into())));
    }
}

#[test]
fn formats_are_read_back_as_they_are_shown() {
    for format in [LogFormat::Auto, LogFormat::Human, LogFormat::Json] {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!("xml".parse::<LogFormat>(), Err(UnknownFormat));
}

#[test]
fn dropping_the_guard_writes_what_waits() {
    let captured = Captured::default();
    let (mut writer, guard) = background(captured.clone(), 1_000);
    for _ in 0..500 {
        writer.write_all(b"line\n").unwrap();
    }
    drop(guard);
    assert_eq!(captured.text().lines().count(), 500);
}

#[test]
fn a_full_pipe_drops_lines_and_holds_nobody_up() {
    const LINES: usize = 20_000;
    let (mut reader, pipe) = io::pipe().unwrap();
    let (mut writer, guard) = background(pipe, 16);
    let start = Instant::now();
    for _ in 0..LINES {
        writer.write_all(&[b'x'; 100]).unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    let dropped = guard.dropped_lines().get();
    assert!(dropped > 0 && dropped < LINES as u64, "{dropped} dropped");

    let drained = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    drop((writer, guard));
    let written = drained.join().unwrap();
    assert_eq!(written + dropped as usize * 100, LINES * 100);
}

/// Runs only in a process of its own, started by the test below: logging begins once per process.
#[test]
#[ignore = "a part of logging_begins_once_and_is_json_when_nobody_watches"]
fn in_a_process_of_its_own() {
    let guard = init("info", LogFormat::Auto).unwrap();
    assert_eq!(init("info", LogFormat::Auto).map(drop), Err(InitError::AlreadyBegun));
    info!("begun");
    drop(guard);
}

#[test]
fn logging_begins_once_and_is_json_when_nobody_watches() {
    let this = std::env::current_exe().unwrap();
    let output = std::process::Command::new(this)
        .args(["--exact", "--ignored", "--nocapture"])
        .arg(format!("{}::in_a_process_of_its_own", module_path!().split_once("::").unwrap().1))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    let line = errors.lines().find(|line| line.starts_with('{')).expect(&errors);
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["message"], "begun");
}
