//! Who is found, and who is not, as time goes by.

use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);
const ALLOWED: Duration = Duration::from_secs(3);

/// One that is watched, and the time that goes by between looks.
struct Scene {
    watchdog: Watchdog,
    now: Instant,
}

impl Scene {
    fn new() -> Scene {
        Scene { watchdog: Watchdog::new(1, SECOND), now: Instant::now() }
    }

    fn look(&mut self, after: Duration, sign: Sign) -> Option<Finding> {
        self.now += after;
        let mut findings = self.watchdog.look(self.now, &[(sign, ALLOWED)]);
        assert!(findings.len() <= 1);
        findings.pop()
    }
}

#[test]
fn silence_is_found_once_and_so_is_its_end() {
    let mut scene = Scene::new();
    for beat in 0..5 {
        assert_eq!(scene.look(SECOND, Sign::Progress(beat)), None);
    }
    assert_eq!(scene.look(SECOND, Sign::Progress(4)), None);
    assert_eq!(scene.look(SECOND, Sign::Progress(4)), None);
    let stalled = Finding::Stalled { index: 0, silent: ALLOWED };
    assert_eq!(scene.look(SECOND, Sign::Progress(4)), Some(stalled));
    assert_eq!(scene.look(SECOND, Sign::Progress(4)), None, "said once");
    assert!(scene.watchdog.has_stalled(0));
    assert_eq!(scene.look(SECOND, Sign::Progress(5)), Some(Finding::Recovered { index: 0 }));
    assert_eq!(scene.look(SECOND, Sign::Progress(6)), None);
}

#[test]
fn stopped_process_is_not_held_against_its_threads() {
    let mut scene = Scene::new();
    scene.look(SECOND, Sign::Progress(1));
    // The watchdog comes to itself first, an hour later; the threads have not had their turn yet.
    assert_eq!(scene.look(3600 * SECOND, Sign::Progress(1)), None);
    assert_eq!(scene.look(SECOND, Sign::Progress(2)), None);
    // Stopped and continued again and again, as a debugger or a freezing machine does.
    for beat in 0..100 {
        assert_eq!(scene.look(60 * SECOND, Sign::Progress(beat / 2)), None);
    }
}

#[test]
fn idle_and_starved_threads_are_left_alone() {
    let mut scene = Scene::new();
    for _ in 0..100 {
        assert_eq!(scene.look(SECOND, Sign::Idle), None);
    }
    scene.look(SECOND, Sign::Progress(1));
    scene.look(SECOND, Sign::Progress(1));
    scene.look(SECOND, Sign::Progress(1));
    for _ in 0..100 {
        assert_eq!(scene.look(SECOND, Sign::Starved), None);
    }
    // What was counted before is not forgotten: it has done nothing meanwhile.
    assert!(scene.look(SECOND, Sign::Progress(1)).is_some());
}

#[test]
fn each_is_watched_for_itself() {
    let mut watchdog = Watchdog::new(3, SECOND);
    let began = Instant::now();
    let mut found = Vec::new();
    for step in 0..10_u32 {
        let beats = [Sign::Progress(step.into()), Sign::Progress(step.min(4).into()), Sign::Idle];
        let now = began + step * SECOND;
        found.extend(watchdog.look(now, &beats.map(|sign| (sign, ALLOWED))));
    }
    assert_eq!(found, [Finding::Stalled { index: 1, silent: ALLOWED }]);
}

proptest! {
    #[test]
    fn who_is_found_has_been_silent_and_who_is_silent_is_found(
        looks in proptest::collection::vec((any::<bool>(), 0..5000_u64), 1..200),
    ) {
        let mut scene = Scene::new();
        let (mut beat, mut silent, mut stalled) = (0, Duration::ZERO, false);
        scene.look(SECOND, Sign::Progress(beat));
        for (beats, after_ms) in looks {
            let after = Duration::from_millis(after_ms);
            beat += u64::from(beats);
            silent = if beats { Duration::ZERO } else { silent + after.min(SECOND) };
            let was_stalled = std::mem::replace(&mut stalled, silent >= ALLOWED);
            match scene.look(after, Sign::Progress(beat)) {
                Some(Finding::Stalled { silent: told, .. }) => {
                    prop_assert!(stalled && !was_stalled);
                    prop_assert_eq!(told, silent);
                }
                Some(Finding::Recovered { .. }) => prop_assert!(was_stalled && beats),
                None => prop_assert_eq!(was_stalled, stalled),
            }
        }
    }
}
