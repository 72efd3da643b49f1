//! Each case of the corpus against real servers: as it stands, and cut in two at every length.

use crate::{
    corpus::{Answer, Case, Fate, cases, slow_cases},
    support::{
        client::{Client, Reply},
        server::Deployment,
        tls::{Authority, ONLY_12, ONLY_13},
    },
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Cases under way at a time.
const AT_ONCE: usize = 8;

/// Of a case that is longer, only the cuts near both ends are tried, and a few between.
const CUTS_NEAR_AN_END: usize = 60;
const CUTS_BETWEEN: usize = 20;

/// A rule that is broken is so at every cut.
const FAILURES_SHOWN: usize = 40;

/// No reply but that of a kept connection to this: a stray one would come first.
const PROBE: &[u8] = b"DELETE /health/live HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";

/// Sends the case, cut at `cut`, and checks all that must come of it.
fn check(connect: &(impl Fn() -> Client + Sync), case: &Case, cut: Option<usize>) {
    let mut client = connect();
    match cut {
        None => client.send(&case.bytes),
        Some(cut) => {
            let (first, second) = case.bytes.split_at(cut);
            client.send(first);
            // What is wrong may be seen in the first part already: nobody need read the second.
            let _ = client.try_send(second);
        }
    }
    let replies: Vec<Reply> = case.outcome.answers.iter().map(|answer| take(&mut client, case, *answer, cut)).collect();
    let fate = match (case.outcome.fate, cut) {
        (Fate::KeptIfWhole, Some(_)) if !replies[0].keeps_alive() => Fate::Closed,
        (Fate::KeptIfWhole, _) => Fate::Kept,
        (fate, _) => fate,
    };
    let kept = fate != Fate::Closed;
    let last = replies.len().saturating_sub(1);
    for (number, reply) in replies.iter().enumerate() {
        assert_eq!(reply.keeps_alive(), kept || number < last, "{reply:?}");
    }
    match fate {
        Fate::Closed | Fate::GivenUp => {}
        Fate::Waiting => client.finish_sending(),
        Fate::Kept | Fate::KeptIfWhole => {
            client.send(PROBE);
            let reply = client.reply();
            assert_eq!(reply.problem(), (405, "method_not_allowed".to_owned()), "in place of the probe's: {reply:?}");
        }
    }
    client.expect_end();
}

fn take(client: &mut Client, case: &Case, answer: Answer, cut: Option<usize>) -> Reply {
    if answer.status == 100 {
        client.take_continue();
        return Reply { status: 100, fields: Vec::new(), body: Vec::new() };
    }
    let invited = |reply: &Reply| reply.status == 100 && cut.is_some() && case.expects_continue();
    let reply = loop {
        let reply = if answer.to_head { client.reply_to_head() } else { client.any_reply() };
        // Cut behind its head, a body is not here already.
        if !invited(&reply) {
            break reply;
        }
    };
    assert_eq!(reply.status, answer.status, "{reply:?}");
    if !answer.to_head && reply.status >= 400 {
        assert_eq!(reply.code(), answer.code);
        let detail = reply.json()["detail"].to_string();
        assert!(!["serde", "struct", "invalid type"].iter().any(|word| detail.contains(word)), "{detail}");
    }
    if let Some((name, value)) = answer.field {
        assert_eq!(reply.field(name), Some(value), "{reply:?}");
    }
    reply
}

/// Runs all of `work` on several threads and reports its failures, not the first alone.
fn check_all(connect: impl Fn() -> Client + Sync, work: &[(&Case, Option<usize>)]) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(&(case, cut)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = catch_unwind(AssertUnwindSafe(|| check(&connect, case, cut))) {
                        let Case { group, section, what, .. } = case;
                        let failure = failure.downcast_ref::<String>().map_or("", String::as_str);
                        let told = format!("{group}: {section}: {what}, cut at {cut:?}: {failure}");
                        failures.lock().unwrap().push(told);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    let shown = &failures[..failures.len().min(FAILURES_SHOWN)];
    assert!(failures.is_empty(), "{} of {}, such as:\n{}", failures.len(), work.len(), shown.join("\n"));
}

fn cuts(length: usize) -> Vec<usize> {
    let step = (length / CUTS_BETWEEN).max(1);
    let is_tried =
        |cut: &usize| *cut <= CUTS_NEAR_AN_END || length - cut <= CUTS_NEAR_AN_END || cut.is_multiple_of(step);
    (1..length).filter(is_tried).collect()
}

#[test]
fn each_case_is_answered_as_its_rule_says() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let cases = cases();
    check_all(|| server.connect(), &cases.iter().map(|case| (case, None)).collect::<Vec<_>>());
    eprintln!("{} cases", cases.len());
}

#[test]
fn each_case_is_answered_alike_however_it_is_cut() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let cases = cases();
    let work: Vec<_> =
        cases.iter().flat_map(|case| cuts(case.bytes.len()).into_iter().map(move |cut| (case, Some(cut)))).collect();
    check_all(|| server.connect(), &work);
    eprintln!("{} cases cut in {} ways", cases.len(), work.len());
}

#[test]
fn each_case_is_answered_alike_over_tls() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let files = authority.settings();
    let server = deployment.serve_with(&files.each_ref().map(String::as_str));
    let cases = cases();
    for versions in [ONLY_12, ONLY_13] {
        let config = Arc::new(authority.client(versions, &[]));
        let connect = || Client::connect_tls(server.address(), config.clone());
        check_all(connect, &cases.iter().map(|case| (case, None)).collect::<Vec<_>>());
    }
    eprintln!("{} cases", cases.len());
}

#[test]
fn what_does_not_come_in_time_is_not_waited_for() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.header_timeout=300ms", "server.body_timeout=300ms"]);
    let cases = slow_cases();
    check_all(|| server.connect(), &cases.iter().map(|case| (case, None)).collect::<Vec<_>>());
}

#[test]
fn each_case_breaks_or_keeps_a_rule_of_its_own() {
    let mut cases = cases();
    cases.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    let twice: Vec<_> = cases.windows(2).filter(|pair| pair[0].bytes == pair[1].bytes).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(cases.iter().all(|case| case.section.starts_with("RFC ") && !case.what.is_empty()));
}
