//! What a rule promises, for any order of events and any moment.

use super::super::sets::TAG_MAX;
use super::*;
use proptest::prelude::*;

const TAG: u32 = 7;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn account(free: usize) -> Rule {
    Rule::growing(free, seconds(3_600), seconds(1), seconds(900))
}

fn at(second: u64) -> Tick {
    Tick::of_ms(second * 1_000)
}

/// Makes attempts that all fail, as soon as each is admitted, and says after how many seconds each was.
fn guessing(rule: &Rule, attempts: usize) -> Vec<u64> {
    let mut cell = Cell::first(TAG, at(0));
    let mut admitted = vec![0];
    let mut now = 0;
    while admitted.len() < attempts {
        match cell.reserve(at(now), rule) {
            Ok(counted) => {
                cell = counted;
                admitted.push(now);
            }
            Err(wait) => now += wait.seconds(),
        }
    }
    admitted
}

#[test]
fn after_the_free_ones_each_costs_twice_the_delay_of_the_last() {
    let admitted = guessing(&account(3), 15);
    assert_eq!(admitted[..8], [0, 0, 0, 1, 3, 7, 15, 31]);
    let gaps: Vec<_> = admitted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps[10..], [256, 512, 900, 900]);
}

#[test]
fn a_bucket_refills_one_by_one() {
    let rule = Rule::bucket(4, seconds(900));
    assert_eq!(guessing(&rule, 8), [0, 0, 0, 0, 900, 1_800, 2_700, 3_600]);
}

#[test]
fn who_guesses_for_a_year_gets_through_some_hundred_times_a_day() {
    let admitted = guessing(&account(10), 40_000);
    let year = admitted.iter().filter(|second| **second < 365 * 86_400).count();
    assert!((34_000..36_000).contains(&year), "{year}");
}

#[test]
fn failures_are_forgotten_one_by_one() {
    let rule = account(2);
    let mut cell = Cell::first(TAG, at(0)).reserve(at(10), &rule).unwrap();
    assert!(cell.reserve(at(10), &rule).is_err());
    cell = cell.reserve(at(10 + 3_600), &rule).unwrap();
    assert!(cell.reserve(at(10 + 3_600), &rule).is_err());
    assert!(cell.remembers(at(10 + 2 * 3_600), &rule) && !cell.remembers(at(10 + 3 * 3_600), &rule));
}

#[test]
fn a_cell_that_was_left_for_the_whole_way_round_costs_one_delay_at_most() {
    let rule = account(1);
    let cell = Cell { level: LEVEL_MAX, ..Cell::first(TAG, at(0)) };
    let round = u64::from(TICK_MASK + 1) / TICKS_PER_SECOND;
    for second in (3_600..round - 60).step_by(1_009).chain([round - 61]) {
        assert!(cell.reserve(at(second), &rule).is_ok(), "{second}");
    }
    assert!(cell.reserve(at(round + 901), &rule).is_ok());
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Pass(u64),
    Reserve,
    Refund,
    Clear,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        2 => (0_u64..2_000_000).prop_map(Event::Pass),
        6 => Just(Event::Reserve),
        2 => Just(Event::Refund),
        1 => Just(Event::Clear),
    ];
    proptest::collection::vec(event, 0..80)
}

fn rules() -> impl Strategy<Value = Rule> {
    let times = (1_u64..4_000_000, 1_u64..4_000_000, 1_u64..4_000_000);
    (1_usize..30, times).prop_map(|(free, (forget, first, max))| {
        let [forget, first, max] = [forget, first, max].map(Duration::from_millis);
        Rule::growing(free, forget, first, max)
    })
}

/// The cell after these events, and the time.
fn after(events: &[Event], rule: &Rule, start: u64) -> (Cell, u64) {
    let mut now = start;
    let mut cell = Cell::first(TAG, Tick::of_ms(now));
    for event in events {
        match event {
            Event::Pass(ms) => now += ms,
            Event::Reserve => cell = cell.reserve(Tick::of_ms(now), rule).unwrap_or(cell),
            Event::Refund => cell = cell.refund(),
            Event::Clear => cell = cell.clear(),
        }
    }
    (cell, now)
}

proptest! {
    #[test]
    fn a_cell_reads_back_from_its_word(tag in 0..=TAG_MAX, level in 0..=LEVEL_MAX, tick in 0..=TICK_MASK) {
        let cell = Cell { tag, level, since: Tick(tick) };
        prop_assert_eq!(Cell::decode(cell.encode()), cell);
    }

    #[test]
    fn who_waits_as_told_is_admitted_and_no_earlier(events in events(), rule in rules(), start in any::<u32>()) {
        let (cell, now) = after(&events, &rule, u64::from(start));
        let now = Tick::of_ms(now);
        match cell.reserve(now, &rule) {
            Ok(_) => {}
            Err(Wait { ticks }) => {
                prop_assert!(ticks > 0 && ticks <= rule.delay_max);
                prop_assert!(cell.reserve(now.plus(ticks - 1), &rule).is_err());
                prop_assert!(cell.reserve(now.plus(ticks), &rule).is_ok());
            }
        }
    }

    #[test]
    fn waiting_longer_is_never_worse(
        events in events(), rule in rules(), start in any::<u32>(), more in 0_u32..TICKS_MAX / 2,
    ) {
        let (cell, now) = after(&events, &rule, u64::from(start));
        let now = Tick::of_ms(now);
        if cell.reserve(now, &rule).is_ok() {
            prop_assert!(cell.reserve(now.plus(more), &rule).is_ok());
        }
    }

    #[test]
    fn at_one_moment_no_more_get_through_than_are_free(rule in rules(), attempts in 0_usize..100, late in 0_u32..480) {
        let now = at(1_000_000);
        let mut cell = Cell::first(TAG, now);
        let mut admitted = 1;
        for attempt in 0..attempts {
            // Some clocks are read a little before the others.
            let read = if attempt % 3 == 0 { Tick(now.0 - late) } else { now };
            if let Ok(counted) = cell.reserve(read, &rule) {
                (cell, admitted) = (counted, admitted + 1);
            }
        }
        prop_assert_eq!(admitted, (attempts + 1).min(rule.free as usize));
    }

    #[test]
    fn what_is_taken_back_was_never_counted(rule in rules(), rights in 0_usize..200, wrongs in 0_usize..30) {
        let now = at(1_000_000);
        let mut cell = Cell::first(TAG, now).refund();
        let wrongs = wrongs.min(rule.free as usize - 1);
        for _ in 0..wrongs {
            cell = cell.reserve(now, &rule).unwrap();
        }
        for _ in 0..rights {
            cell = cell.reserve(now, &rule).unwrap().refund();
        }
        prop_assert_eq!(cell.level as usize, wrongs);
    }
}
