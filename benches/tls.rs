//! What TLS costs a server, against plain HTTP in the same run: requests on connections that are kept, and connections
//! that are made for one request. wrk makes the load, on the same cores, so that rates of both are what such a machine
//! does as a whole; the server's CPU time is its own. Judges nothing.
#![allow(clippy::print_stdout, clippy::print_stderr)]
#![allow(dead_code, unused_imports)]

#[path = "support/mod.rs"]
mod support;

use clap::Parser;
use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use serde::Serialize;
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};
use support::{
    Outcome,
    cluster::Cluster,
    facts, files, generator, interrupt,
    options::Measuring,
    process::{Process, bound},
    procfs, scrape,
    server::{Server, Setup},
    statistics::{Shuffler, Spread},
    table,
};

/// Costs the server nothing but HTTP.
const PATH: &str = "/health/live";

const HANDSHAKES: &str = "jeday_tls_handshakes_total";

const AFTER_HELP: &str = "\
Needs PostgreSQL 15 or later and wrk (Debian: apt-get install postgresql wrk).

Examples:
  make bench-tls
  cargo bench --bench tls -- --quick";

/// Measure what TLS costs a server, against plain HTTP in the same run
#[derive(Parser, Clone, Debug, Serialize)]
#[command(name = "bench-tls", after_help = AFTER_HELP, max_term_width = 100)]
struct Options {
    /// Client connections at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,

    #[command(flatten)]
    measuring: Measuring,
}

/// What is measured at once.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
struct Point {
    /// Over TLS, or plain.
    tls: bool,
    /// Whether connections are kept, or made for each request.
    kept: bool,
}

impl Point {
    const ALL: [Point; 4] = [
        Point { tls: false, kept: true },
        Point { tls: true, kept: true },
        Point { tls: false, kept: false },
        Point { tls: true, kept: false },
    ];

    fn name(self) -> String {
        let (front, connections) =
            (if self.tls { "TLS" } else { "plain" }, if self.kept { "kept" } else { "one request each" });
        format!("{front}, connections {connections}")
    }
}

/// What came of it.
#[derive(Clone, Copy, Serialize)]
struct Sample {
    point: Point,
    requests_per_s: f64,
    server_us: f64,
    p50_us: f64,
    /// Of all handshakes, those that took up an earlier session.
    resumed_share: f64,
}

/// Both servers, which share a database; the one that is not measured has nothing to do.
struct Servers {
    plain: Server,
    tls: Server,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let measuring = options.measuring.clone().resolved();
    files::conclude("bench-tls", &measuring, || run(options.connections, &measuring))
}

fn run(connections: u32, measuring: &Measuring) -> Outcome<Vec<String>> {
    let wrk = generator::find()?;
    let cluster = Cluster::start()?;
    let console = cluster.console()?;
    let directory = tempfile::Builder::new().prefix("bench-tls-").tempdir()?;
    let setup = Setup::new(&measuring.server, &measuring.set, cluster.url(), directory.path())?;
    println!("{}", table::facts(&facts::gather(&cluster, &console, wrk)?));
    let mut servers = Servers { plain: setup.start()?.0, tls: setup.start_with(&certificate(directory.path())?)?.0 };
    let (mut samples, mut points, mut order) = (Vec::new(), Point::ALL, Shuffler::new(1));
    for point in points {
        measure(&mut servers, point, connections, 1, directory.path())?;
    }
    for repeat in 1..=measuring.repeats {
        println!("repeat {repeat} of {}", measuring.repeats);
        order.shuffle(&mut points);
        for point in points {
            let sample = measure(&mut servers, point, connections, measuring.seconds, directory.path())?;
            let Sample { requests_per_s, server_us, p50_us, .. } = sample;
            println!("  {:<32} {requests_per_s:>8.0}/s  {server_us:>6.1} us  p50 {p50_us:>6.0} us", point.name());
            samples.push(sample);
        }
    }
    servers.plain.stop()?;
    servers.tls.stop()?;
    println!("\n{}", report(&samples, connections));
    Ok(Vec::new())
}

/// Settings of a server that shows a certificate of its own, for a key on the curve P-256.
fn certificate(directory: &Path) -> Outcome<[String; 2]> {
    let (certificate, key) = (directory.join("server.crt"), directory.join("server.key"));
    let pair = KeyPair::generate()?;
    fs::write(&certificate, CertificateParams::new(vec!["localhost".to_owned()])?.self_signed(&pair)?.pem())?;
    fs::write(&key, pair.serialize_pem())?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    let setting = |name: &str, path: &Path| format!("server.{name}={}", path.display());
    Ok([setting("tls_certificate", &certificate), setting("tls_key", &key)])
}

fn measure(servers: &mut Servers, point: Point, connections: u32, seconds: u64, directory: &Path) -> Outcome<Sample> {
    interrupt::check()?;
    let server = if point.tls { &mut servers.tls } else { &mut servers.plain };
    server.check()?;
    let handshakes = |page: &str, kind: &str| scrape::sum(page, HANDSHAKES, &[("kind", kind)]).unwrap_or(0.0);
    let (page, cpu_ns) = (server.metrics()?, procfs::cpu_ns(server.pid())?);
    let told = load(server.address, point, connections, seconds, &directory.join("wrk.log"))?;
    let cpu_ns = procfs::cpu_ns(server.pid())? - cpu_ns;
    let after = server.metrics()?;
    let since = |kind: &str| handshakes(&after, kind) - handshakes(&page, kind);
    let figure = |of: &str| told.iter().find_map(|(name, value)| (name == of).then_some(*value)).unwrap_or(0.0);
    if figure("errors") > 0.0 || figure("requests") == 0.0 {
        return Err(format!("{}: {told:?}", point.name()).into());
    }
    Ok(Sample {
        point,
        requests_per_s: figure("requests") * 1e6 / figure("duration_us"),
        server_us: cpu_ns as f64 / 1e3 / figure("requests"),
        p50_us: figure("p50_us"),
        resumed_share: since("resumed") / (since("resumed") + since("full")).max(1.0),
    })
}

/// Runs wrk to its end; what its script tells, by name.
fn load(address: SocketAddr, point: Point, connections: u32, seconds: u64, log: &Path) -> Outcome<Vec<(String, f64)>> {
    const SCRIPT: &str = "function done(summary, latency)\n\
        local e = summary.errors\n\
        print('told requests ' .. summary.requests)\nprint('told duration_us ' .. summary.duration)\n\
        print('told errors ' .. e.connect + e.read + e.write + e.timeout + e.status)\n\
        print('told p50_us ' .. latency:percentile(50))\nend\n";
    let script = log.with_extension("lua");
    fs::write(&script, SCRIPT)?;
    let threads = thread::available_parallelism().map_or(1, usize::from).min(connections as usize);
    let mut command = bound("wrk", "KILL");
    command.args(["--threads", &threads.to_string(), "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{seconds}s"), "--timeout", "10s"]).arg("--script").arg(script);
    if !point.kept {
        command.args(["--header", "Connection: close"]);
    }
    command.arg(format!("{}://{address}{PATH}", if point.tls { "https" } else { "http" }));
    let mut wrk = Process::start(command, Signal::KILL, Duration::from_secs(5), log)?;
    while wrk.is_running()? {
        interrupt::pause(Duration::from_millis(50))?;
    }
    let text = fs::read_to_string(log)?;
    let told = text.lines().filter_map(|line| line.strip_prefix("told ")?.split_once(' '));
    let told: Vec<_> = told.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect();
    if told.len() == 4 { Ok(told) } else { Err(format!("wrk has not come to its end:\n{text}").into()) }
}

fn report(samples: &[Sample], connections: u32) -> String {
    let spread = |point: Point, of: fn(&Sample) -> f64| {
        Spread::of(samples.iter().filter(|sample| sample.point == point).map(of)).expect("each point is measured")
    };
    let mut text = format!("{connections} connections; medians, and ranges\n");
    for point in Point::ALL {
        let rate = spread(point, |sample| sample.requests_per_s);
        let cpu = spread(point, |sample| sample.server_us);
        let p50 = spread(point, |sample| sample.p50_us);
        text += &format!("{:<32} {}/s, server {} us", point.name(), rate.show(0), cpu.show(1));
        text += &format!(" of CPU each, p50 {} us\n", p50.show(0));
    }
    for kept in [true, false] {
        let [plain, tls] = [false, true].map(|tls| Point { tls, kept });
        let ratio = |of: fn(&Sample) -> f64| spread(tls, of).median / spread(plain, of).median;
        let what = if kept { "kept" } else { "one request each" };
        let (rate, cpu) = (ratio(|sample| sample.requests_per_s), ratio(|sample| sample.server_us));
        text += &format!("TLS against plain, connections {what}: {rate:.2} of the rate, {cpu:.2} of the CPU\n");
    }
    let resumed = spread(Point { tls: true, kept: false }, |sample| sample.resumed_share).median * 100.0;
    text + &format!("certificate: ECDSA P-256; {resumed:.0} % of the handshakes of wrk were resumed\n")
}
