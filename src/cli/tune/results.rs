//! What is swept and what was measured: the file that a sweep is resumed from, and the same as a table. Judges nothing.

use super::{generator::Kind, points::Point, schedule::Step, statistics::Spread, verdict::Goal};
use crate::postgres::scratch::ScratchName;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What is to be measured, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sweep {
    /// Of the program that began it.
    pub(super) version: String,
    /// RFC 3339.
    pub(super) started: String,
    /// What it runs on, for people.
    pub(super) machine: String,
    /// Order of the runs.
    pub(super) seed: u64,
    pub(super) repeats: u32,
    pub(super) seconds: u32,
    pub(super) warm_up_seconds: u32,
    pub(super) generator: Kind,
    /// As it tells itself.
    pub(super) generator_version: String,
    pub(super) scenario: String,
    /// Virtual users or connections; none leaves it to the scenario.
    pub(super) clients: Option<u32>,
    /// Iterations a second of the open model.
    pub(super) rate: Option<u32>,
    pub(super) goal: Goal,
    /// The scratch database, for a resumed sweep to drop.
    pub(super) database: ScratchName,
    /// What it is on, for people.
    pub(super) postgresql: String,
    pub(super) points: Vec<Point>,
    /// All settings with their sources as they were configured, without the points'; secrets are masked.
    pub(super) settings: serde_json::Value,
}

/// One run of one point: figures, or what went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) point: usize,
    pub(super) repeat: u32,
    /// RFC 3339.
    pub(super) at: String,
    /// From the making of the database to its end.
    pub(super) took_s: f64,
    pub(super) figures: Option<Figures>,
    pub(super) fault: Option<String>,
}

/// What one run has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) requests: u64,
    /// Not answered as they should be, or not at all.
    pub(super) failed: u64,
    /// Answered as they should be.
    pub(super) requests_per_s: f64,
    /// Of the slowest kind of request, where there are several.
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    /// CPU time for each request of the server, but for password hashes.
    pub(super) server_cpu_us: f64,
    /// CPU time for each request of the threads that hash passwords, also in the background.
    pub(super) hashing_cpu_us: f64,
    /// None where PostgreSQL runs elsewhere.
    pub(super) database_cpu_us: Option<f64>,
    pub(super) generator_cpu_us: f64,
    /// Of all CPU time that the machine has used, what went to none of them.
    pub(super) others_cpu_share: f64,
    /// Users in a statement, where any were registered.
    pub(super) batch_users: Option<f64>,
    /// Of the whole PostgreSQL, for each user registered.
    pub(super) wal_bytes_per_user: Option<f64>,
    /// The server's, with the memory of its password cores.
    pub(super) peak_memory_mib: f64,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) sweep: Sweep,
    pub(super) runs: Vec<Run>,
}

impl Results {
    /// Adds a run. It takes the place of an earlier one of the same step, which had failed.
    pub(super) fn add(&mut self, run: Run) {
        self.runs.retain(|known| (known.point, known.repeat) != (run.point, run.repeat));
        self.runs.push(run);
    }

    /// Whether a step need not be measured any more. What failed is tried again.
    pub(super) fn has(&self, step: Step) -> bool {
        self.runs.iter().any(|run| (run.point, run.repeat) == (step.point, step.repeat) && run.figures.is_some())
    }

    /// The figures of all runs of a point.
    pub(super) fn figures(&self, point: usize) -> impl Iterator<Item = &Figures> {
        self.runs.iter().filter(move |run| run.point == point).filter_map(|run| run.figures.as_ref())
    }

    /// The median of one figure of a point, and its range.
    pub(super) fn spread(&self, point: usize, figure: impl Fn(&Figures) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.figures(point).filter_map(figure))
    }

    /// One line a run (RFC 4180, but for its line ends), in the order of measurement.
    pub(super) fn csv(&self) -> String {
        let mut text = String::from(
            "point,repeat,at,requests,failed,requests_per_s,p50_ms,p95_ms,p99_ms,max_ms,server_cpu_us,hashing_cpu_us,\
             database_cpu_us,generator_cpu_us,others_cpu_share,batch_users,wal_bytes_per_user,peak_memory_mib,took_s,\
             fault\n",
        );
        for run in &self.runs {
            let name = self.sweep.points.get(run.point).map_or("", |point| point.name.as_str());
            let _ = write!(text, "{},{},{}", field(name), run.repeat + 1, run.at);
            let number = |number: Option<f64>| number.map(|number| format!("{number:.3}")).unwrap_or_default();
            match &run.figures {
                Some(it) => {
                    let _ = write!(text, ",{},{}", it.requests, it.failed);
                    let rest = [
                        Some(it.requests_per_s),
                        Some(it.p50_ms),
                        Some(it.p95_ms),
                        Some(it.p99_ms),
                        Some(it.max_ms),
                        Some(it.server_cpu_us),
                        Some(it.hashing_cpu_us),
                        it.database_cpu_us,
                        Some(it.generator_cpu_us),
                        Some(it.others_cpu_share),
                        it.batch_users,
                        it.wal_bytes_per_user,
                        Some(it.peak_memory_mib),
                    ];
                    rest.into_iter().for_each(|figure| {
                        let _ = write!(text, ",{}", number(figure));
                    });
                }
                None => text.push_str(&",".repeat(15)),
            }
            let _ = writeln!(text, ",{:.3},{}", run.took_s, field(run.fault.as_deref().unwrap_or_default()));
        }
        text
    }
}

/// A field, in quotes where it has to be.
fn field(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Results of points `a`, `b`, ... with one run for each rate.
    pub(in super::super) fn results(rates: &[&[f64]]) -> Results {
        let points = (b'a'..).take(rates.len()).map(|name| Point {
            name: char::from(name).to_string(),
            profile: None,
            settings: Vec::new(),
        });
        let sweep = Sweep {
            version: "1".to_owned(),
            started: "2026-01-01T00:00:00Z".to_owned(),
            machine: "a machine".to_owned(),
            seed: 7,
            repeats: 3,
            seconds: 1,
            warm_up_seconds: 1,
            generator: Kind::Wrk,
            generator_version: "wrk 1".to_owned(),
            scenario: "register".to_owned(),
            clients: None,
            rate: None,
            goal: Goal::Throughput,
            database: ScratchName::new(1),
            postgresql: "PostgreSQL".to_owned(),
            points: points.collect(),
            settings: serde_json::Value::Null,
        };
        let mut results = Results { sweep, runs: Vec::new() };
        for (point, rates) in rates.iter().enumerate() {
            for (repeat, rate) in (0..).zip(*rates) {
                results.add(run(point, repeat, Ok(*rate)));
            }
        }
        results
    }

    pub(in super::super) fn run(point: usize, repeat: u32, rate: Result<f64, &str>) -> Run {
        let figures = rate.ok().map(|rate| Figures {
            requests: 1_000,
            failed: 0,
            requests_per_s: rate,
            p50_ms: 1.0,
            p95_ms: 2.0,
            p99_ms: 3.0,
            max_ms: 4.0,
            server_cpu_us: 10.0,
            hashing_cpu_us: 1.0,
            database_cpu_us: None,
            generator_cpu_us: 9.0,
            others_cpu_share: 0.01,
            batch_users: Some(100.0),
            wal_bytes_per_user: Some(690.0),
            peak_memory_mib: 80.0,
        });
        let fault = rate.err().map(str::to_owned);
        Run { point, repeat, at: "2026-01-01T00:00:01Z".to_owned(), took_s: 4.5, figures, fault }
    }

    #[test]
    fn what_failed_is_measured_again_and_replaced() {
        let mut results = results(&[&[100.0]]);
        let step = Step { point: 0, repeat: 1 };
        results.add(run(0, 1, Err("no room")));
        assert!(results.has(Step { point: 0, repeat: 0 }) && !results.has(step));
        results.add(run(0, 1, Ok(200.0)));
        assert!(results.has(step));
        assert_eq!(results.runs.len(), 2);
        assert_eq!(results.spread(0, |it| Some(it.requests_per_s)).unwrap().median, 150.0);
    }

    #[test]
    fn the_file_gives_back_what_was_written() {
        let mut results = results(&[&[100.5], &[200.0]]);
        results.add(run(1, 1, Err("no \"room\", here")));
        let text = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), results);
    }

    #[test]
    fn every_line_of_the_table_has_every_column() {
        let mut results = results(&[&[100.5]]);
        results.sweep.points[0].name = "a=1,b=2".to_owned();
        results.add(run(0, 1, Err("gone")));
        let csv = results.csv();
        let lines: Vec<_> = csv.lines().collect();
        assert!(lines[1].starts_with("\"a=1,b=2\",1,2026-01-01T00:00:01Z,1000,0,100.500,"), "{csv}");
        let columns = lines[0].split(',').count();
        for line in &lines[1..] {
            assert_eq!(line.replace("\"a=1,b=2\"", "a").split(',').count(), columns, "{line}");
        }
        assert!(lines[2].ends_with(",4.500,gone"), "{csv}");
    }
}
