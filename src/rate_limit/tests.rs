//! The limits as a handler sees them.

use super::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

const MINUTE_MS: u64 = 60_000;
const NOW: u64 = 50_000_000;
const ALICE: &[u8] = b"alice@example.com";
const BOB: &[u8] = b"bob@example.com";

fn limiter(per_account: usize, per_address: usize) -> RateLimiter {
    let limits = RateLimits {
        login_failures_per_account: per_account,
        login_failures_per_address: per_address,
        registrations_per_address: 3,
    };
    RateLimiter::new(limits, &[5; HASH_KEY_BYTES])
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4((0xc633_6400 + number).into())
}

fn guess(limiter: &RateLimiter, account: &[u8], from: IpAddr, now_ms: u64) -> Result<(), RetryAfter> {
    limiter.login(account, from, now_ms).map(Attempt::failed)
}

fn enter(limiter: &RateLimiter, account: &[u8], from: IpAddr, now_ms: u64) -> Result<(), RetryAfter> {
    limiter.login(account, from, now_ms).map(Attempt::succeeded)
}

fn refused(limit: Limit, seconds: u64) -> Result<(), RetryAfter> {
    Err(RetryAfter { seconds, limit })
}

#[test]
fn of_ten_allowed_wrong_passwords_ten_are_checked_from_however_many_addresses() {
    let limiter = limiter(10, 100);
    let checked = AtomicUsize::new(0);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for number in 0..8 {
            let (limiter, checked, start) = (&limiter, &checked, &start);
            scope.spawn(move || {
                start.wait();
                // All hashes run at once: nobody has failed yet while others begin.
                let attempts: Vec<_> =
                    (0..50).map(|_| limiter.login(ALICE, address(number), NOW)).filter_map(Result::ok).collect();
                checked.fetch_add(attempts.len(), Relaxed);
                attempts.into_iter().for_each(Attempt::failed);
            });
        }
    });
    assert_eq!(checked.into_inner(), 10);
    assert_eq!(guess(&limiter, ALICE, address(99), NOW), refused(Limit::LoginAccount, 1));
    assert_eq!(guess(&limiter, ALICE, address(99), NOW + 1_000), Ok(()));
    assert_eq!(guess(&limiter, ALICE, address(99), NOW + 1_000), refused(Limit::LoginAccount, 2));
    assert_eq!(guess(&limiter, BOB, address(99), NOW), Ok(()));
}

#[test]
fn an_address_is_refused_whatever_accounts_it_tries() {
    let limiter = limiter(10, 100);
    let account = |number: u32| format!("user{number}@example.com").into_bytes();
    for number in 0..100 {
        assert_eq!(guess(&limiter, &account(number), address(1), NOW), Ok(()));
    }
    assert_eq!(guess(&limiter, &account(100), address(1), NOW), refused(Limit::LoginAddress, 1));
    assert_eq!(guess(&limiter, &account(100), address(2), NOW), Ok(()));
}

#[test]
fn an_ipv6_network_is_one_address() {
    let limiter = limiter(10, 2);
    let from = |text: &str| text.parse().unwrap();
    assert_eq!(guess(&limiter, ALICE, from("2001:db8::1"), NOW), Ok(()));
    assert_eq!(guess(&limiter, ALICE, from("2001:db8::2:1"), NOW), Ok(()));
    assert_eq!(guess(&limiter, BOB, from("2001:db8::3"), NOW), refused(Limit::LoginAddress, 1));
    assert_eq!(guess(&limiter, BOB, from("2001:db8:0:1::3"), NOW), Ok(()));
}

#[test]
fn right_logins_of_many_accounts_from_one_address_all_pass() {
    let limiter = limiter(10, 100);
    let account = |number: u32| format!("user{number}@example.com").into_bytes();
    for _ in 0..50 {
        let under_way: Vec<_> =
            (0..64).map(|number| limiter.login(&account(number), address(1), NOW).unwrap()).collect();
        under_way.into_iter().for_each(Attempt::succeeded);
    }
}

#[test]
fn as_many_right_logins_of_one_account_as_wrong_ones_may_run_at_once() {
    let limiter = limiter(10, 100);
    for _ in 0..5 {
        let under_way: Vec<_> = (0..10).map(|_| limiter.login(ALICE, address(1), NOW).unwrap()).collect();
        assert!(limiter.login(ALICE, address(1), NOW).is_err());
        under_way.into_iter().for_each(Attempt::succeeded);
    }
}

#[test]
fn a_right_password_forgets_the_wrong_ones_for_its_account_only() {
    let limiter = limiter(10, 20);
    for _ in 0..2 {
        (0..9).for_each(|_| guess(&limiter, ALICE, address(1), NOW).unwrap());
        enter(&limiter, ALICE, address(2), NOW).unwrap();
    }
    assert_eq!(guess(&limiter, BOB, address(1), NOW), Ok(()));
    // Address 1 is at 19. Its owner logs in to an account of his own, which does not wash away his guesses.
    enter(&limiter, b"own@example.com", address(1), NOW).unwrap();
    assert_eq!(guess(&limiter, BOB, address(1), NOW), Ok(()));
    assert_eq!(guess(&limiter, BOB, address(1), NOW), refused(Limit::LoginAddress, 1));
}

#[test]
fn what_never_came_to_an_end_was_no_attempt() {
    let limiter = limiter(10, 10);
    for _ in 0..100 {
        drop(limiter.login(ALICE, address(1), NOW).unwrap());
    }
    (0..10).for_each(|_| guess(&limiter, ALICE, address(1), NOW).unwrap());
    assert!(guess(&limiter, ALICE, address(1), NOW).is_err());
}

#[test]
fn nobody_is_locked_out_where_he_is_used_to_log_in_from() {
    let limiter = limiter(10, 5);
    enter(&limiter, ALICE, address(1), NOW).unwrap();
    let mut held_up = 0;
    // Others guess at the account, and from the address at other accounts, each as soon as he may, for a week.
    for minute in 0..7 * 24 * 60 {
        let now = NOW + minute * MINUTE_MS;
        held_up += u32::from(guess(&limiter, ALICE, address(2 + minute as u32 % 90), now).is_err());
        let _ = guess(&limiter, BOB, address(1), now);
        if minute % 600 == 0 {
            assert_eq!(enter(&limiter, ALICE, address(1), now), Ok(()), "{minute}");
        }
    }
    let now = NOW + 7 * 24 * 60 * MINUTE_MS;
    assert!(held_up > 5_000, "{held_up}");
    // There, too, only so many wrong ones are free, and a right one forgets them.
    (0..10).for_each(|_| guess(&limiter, ALICE, address(1), now).unwrap());
    assert_eq!(guess(&limiter, ALICE, address(1), now), refused(Limit::LoginAccount, 1));
    assert_eq!(enter(&limiter, ALICE, address(1), now + 1_000), Ok(()));
    assert_eq!(guess(&limiter, ALICE, address(1), now + 1_000), Ok(()));
}

#[test]
fn an_address_is_forgotten_when_nobody_has_come_from_it_for_a_month() {
    let limiter = limiter(1, 0);
    enter(&limiter, ALICE, address(1), NOW).unwrap();
    let day = 24 * 60 * MINUTE_MS;
    for (at, known) in [(29 * day, true), (31 * day, false)] {
        guess(&limiter, ALICE, address(2), NOW + at).unwrap();
        assert_eq!(limiter.login(ALICE, address(1), NOW + at).is_ok(), known);
    }
}

#[test]
fn many_addresses_of_one_account_push_out_none_of_anothers() {
    let limiter = limiter(1, 0);
    enter(&limiter, ALICE, address(1), NOW).unwrap();
    (0..5_000).for_each(|number| enter(&limiter, BOB, address(number), NOW).unwrap());
    guess(&limiter, ALICE, address(2), NOW).unwrap();
    assert_eq!(enter(&limiter, ALICE, address(1), NOW), Ok(()));
}

#[test]
fn refused_attempts_leave_no_trace_on_the_other_count() {
    let limiter = limiter(1, 2);
    guess(&limiter, ALICE, address(9), NOW).unwrap();
    for _ in 0..50 {
        assert_eq!(guess(&limiter, ALICE, address(1), NOW), refused(Limit::LoginAccount, 1));
    }
    (0..2).for_each(|number| guess(&limiter, &[number], address(1), NOW).unwrap());
    for _ in 0..50 {
        assert_eq!(guess(&limiter, BOB, address(1), NOW), refused(Limit::LoginAddress, 1));
    }
    assert_eq!(guess(&limiter, BOB, address(2), NOW), Ok(()));
}

#[test]
fn zero_sets_no_limit() {
    let limits =
        RateLimits { login_failures_per_account: 0, login_failures_per_address: 0, registrations_per_address: 0 };
    let limiter = RateLimiter::new(limits, &[0; HASH_KEY_BYTES]);
    for _ in 0..20_000 {
        assert_eq!(guess(&limiter, ALICE, address(1), NOW), Ok(()));
        assert_eq!(limiter.register(address(1), NOW), Ok(()));
    }
}

#[test]
fn registrations_come_back_over_the_hour() {
    let limiter = limiter(10, 100);
    (0..3).for_each(|_| limiter.register(address(1), NOW).unwrap());
    assert_eq!(limiter.register(address(1), NOW), refused(Limit::RegistrationAddress, 1_200));
    assert_eq!(limiter.register(address(1), NOW + 600_000), refused(Limit::RegistrationAddress, 600));
    assert_eq!(limiter.register(address(2), NOW), Ok(()));
    assert_eq!(limiter.register(address(1), NOW + 1_200_000), Ok(()));
    assert_eq!(limiter.register(address(1), NOW + 1_200_000), refused(Limit::RegistrationAddress, 1_200));
}
