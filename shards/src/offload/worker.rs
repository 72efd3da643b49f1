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
    Rest, StartError, Unanswered, priority,
    queues::{Next, Occupied},
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
    let prepared =
        prepare(seat).and_then(|()| build(duty, worker).map_err(|reason| StartError::Build { worker, reason }));
    // The receiver is gone when another worker has failed; the pool is then being closed.
    let mut state = match prepared {
        Ok(state) => {
            let _ = ready.send(Ok(()));
            Some(state)
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    drop(ready);
    let mut rested = false;
    loop {
        let rest = duty.rest.as_ref().filter(|_| !rested);
        let mut envelope = match (seat.next(rest.map(|rest| rest.after)), rest) {
            (Next::Job(envelope), _) => envelope,
            (Next::Rest, Some(rest)) => {
                state = state.and_then(|state| at_rest(rest, state, worker));
                rested = true;
                continue;
            }
            (Next::Rest, None) => continue,
            (Next::End, _) => return,
        };
        let Some(job) = envelope.take_job() else { continue };
        rested = false;
        seat.begin();
        let began = Instant::now();
        let reply = work(duty, &mut state, worker, job);
        // Counted first, so that whoever has the answer finds the job in the report.
        seat.end(began.elapsed(), reply.is_err());
        envelope.answer(reply);
    }
}

fn prepare<J, A>(seat: &Occupied<J, A>) -> Result<(), StartError> {
    let (worker, spec) = (seat.index(), seat.spec());
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
    Ok(())
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
