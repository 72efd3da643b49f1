//! Tasks and time on the current shard's executor. Never crosses a thread, but for [`blocking`].

use crate::{LaunchError, readiness};
use futures_lite::future;
use rustix::time::{ClockId, clock_gettime};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// A task on this shard's executor; dropping it cancels the task.
#[must_use = "a dropped task is cancelled: detach it to let it run"]
pub struct Task<T>(glommio::Task<T>);

impl<T: 'static> Task<T> {
    /// Lets the task run to its end with nobody waiting for it.
    pub fn detach(self) {
        self.0.detach();
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// Starts a task on this shard's executor.
///
/// # Panics
/// Outside an executor's thread.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
    Task(glommio::spawn_local(future))
}

/// Waits without holding the core.
pub async fn sleep(duration: Duration) {
    glommio::timer::sleep(duration).await;
}

/// Lets every task of this shard have a turn that can go on: those that are runnable, and those whose socket has become
/// ready meanwhile. For whoever always has more to do, beside whom nobody looks at sockets for tens of milliseconds.
///
/// # Panics
/// Outside an executor's thread.
pub async fn yield_to_sockets() {
    crate::readiness::look();
    yield_now().await;
}

/// Lets every other runnable task of this shard have a turn.
pub async fn yield_now() {
    future::yield_now().await;
}

/// The time given to [`timeout`] has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time allowed has passed")]
pub struct Elapsed;

/// Runs `work` for at most `limit`, then drops it.
///
/// # Errors
/// [`Elapsed`] when the limit came first.
pub async fn timeout<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    future::or(async { Ok(work.await) }, async {
        sleep(limit).await;
        Err(Elapsed)
    })
    .await
}

/// Runs a closure that blocks (name look-up, files) on a helper thread. Dropping the future does not stop it.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    glommio::executor().spawn_blocking(work).await
}

/// Runs a future to its end on an unpinned executor made for it on this thread: for commands and tests.
///
/// # Errors
/// [`LaunchError`] when io_uring refuses the executor.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, LaunchError> {
    let failed = |reason| LaunchError { shard: 0, reason };
    let executor = crate::launch::executor(None).map_err(failed)?;
    // What the future leaves behind may have a last turn, and make a socket in it.
    let (done, _installed) = executor.run(async {
        let installed = readiness::install().map_err(|error| failed(error.to_string()))?;
        Ok((future.await, installed))
    })?;
    Ok(done)
}

/// CPU time that the calling thread has used so far.
pub fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).expect("nanoseconds are below 10^9");
    Duration::new(time.tv_sec.unsigned_abs(), nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;
    use std::{cell::Cell, net::TcpListener, rc::Rc};

    #[test]
    fn what_a_future_leaves_behind_makes_sockets_in_its_last_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let began = Rc::new(Cell::new(false));
        let begins = began.clone();
        let connecting = async move {
            // Its first turn comes at once, the next one when the future has ended.
            future::yield_now().await;
            begins.set(true);
            let _ = Stream::connect_tcp(address).await;
        };
        block_on(async { spawn(connecting).detach() }).unwrap();
        assert!(began.get());
    }
}
