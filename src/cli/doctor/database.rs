//! What the doctor asks of the database: whether it is safe, new enough, large enough, and what it is set to that costs
//! speed. Settings are judged for what registration does to a server: many small commits, and little to read.

use super::check;
use crate::{
    clock,
    postgres::{
        connect::{ConnectOptions, connect},
        examination::{Examination, examine},
        link::Link,
        migrate,
        target::Target,
    },
};
use shards::preflight::{Check, Verdict};

/// What PostgreSQL takes unless it is told otherwise: enough for a phone.
const SHARED_BUFFERS_DEFAULT: u64 = 128 << 20;
const WAL_BYTES_DEFAULT: u64 = 1 << 30;

/// A checkpoint writes every page in full again that changes after it.
const CHECKPOINT_TIMEOUT_MIN_S: u64 = 300;

/// What asking takes is in it. Tokens forgive 30 s between servers.
const CLOCK_DIFFERENCE_MAX_MS: u64 = 1_000;

/// The checks; `connections` is what the process opens.
pub(super) async fn checks(target: &Target, options: &ConnectOptions, connections: u64) -> Vec<Check> {
    let link = match connect(target, options).await {
        Ok(link) => link,
        Err(error) => return vec![check("database", &target.to_string(), Verdict::Fatal, Some(error.to_string()))],
    };
    let mut checks = vec![server(&link), durability(&link), schema(&link).await];
    match examine(&link).await {
        Ok(found) => {
            checks.extend(settings(&found));
            checks.push(budget(&found, connections));
            checks.push(clocks(found.unix_ms, clock::unix_ms()));
        }
        Err(error) => checks.push(check("database settings", "not told", Verdict::Warning, Some(error.to_string()))),
    }
    checks
}

fn server(link: &Link) -> Check {
    let server = link.server();
    let pooled = if server.pooled { ", through a pooler: statements are not kept prepared" } else { "" };
    let encrypted = if server.encrypted { ", encrypted" } else { "" };
    let value = format!("PostgreSQL {} at {}{encrypted}{pooled}", server.version, server.place);
    check("database", &value, Verdict::Ok, None)
}

fn durability(link: &Link) -> Check {
    match &link.server().weakness {
        None => check("durability", "confirmed registrations survive a crash", Verdict::Ok, None),
        Some(weakness) => check(
            "durability",
            &format!("{} = {}: {}", weakness.setting, weakness.value, weakness.danger),
            Verdict::Warning,
            Some(weakness.remedy.to_owned()),
        ),
    }
}

async fn schema(link: &Link) -> Check {
    match migrate::check(link.client()).await {
        Ok(version) => check("schema", &format!("version {version}"), Verdict::Ok, None),
        Err(problem) => check("schema", "not this version's", Verdict::Fatal, Some(problem.to_string())),
    }
}

/// Settings that cost speed; none of them is a danger.
fn settings(found: &Examination) -> Vec<Check> {
    let judge = |name, value: &str, is_slow, remedy: &str| {
        let verdict = if is_slow { Verdict::Warning } else { Verdict::Ok };
        check(name, value, verdict, is_slow.then(|| remedy.to_owned()))
    };
    vec![
        judge(
            "shared_buffers",
            &format!("{} MiB", found.shared_buffers >> 20),
            found.shared_buffers <= SHARED_BUFFERS_DEFAULT,
            "The default. A quarter of the database machine's memory keeps users and their indexes in the cache.",
        ),
        judge(
            "max_wal_size",
            &format!("{} MiB", found.wal_bytes_max >> 20),
            found.wal_bytes_max <= WAL_BYTES_DEFAULT,
            "The default. A flood of registrations fills it in a minute or two, and each checkpoint makes the log longer: \
             4 GB or more, where the disk has room.",
        ),
        judge(
            "checkpoint_timeout",
            &format!("{} s", found.checkpoint_timeout.as_secs()),
            found.checkpoint_timeout.as_secs() < CHECKPOINT_TIMEOUT_MIN_S,
            "Each checkpoint makes the log longer: 15min is a usual value.",
        ),
        judge(
            "commit_delay",
            &format!("{} us", found.commit_delay.as_micros()),
            !found.commit_delay.is_zero(),
            "Jeday gathers commits itself; set it to 0, or every batch waits for nothing.",
        ),
        judge(
            "synchronous_commit",
            &found.synchronous_commit,
            found.synchronous_commit == "remote_apply",
            "Every reply waits until a standby has applied the commit; `on` waits until it is on the standby's disk, which is \
             as safe.",
        ),
    ]
}

fn budget(found: &Examination, wanted: u64) -> Check {
    const NAME: &str = "connections";
    let allowed = found.connections_max.saturating_sub(found.connections_reserved);
    let value = format!("{wanted} wanted, {allowed} allowed, {} open now", found.connections_open);
    let ways =
        "Raise max_connections, take fewer (DB_WRITE_CONNECTIONS, DB_READ_CONNECTIONS), or put a pooler between.";
    if wanted > allowed {
        check(NAME, &value, Verdict::Fatal, Some(ways.to_owned()))
    } else if wanted > allowed.saturating_sub(found.connections_open) {
        let remedy = format!("Unless they are this server's own, there is no room beside those of others. {ways}");
        check(NAME, &value, Verdict::Warning, Some(remedy))
    } else {
        check(NAME, &value, Verdict::Ok, None)
    }
}

fn clocks(theirs: u64, ours: u64) -> Check {
    const NAME: &str = "clock";
    let difference = theirs.abs_diff(ours);
    if difference <= CLOCK_DIFFERENCE_MAX_MS {
        return check(NAME, "agrees with the database's", Verdict::Ok, None);
    }
    let (seconds, milliseconds) = (difference / 1_000, difference % 1_000);
    let side = if theirs > ours { "behind" } else { "ahead of" };
    check(
        NAME,
        &format!("{seconds}.{milliseconds:03} s {side} the database's"),
        Verdict::Warning,
        Some(
            "Tokens and ids carry the time: let both machines follow a time server (chrony, systemd-timesyncd)."
                .to_owned(),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn found() -> Examination {
        Examination {
            connections_max: 100,
            connections_reserved: 3,
            connections_open: 90,
            shared_buffers: 4 << 30,
            wal_bytes_max: 8 << 30,
            checkpoint_timeout: Duration::from_secs(900),
            commit_delay: Duration::ZERO,
            synchronous_commit: "on".to_owned(),
            unix_ms: 0,
            here: true,
        }
    }

    fn slow(found: &Examination) -> Vec<&'static str> {
        let checks = settings(found);
        checks.iter().filter(|check| check.verdict == Verdict::Warning).map(|check| check.name).collect()
    }

    #[test]
    fn settings_that_cost_speed_are_named() {
        assert_eq!(slow(&found()), [""; 0]);
        let defaults = Examination { shared_buffers: 128 << 20, wal_bytes_max: 1 << 30, ..found() };
        assert_eq!(slow(&defaults), ["shared_buffers", "max_wal_size"]);
        let odd = Examination {
            checkpoint_timeout: Duration::from_secs(30),
            commit_delay: Duration::from_micros(10),
            synchronous_commit: "remote_apply".to_owned(),
            ..found()
        };
        assert_eq!(slow(&odd), ["checkpoint_timeout", "commit_delay", "synchronous_commit"]);
    }

    #[test]
    fn connections_must_fit_beside_those_of_others() {
        let verdict = |wanted| budget(&found(), wanted).verdict;
        assert_eq!(
            [verdict(7), verdict(8), verdict(97), verdict(98)],
            [Verdict::Ok, Verdict::Warning, Verdict::Warning, Verdict::Fatal]
        );
    }

    #[test]
    fn clocks_may_differ_by_a_second() {
        assert_eq!(clocks(10_000, 11_000).verdict, Verdict::Ok);
        assert_eq!(clocks(10_000, 11_001).value, "1.001 s ahead of the database's");
        assert_eq!(clocks(75_000, 10_000).value, "65.000 s behind the database's");
    }
}
