//! The worker thread: pins itself, builds its state, works off jobs. Survives jobs that panic.

use std::{
    any::Any,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::Sender,
    time::Instant,
};

use core_affinity::CoreId;

use super::{
    Rest, StartError, Unanswered, WorkerSpec, priority,
    seat::{Next, Occupied, Successor},
};

/// What every worker of a pool does.
pub(super) struct Duty<S, B, R> {
    pub(super) build: B,
    pub(super) run: R,
    pub(super) rest: Option<Rest<S>>,
}

pub(super) fn main<S, J, A, B, R, E>(seat: &Occupied<J, A>, duty: &Duty<S, B, R>, ready: Sender<Result<(), StartError>>)
where
    B: Fn(usize) -> Result<S, E>,
    R: Fn(&mut S, J) -> A,
    E: Display,
{
    seat.take_seat();
    let worker = seat.index();
    // The receiver is gone when another worker has failed; the pool is then being closed.
    let state = match prepare(duty, worker, seat.spec()) {
        Ok(state) => {
            let _ = ready.send(Ok(()));
            state
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    drop(ready);
    serve(seat, duty, state);
}

/// Gets ready first, and only then takes the seat: without that, whoever is stuck in it may still come to an end.
pub(super) fn succeed<S, J, A, B, R, E>(successor: Successor<J, A>, duty: &Duty<S, B, R>)
where
    B: Fn(usize) -> Result<S, E>,
    R: Fn(&mut S, J) -> A,
    E: Display,
{
    let worker = successor.index();
    let state = match prepare(duty, worker, successor.spec()) {
        Ok(state) => state,
        Err(error) => {
            tracing::error!(worker, %error, "a worker that is stuck could not be replaced");
            return;
        }
    };
    if let Some(seat) = successor.take_over() {
        seat.take_seat();
        serve(&seat, duty, state);
    }
}

/// Works jobs off until the pool ends, or another has taken the seat.
fn serve<S, J, A, B, R, E>(seat: &Occupied<J, A>, duty: &Duty<S, B, R>, state: S)
where
    B: Fn(usize) -> Result<S, E>,
    R: Fn(&mut S, J) -> A,
    E: Display,
{
    let worker = seat.index();
    let mut state = Some(state);
    let mut rested = false;
    loop {
        let rest = duty.rest.as_ref().filter(|_| !rested);
        let envelope = match (seat.next(rest.map(|rest| rest.after)), rest) {
            (Next::Job(envelope), _) => envelope,
            (Next::Rest, Some(rest)) => {
                state = state.and_then(|state| at_rest(rest, state, worker));
                rested = true;
                continue;
            }
            (Next::Rest, None) => continue,
            (Next::End, _) => return,
        };
        rested = false;
        let job = seat.begin(envelope);
        let began = Instant::now();
        let reply = work(duty, &mut state, worker, job);
        if !seat.end(began.elapsed(), reply) {
            tracing::warn!(worker, "a worker that was replaced has come to the end of its job, and ends");
            return;
        }
    }
}

/// Puts the thread where it belongs, and builds its state there.
fn prepare<S, B, R, E>(duty: &Duty<S, B, R>, worker: usize, spec: WorkerSpec) -> Result<S, StartError>
where
    B: Fn(usize) -> Result<S, E>,
    E: Display,
{
    if let Some(cpu) = spec.cpu
        && !core_affinity::set_for_current(CoreId { id: cpu })
    {
        return Err(StartError::Pin { worker, cpu });
    }
    if spec.idle_priority
        && let Err(error) = priority::lower_to_idle()
    {
        tracing::warn!(worker, %error, "worker keeps normal priority: idle priority was refused");
    }
    build(duty, worker).map_err(|reason| StartError::Build { worker, reason })
}

/// Runs one job. A panic costs the job its answer and the worker its state, which the next job has built anew.
fn work<S, J, A, B, R, E>(duty: &Duty<S, B, R>, state: &mut Option<S>, worker: usize, job: J) -> Result<A, Unanswered>
where
    B: Fn(usize) -> Result<S, E>,
    R: Fn(&mut S, J) -> A,
    E: Display,
{
    let mut current = match state.take() {
        Some(state) => state,
        None => build(duty, worker).map_err(|reason| {
            tracing::error!(worker, reason, "worker could not build its state anew");
            Unanswered::JobPanicked
        })?,
    };
    // Unwind safe: what a panic may have left half changed is dropped with `current`, inside the closure.
    let ran = catch_unwind(AssertUnwindSafe(move || {
        let answer = (duty.run)(&mut current, job);
        (current, answer)
    }));
    match ran {
        Ok((current, answer)) => {
            *state = Some(current);
            Ok(answer)
        }
        Err(panic) => {
            discard(panic);
            tracing::error!(worker, "a job panicked; the worker goes on with fresh state");
            Err(Unanswered::JobPanicked)
        }
    }
}

/// Lets the worker do what it does when nothing is to be done; `None` when that panicked.
fn at_rest<S>(rest: &Rest<S>, mut state: S, worker: usize) -> Option<S> {
    // Unwind safe: as in `work`.
    let act = AssertUnwindSafe(move || {
        (rest.act)(&mut state);
        state
    });
    match catch_unwind(act) {
        Ok(state) => Some(state),
        Err(panic) => {
            discard(panic);
            tracing::error!(worker, "a worker panicked while it had nothing to do; it goes on with fresh state");
            None
        }
    }
}

fn build<S, B, R, E>(duty: &Duty<S, B, R>, worker: usize) -> Result<S, String>
where
    B: Fn(usize) -> Result<S, E>,
    E: Display,
{
    match catch_unwind(AssertUnwindSafe(|| (duty.build)(worker))) {
        Ok(built) => built.map_err(|error| error.to_string()),
        Err(panic) => {
            discard(panic);
            Err("it panicked".to_owned())
        }
    }
}

/// A panic's payload may itself panic when dropped.
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}
