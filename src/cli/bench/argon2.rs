//! `jeday bench argon2`: what a password hash takes on one core of this machine, and the most that fits into a time.
//! Searches as RFC 9106 section 4 says: first as much memory as can be spared, then as many passes as the time allows.

use crate::{
    cli::{CliError, print},
    hardening::{Engine, HashError, HashMemory, Params, Preset, self_test},
    limits::ARGON2_PASSES_MAX,
};
use serde_json::json;
use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

const AFTER_HELP: &str = "\
Each line is measured on one core with nothing else to do, as a password core
hashes: over memory that is kept. Run it on the machine that will hash.

Examples:
  jeday bench argon2                      What fits into 50 ms
  jeday bench argon2 --target-ms 20       For more logins a second
  jeday bench argon2 --memory-max-mib 64  With less memory for each password core";

/// Memory that is tried, in MiB, most first: steps of a third or so, and OWASP's own.
const MEMORY_MIB: [u32; 13] = [1024, 768, 512, 384, 256, 192, 128, 96, 64, 46, 19, 12, 7];

/// Fewer say nothing about the middle.
const HASHES_MIN: usize = 5;

/// Measure Argon2id on one core, and find what fits into a time
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Time that a hash may take, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    target_ms: u32,

    /// Memory that a hash may take, in MiB; each password core holds as much
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(7..=1024))]
    memory_max_mib: u32,

    /// Lanes; they are computed one after the other
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    lanes: u32,

    /// Time for each measurement, in milliseconds
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    sample_ms: u32,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Parameters and the median time of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Measured {
    params: Params,
    time: Duration,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let engine = self_test::choose(Params::DEFAULT).map_err(|error| CliError::failed(&error))?;
    let sample = Duration::from_millis(args.sample_ms.into());
    let mut measure = |params| -> Result<Measured, CliError> {
        let time = median(engine, params, sample).map_err(|error| CliError::failed(&error))?;
        let measured = Measured { params, time };
        // Each as it comes: the whole takes seconds.
        if !args.json {
            print(&format!("{}\n", measured.line()))?;
        }
        Ok(measured)
    };
    if !args.json {
        print(&format!("Argon2id by {engine}, one core, medians over {} ms\n\n{HEADING}\n", args.sample_ms))?;
    }
    let presets: Vec<Measured> = Preset::ALL.iter().map(|preset| measure(preset.params())).collect::<Result<_, _>>()?;
    let target = Duration::from_millis(args.target_ms.into());
    let found = search(target, args.memory_max_mib, args.lanes, &mut measure)?;
    if args.json {
        let document = json!({
            "engine": engine.to_string(),
            "target_ms": args.target_ms,
            "presets": presets.iter().map(Measured::json).collect::<Vec<_>>(),
            "recommended": found.as_ref().map(Measured::json),
        });
        print(&format!("{document:#}\n"))?;
    } else {
        print(&advice(found, args.target_ms))?;
    }
    Ok(if found.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

const HEADING: &str = "parameters                     ms a hash   hashes/s a core";

impl Measured {
    fn per_second(&self) -> f64 {
        1.0 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    fn line(&self) -> String {
        let ms = self.time.as_secs_f64() * 1e3;
        format!("{:<30} {ms:>9.1} {:>17.1}", self.params.to_string(), self.per_second())
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "memory_kib": self.params.memory_kib(),
            "passes": self.params.passes(),
            "lanes": self.params.lanes(),
            "ms": self.time.as_secs_f64() * 1e3,
            "hashes_per_second_and_core": self.per_second(),
        })
    }
}

fn advice(found: Option<Measured>, target_ms: u32) -> String {
    let Some(found) = found else {
        return format!(
            "\nNothing that OWASP recommends takes {target_ms} ms or less here: allow more time, or hash on faster cores.\n"
        );
    };
    let (memory_mib, passes, lanes) = (found.params.memory_kib() >> 10, found.params.passes(), found.params.lanes());
    format!(
        "\nThe most that fits into {target_ms} ms: {}, {:.0} logins/s a password core\n\n    \
         ARGON2_MEMORY={memory_mib}MiB ARGON2_PASSES={passes} ARGON2_LANES={lanes}\n",
        found.params,
        found.per_second()
    )
}

/// The most memory, and with it the most passes, that a hash computes in time. `None` when nothing strong enough does.
fn search<E>(
    target: Duration,
    memory_max_mib: u32,
    lanes: u32,
    measure: &mut impl FnMut(Params) -> Result<Measured, E>,
) -> Result<Option<Measured>, E> {
    for memory_kib in MEMORY_MIB.into_iter().filter(|mib| *mib <= memory_max_mib).map(|mib| mib << 10) {
        // What one pass takes says how many fit; whether one is enough for so little memory is another question.
        let Ok(one_pass) = Params::new(memory_kib, 1, lanes, true) else { continue };
        let first = measure(one_pass)?;
        let fit = target.as_nanos() / first.time.as_nanos().max(1);
        let mut passes = u32::try_from(fit).unwrap_or(u32::MAX).min(ARGON2_PASSES_MAX);
        while let Ok(params) = Params::new(memory_kib, passes, lanes, false) {
            let measured = if passes == 1 { first } else { measure(params)? };
            if measured.time <= target {
                return Ok(Some(measured));
            }
            passes -= 1;
        }
    }
    Ok(None)
}

/// The median time of a hash, of as many as the sample has time for.
fn median(engine: Engine, params: Params, sample: Duration) -> Result<Duration, HashError> {
    let mut memory = HashMemory::new(engine, params)?;
    memory.wipe();
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < HASHES_MIN || started.elapsed() < sample {
        let before = Instant::now();
        let mut tag = [0; 32];
        memory.hash(params, black_box(&[7; 32]), black_box(&[8; 16]), &mut tag)?;
        black_box(tag);
        times.push(before.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Searches on a machine that takes a microsecond for a block and a millisecond for each hash.
    fn found(target_ms: u64, memory_max_mib: u32) -> Option<(u32, u32)> {
        let mut measure = |params: Params| {
            let time = Duration::from_millis(1) + Duration::from_micros(params.work_kib());
            Ok::<_, Infallible>(Measured { params, time })
        };
        let Ok(found) = search(Duration::from_millis(target_ms), memory_max_mib, 4, &mut measure);
        found.map(|found| (found.params.memory_kib() >> 10, found.params.passes()))
    }

    #[test]
    fn memory_comes_before_passes() {
        assert_eq!(found(70, 1024), Some((64, 1)));
        assert_eq!(found(140, 1024), Some((128, 1)), "not 64 MiB and two passes");
        assert_eq!(found(200, 64), Some((64, 3)));
        assert_eq!(found(100_000, 1024), Some((1024, 64)), "no more passes than may be configured");
    }

    #[test]
    fn little_time_takes_little_memory_with_more_passes() {
        assert_eq!(found(45, 1024), Some((19, 2)));
        assert_eq!(found(20, 1024), None, "too weak for anybody");
        assert_eq!(found(1, 1024), None);
    }
}
