//! What is recorded, under which names, and what becomes of it without a collector.

use super::*;
use crate::limits::TRACE_PARTS_MAX;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

const SAMPLED: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

const SERVED: Served =
    Served { method: Some("POST"), route: Some("/auth/login"), scheme: "http", status: 200, problem: None };

fn traces(share: f64, queue_max: usize) -> (Traces, Receiver<Box<Span>>) {
    let (queue, recorded) = sync_channel(queue_max);
    (Traces { ratio: Ratio::new(share), queue, counts: Arc::default() }, recorded)
}

fn is_recorded(share: f64, traceparent: Option<&[u8]>, trusted: bool) -> bool {
    let (traces, _recorded) = traces(share, 1);
    Tracer::new(Some(&traces), [1; 16]).begin(traceparent, || trusted).served(SERVED, None).is_some()
}

#[test]
fn a_trusted_caller_decides_and_nobody_else_does() {
    for (share, traceparent, trusted, recorded) in [
        (0.0, Some(SAMPLED), true, true),
        (1.0, Some(NOT_SAMPLED), true, false),
        (0.0, Some(SAMPLED), false, false),
        (1.0, Some(NOT_SAMPLED), false, true),
        (0.0, None, true, false),
        (1.0, None, true, true),
        (0.0, Some(b"no traceparent"), true, false),
        (1.0, Some(b"no traceparent"), true, true),
    ] {
        let case = format!("{share} {traceparent:?} {trusted}");
        assert_eq!(is_recorded(share, traceparent, trusted), recorded, "{case}");
    }
}

#[test]
fn a_caller_cannot_choose_a_name_that_is_always_taken() {
    let (traces, _recorded) = traces(0.01, 1);
    let tracer = Tracer::new(Some(&traces), [1; 16]);
    let lowest = b"00-00000000000000010000000000000000-00f067aa0ba902b7-01";
    let begin = |_: &i32| tracer.begin(Some(lowest), || false).served(SERVED, None).is_some();
    let recorded = (0..10_000).filter(begin).count();
    assert!((20..500).contains(&recorded), "{recorded}");
}

#[test]
fn the_trace_of_the_caller_goes_on_and_another_begins_without_one() {
    let (traces, _recorded) = traces(1.0, 1);
    let tracer = Tracer::new(Some(&traces), [1; 16]);
    let parent = TraceParent::parse(SAMPLED).unwrap();
    let going_on = tracer.begin(Some(SAMPLED), || false).served(SERVED, None).unwrap();
    assert_eq!((going_on.ids.trace, going_on.caller), (parent.trace, Some(parent.span)));
    assert_ne!(going_on.ids.span, parent.span);
    let begins = [(); 2].map(|()| tracer.begin(None, || false).served(SERVED, None).unwrap());
    assert_ne!(begins[0].ids.trace, begins[1].ids.trace);
    assert_eq!(begins[0].caller, None);
}

#[test]
fn a_log_has_the_names_whether_anything_is_recorded_or_not() {
    let parent = TraceParent::parse(SAMPLED).unwrap();
    let callers = Some(TraceIds { trace: parent.trace, span: parent.span });
    assert_eq!(Tracer::new(None, [1; 16]).begin(Some(SAMPLED), || true).ids(), callers);
    assert_eq!(Tracer::new(None, [1; 16]).begin(None, || true).ids(), None);
    let (traces, _recorded) = traces(0.0, 1);
    let tracer = Tracer::new(Some(&traces), [1; 16]);
    assert_eq!(tracer.begin(Some(SAMPLED), || false).ids(), callers);
    let own = tracer.begin(Some(SAMPLED), || true).ids().unwrap();
    assert_eq!(own.trace, parent.trace);
    assert_ne!(own.span, parent.span);
}

#[test]
fn a_full_queue_drops_spans_and_counts_them() {
    let (traces, recorded) = traces(1.0, 2);
    let tracer = Tracer::new(Some(&traces), [1; 16]);
    for _ in 0..5 {
        tracer.end(tracer.begin(None, || false).served(SERVED, None), Instant::now());
    }
    assert_eq!(traces.counts.figures().dropped[DropReason::QueueFull as usize], 3);
    assert_eq!(traces.counts.pending(), 2);
    assert_eq!(recorded.try_iter().count(), 2);
}

#[test]
fn parts_are_bounded_and_tell_how_long_they_waited() {
    let parent = TraceParent::parse(SAMPLED).unwrap();
    let trace = RequestTrace::recorded(TraceIds { trace: parent.trace, span: parent.span }, None);
    futures_lite::future::block_on(async {
        assert_eq!(trace.timed(Part::Password, async { 7 }).await, 7);
        trace.waited(Duration::from_millis(3));
        for _ in 0..2 * TRACE_PARTS_MAX {
            trace.timed(Part::Statement("register"), async {}).await;
        }
    });
    let span = trace.served(SERVED, Some("/auth/login")).unwrap();
    assert_eq!(span.parts.len(), TRACE_PARTS_MAX);
    assert_eq!(span.spans(), TRACE_PARTS_MAX as u64 + 1);
    assert_eq!(span.parts[0].waited, Some(Duration::from_millis(3)));
    assert_eq!(span.parts[1].waited, None);
}

#[test]
fn drop_reasons_are_listed_in_the_order_of_their_slots() {
    for (slot, (reason, _)) in DropReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, slot);
    }
}
