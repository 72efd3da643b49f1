//! The table of settings: the single source of truth for names, ranges, defaults and help, one file for each group of
//! sections. Holds no behaviour.

use super::Setting;
use std::time::Duration;

mod database;
mod passwords;
mod process;
mod server;
mod sessions;

/// The first version; a setting that a version does not use yet is marked with the one that will.
const FIRST: &str = "0.1.0";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A peer on another continent needs some hundred milliseconds a round trip; past ten minutes a limit is none.
const PEER_MIN: Duration = millis(100);
const PEER_MAX: Duration = seconds(600);

/// The groups in the order in which documents show them. Sections are contiguous; defaults that follow from others come
/// after those.
const GROUPS: [&[Setting]; 5] =
    [server::SERVER, database::DATABASE, passwords::PASSWORDS, sessions::SESSIONS, process::PROCESS];

const COUNT: usize = {
    let mut count = 0;
    let mut group = 0;
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
};

/// Every setting, section by section.
pub static SETTINGS: &[&Setting] = &ALL;

const ALL: [&Setting; COUNT] = {
    let mut settings = [&GROUPS[0][0]; COUNT];
    let (mut group, mut next) = (0, 0);
    while group < GROUPS.len() {
        let mut position = 0;
        while position < GROUPS[group].len() {
            settings[next] = &GROUPS[group][position];
            position += 1;
            next += 1;
        }
        group += 1;
    }
    settings
};
