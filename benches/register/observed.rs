//! What logs and traces cost a registration: a server with them and one without take turns under the same load.
//! Counters are always there: both servers have them.
#![allow(clippy::print_stdout)]

use crate::{
    options::Options,
    point::Points,
    report,
    results::ServerSample,
    sink::Sink,
    support::{
        Outcome,
        chart::{self, BLUE, Bars, Chart, ORANGE},
        client::Console,
        cluster::Cluster,
        facts::Facts,
        files, scrape,
        server::Setup,
        statistics::Spread,
        table::{self, Table, show},
        verdict::{Verdict, at_least, at_most},
    },
};
use serde::Serialize;

/// Pairs that one pair of processes is measured for: where a process has got its memory makes a difference of its own.
const PAIRS_PER_START: u32 = 3;

/// The share of requests that are traced.
const SAMPLE_RATIO: f64 = 0.01;

/// What all of it may cost.
const COST_MAX: f64 = 0.02;

/// Two turns next to each other.
#[derive(Debug, Serialize)]
struct Pair {
    plain: ServerSample,
    observed: ServerSample,
}

/// Everything.
#[derive(Debug, Serialize)]
struct Results {
    facts: Facts,
    options: Options,
    pairs: Vec<Pair>,
    /// That the collector has taken.
    spans: f64,
    messages: u64,
}

impl Pair {
    fn cpu_ratio(&self) -> f64 {
        self.observed.cpu.server_us / self.plain.cpu.server_us
    }

    fn rate_ratio(&self) -> f64 {
        self.observed.users_per_s / self.plain.users_per_s
    }
}

impl Results {
    fn spread(&self, figure: impl Fn(&Pair) -> f64) -> Option<Spread> {
        Spread::of(self.pairs.iter().map(figure))
    }

    fn faults(&self) -> Vec<String> {
        self.pairs.iter().flat_map(|pair| [&pair.plain, &pair.observed]).flat_map(ServerSample::faults).collect()
    }

    fn verdicts(&self) -> [Verdict; 2] {
        [
            at_most("CPU of the server with logs and traces", 1.0 + COST_MAX, 3, "", self.spread(Pair::cpu_ratio)),
            at_least("users/s with logs and traces", 1.0 - COST_MAX, 3, "", self.spread(Pair::rate_ratio)),
        ]
    }

    fn table(&self) -> String {
        let mut table = Table::new(["registration", "without", "with", "ratio of each pair"]);
        type Figure = fn(&ServerSample) -> f64;
        let figures: [(&str, usize, Figure); 4] = [
            ("server CPU us/user", 2, |sample| sample.cpu.server_us),
            ("users/s", 0, |sample| sample.users_per_s),
            ("p50 ms", 2, |sample| table::ms(sample.wrk.p50_us)),
            ("p99 ms", 2, |sample| table::ms(sample.wrk.p99_us)),
        ];
        for (name, decimals, figure) in figures {
            table.row([
                name.to_owned(),
                show(self.spread(|pair| figure(&pair.plain)), decimals),
                show(self.spread(|pair| figure(&pair.observed)), decimals),
                show(self.spread(|pair| figure(&pair.observed) / figure(&pair.plain)), 3),
            ]);
        }
        let (pairs, spans, messages) = (self.pairs.len(), self.spans, self.messages);
        format!("{}{pairs} pairs; the collector has taken {spans} spans in {messages} messages\n", table.show())
    }

    fn picture(&self) -> Outcome<String> {
        let bars = |name, color, figure: &dyn Fn(&Pair) -> f64| Bars { name, color, values: vec![self.spread(figure)] };
        let chart = |title, plain: &dyn Fn(&Pair) -> f64, observed: &dyn Fn(&Pair) -> f64| Chart {
            title,
            groups: vec![format!("{} connections", self.pairs.first().map_or(0, |pair| pair.plain.connections))],
            below: "",
            bars: vec![bars("without", BLUE, plain), bars("with logs and traces", ORANGE, observed)],
        };
        let charts = [
            chart("server CPU, us/user", &|it| it.plain.cpu.server_us, &|it| it.observed.cpu.server_us),
            chart("users/s", &|it| it.plain.users_per_s, &|it| it.observed.users_per_s),
        ];
        Ok(chart::draw(&self.facts.title("Logs and traces"), (1200, 500), (1, 2), &charts)?)
    }
}

/// Measures, prints and writes; returns what went wrong with users.
pub(crate) fn run(
    cluster: &Cluster,
    console: &Console,
    setup: &Setup,
    facts: Facts,
    options: Options,
) -> Outcome<Vec<String>> {
    let sink = Sink::start()?;
    let mut results = Results { facts, options, pairs: Vec::new(), spans: 0.0, messages: 0 };
    for repeat in 1..=results.options.measuring.repeats {
        println!("repeat {repeat} of {}", results.options.measuring.repeats);
        measure(cluster, console, setup, &sink, &mut results)?;
    }
    results.messages = sink.messages();
    let verdicts = results.verdicts();
    println!("\n{}\n{}", results.table(), table::verdicts(&verdicts));
    let faults = results.faults();
    let document = files::Document { results: &results, verdicts: &verdicts, faults: &faults };
    let output = &results.options.measuring.output;
    files::write(output, "observability", &results.facts.date, &document, &results.picture()?)?;
    Ok(faults)
}

/// Some pairs with servers of their own. Who comes first takes turns too.
fn measure(cluster: &Cluster, console: &Console, setup: &Setup, sink: &Sink, results: &mut Results) -> Outcome<()> {
    let connections = results.options.connections.iter().copied().max().unwrap_or(1);
    let seconds = results.options.measuring.seconds;
    let start = |settings: &[String]| -> Outcome<Points<'_>> {
        let mut points = Points::new(cluster, console, setup.start_with(settings)?.0, setup.directory(), seconds);
        points.warm_up(connections)?;
        Ok(points)
    };
    let mut plain = start(&["log.level=off".to_owned()])?;
    let mut observed = start(&[
        "log.level=info".to_owned(),
        format!("tracing.collector=http://{}", sink.address),
        format!("tracing.sample_ratio={SAMPLE_RATIO}"),
    ])?;
    for pair in 0..PAIRS_PER_START {
        let (plain, observed) = match pair % 2 {
            0 => (plain.measure(connections)?, observed.measure(connections)?),
            _ => {
                let observed = observed.measure(connections)?;
                (plain.measure(connections)?, observed)
            }
        };
        for (name, sample) in [("without", &plain), ("with   ", &observed)] {
            println!("{name} {}", report::server_line(sample));
        }
        results.pairs.push(Pair { plain, observed });
    }
    let page = observed.server.metrics()?;
    let spans = scrape::sum(&page, "jeday_trace_spans_exported_total", &[]).unwrap_or(0.0);
    if spans == 0.0 {
        return Err("no span has come to the collector".into());
    }
    results.spans += spans;
    plain.server.stop()?;
    observed.server.stop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::sample;
    use crate::support::verdict::{Outcome, tests::outcome};
    use clap::Parser;

    fn results(cpu_us: [f64; 3]) -> Results {
        let pair = |server_us| {
            let mut observed = sample(500);
            observed.cpu.server_us = server_us;
            Pair { plain: sample(500), observed }
        };
        let options = Options::parse_from(["bench"]);
        Results { facts: Facts::example(), options, pairs: cpu_us.map(pair).into(), spans: 9.0, messages: 3 }
    }

    #[test]
    fn the_middle_of_the_pairs_decides_what_it_costs() {
        let what = "CPU of the server with logs and traces";
        let plain = sample(500).cpu.server_us;
        assert_eq!(outcome(&results([plain, plain * 1.019, plain * 2.0]).verdicts(), what), Outcome::Reached);
        assert_eq!(outcome(&results([plain, plain * 1.021, plain * 2.0]).verdicts(), what), Outcome::Missed);
    }

    #[test]
    fn table_and_picture_show_both_and_their_ratio() {
        let results = results([8.0, 8.8, 9.6]);
        let table = results.table();
        assert!(table.contains("1.100 (1.000-1.200)") && table.contains("9 spans in 3 messages"), "{table}");
        assert!(results.picture().unwrap().contains("with logs and traces"));
    }
}
