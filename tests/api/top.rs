//! `jeday top`: one picture of a server at work and of one that is not there, and a terminal that it gives back.

use crate::support::{
    client::nth,
    metrics::Metrics,
    server::{CHEAP, Deployment, JEDAY, Server, jeday},
    set_on_drop::SetOnDrop,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::Read,
    net::TcpListener,
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// What xterm's descendants take: to another screen, back to the first, and the cursor shown again.
const ENTERED: &str = "\x1b[?1049h";
const LEFT: &str = "\x1b[?1049l";
const SHOWN: &str = "\x1b[?25h";

fn top<const N: usize>(arguments: [&str; N]) -> Output {
    jeday(["top", "--once", "--interval", "500ms"].into_iter().chain(arguments)).output().unwrap()
}

/// Registers one user after the other for as long as `work` takes.
fn under_load<T>(server: &Server, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.connect();
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                assert_eq!(client.register(&nth(number)).status, 201);
            }
        });
        let _ends = SetOnDrop(&over);
        Metrics::once(server, "the load has begun", |metrics| metrics.requests("/auth/register", 201) > 0.0);
        work()
    })
}

/// The cells of the line behind this heading whose figure in the second column is the largest.
fn busiest<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading)).skip(1).take_while(|line| !line.is_empty());
    let cells = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    cells.max_by_key(|cells| cells[1].parse::<u64>().unwrap()).unwrap_or_else(|| panic!("no {heading}: {text}"))
}

#[test]
fn top_shows_what_each_shard_and_core_of_a_busy_server_does() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(CHEAP);
    let address = server.operator_address().to_string();
    let output = under_load(&server, || top([&address]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{text}");
    assert!(text.starts_with(&format!("{address}  {}", env!("CARGO_PKG_VERSION"))), "{text}");
    // Number, requests, two quantiles with units, batch, queue, connections, commit with its unit, CPU.
    let shard = busiest(&text, "shard ");
    let figure = |at: usize| shard[at].parse::<f64>().unwrap_or_else(|_| panic!("{at}: {shard:?}"));
    let micros = |at: usize| {
        let unit = match shard[at + 1] {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            other => panic!("{other}: {shard:?}"),
        };
        figure(at) * unit
    };
    assert!(figure(1) > 0.0 && micros(2) > 0.0 && micros(4) >= micros(2) && figure(6) >= 1.0, "{text}");
    assert!(figure(8) >= 1.0 && figure(9) > 0.0, "{text}");
    let metrics = Metrics::of(&server);
    let rows = |heading: &str| {
        text.lines().skip_while(|line| !line.starts_with(heading)).skip(1).take_while(|line| !line.is_empty()).count()
    };
    assert_eq!(rows("shard "), metrics.count("jeday_shard_requests_total", &[]), "{text}");
    assert_eq!(rows("worker "), metrics.count("jeday_password_busy_seconds_total", &[]), "{text}");
    // What the shards have counted is what the routes have.
    Metrics::once(&server, "both histograms agree", |metrics| {
        let count = |family: &str| metrics.sum(&format!("{family}_count"), &[]);
        count("jeday_shard_request_duration_seconds") == count("jeday_http_request_duration_seconds")
            && count("jeday_shard_batch_commit_seconds") == count("jeday_batch_commit_seconds")
            && count("jeday_shard_batch_size_items") == count("jeday_batch_size_items")
    });
}

#[test]
fn server_that_does_not_answer_is_shown_beside_one_that_does() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let here = server.operator_address().to_string();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = top([&nobody, &here]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(1), &b""[..]), "{text}");
    let (first, second) = text.split_once(&here).unwrap_or_else(|| panic!("{text}"));
    assert!(first.starts_with(&nobody) && first.contains("does not answer for 0 s: Connection refused"), "{text}");
    assert!(second.contains("\nrequests "), "{text}");
}

#[test]
fn a_signal_leaves_the_terminal_as_it_was() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    // `script` gives it a terminal, and hands on how it ended.
    let run = format!("stty rows 24 cols 80; echo $$ >'{}'; exec \"$JEDAY\" top \"$ADDRESS\"", pid.display());
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &run, "/dev/null"])
        .env("JEDAY", JEDAY)
        .env("ADDRESS", server.operator_address().to_string())
        .env("TERM", "xterm-256color")
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut seen = String::new();
    let mut bytes = [0; 4096];
    while !seen.contains("worker") {
        let len = screen.read(&mut bytes).unwrap();
        assert!(len > 0, "it has ended: {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..len]));
    }
    assert!(seen.contains(ENTERED) && !seen.contains(LEFT), "{seen:?}");
    let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(LEFT) && rest.contains(SHOWN), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(128 + Signal::TERM.as_raw()));
}

#[test]
fn top_asks_the_server_of_the_settings_when_none_is_named() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let address = server.operator_address().to_string();
    let named = jeday(["top", "--interval", "100ms"]).env("METRICS_ADDRESS", &address).output().unwrap();
    assert!(named.status.success() && String::from_utf8(named.stdout).unwrap().starts_with(&address));
    let off = jeday(["top"]).env("METRICS_ADDRESS", "off").output().unwrap();
    assert_eq!(off.status.code(), Some(1));
    for wrong in [["top", "--interval", "0"], ["top", "--interval", "2h"], ["top", "--once", "http://localhost:1"]] {
        assert_eq!(jeday(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
}
