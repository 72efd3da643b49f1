//! Runs a connection's input and output on the shard until it ends or is given up; then asks the server to cancel
//! what it may still be doing. Everything after giving up happens here, so that giving up needs no waiting.

use super::{
    super::{
        connect::CancelRequest,
        transport::{Address, Dialer, Transport},
    },
    error::describe,
};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    task::{Poll, Waker, ready},
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::{AsyncMessage, Connection, Error, error::DbError};

/// For a request to cancel to reach the server; it is a courtesy, and the server may be beyond reach.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Life {
    /// Why it ended, once it has.
    reason: RefCell<Option<String>>,
    waiting: RefCell<Vec<Waker>>,
    /// Whether to cancel, once it was given up.
    given_up: Cell<Option<bool>>,
    task: RefCell<Option<Waker>>,
}

impl Life {
    fn end(&self, reason: &str) {
        let mut known = self.reason.borrow_mut();
        if known.is_none() {
            *known = Some(reason.to_owned());
        }
        drop(known);
        self.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// How a connection ended that was not given up.
enum Ended {
    Closed,
    Failed(Error),
    /// It has committed what a synchronous standby may not have, and would go on to report success.
    Lonely,
}

/// Whether a commit stopped waiting for a synchronous standby because somebody has cancelled it. PostgreSQL says so in
/// a warning and then answers as if nothing were wrong. Texts are translated and the code is that of every warning;
/// the name of the function that waits is neither.
fn tells_of_a_lonely_commit(notice: &DbError) -> bool {
    notice.routine() == Some("SyncRepWaitForLSN")
}

/// The handle on the task that runs the connection. Dropping it does not end the task: the client's drop does, in good
/// order.
pub(in crate::postgres) struct Driver(Rc<Life>);

impl Driver {
    pub(in crate::postgres) fn start(
        connection: Connection<Transport, Transport>,
        dialer: Rc<Dialer>,
        address: Address,
        encrypted: bool,
        key: CancelRequest,
    ) -> Driver {
        let life = Rc::new(Life::default());
        let driver = Driver(life.clone());
        shards::spawn(async move {
            let mut connection = connection;
            let ended = poll_fn(|cx| {
                if life.given_up.get().is_some() {
                    return Poll::Ready(None);
                }
                let mut task = life.task.borrow_mut();
                if !task.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *task = Some(cx.waker().clone());
                }
                drop(task);
                loop {
                    match ready!(connection.poll_message(cx)) {
                        Some(Ok(AsyncMessage::Notice(notice))) if tells_of_a_lonely_commit(&notice) => {
                            return Poll::Ready(Some(Ended::Lonely));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Poll::Ready(Some(Ended::Failed(error))),
                        None => return Poll::Ready(Some(Ended::Closed)),
                    }
                }
            })
            .await;
            match ended {
                Some(Ended::Closed) => life.end("closed"),
                Some(Ended::Failed(error)) => life.end(&describe(&error)),
                Some(Ended::Lonely) => life.end("the wait for the synchronous standby was cancelled"),
                // The connection stays open meanwhile: a pooler cancels for clients that are still there.
                None if life.given_up.get() == Some(true) => {
                    let _ = shards::timeout(CANCEL_TIMEOUT, cancel(&dialer, &address, encrypted, key)).await;
                }
                None => {}
            }
        })
        .detach();
        driver
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.reason.borrow().is_some()
    }

    pub(super) async fn closed(&self) -> String {
        poll_fn(|cx| match &*self.0.reason.borrow() {
            Some(reason) => Poll::Ready(reason.clone()),
            None => {
                let mut waiting = self.0.waiting.borrow_mut();
                if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                    waiting.push(cx.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    /// Ends the connection without waiting for what is under way; `cancel` asks the server to stop it.
    pub(super) fn give_up(&self, reason: &str, cancel: bool) {
        if self.is_closed() {
            return;
        }
        self.0.given_up.set(Some(cancel));
        self.0.end(reason);
        if let Some(task) = self.0.task.take() {
            task.wake();
        }
    }
}

/// Sends the request on a socket of its own, protected as the connection was, and waits until it has been taken.
async fn cancel(dialer: &Dialer, address: &Address, encrypted: bool, key: CancelRequest) -> io::Result<()> {
    let mut transport = dialer.dial(address, encrypted).await.map_err(|_| io::Error::other("no transport"))?;
    transport.write_all(key.as_bytes()).await?;
    transport.flush().await?;
    // The server answers by hanging up; leaving sooner could make a pooler forget about it.
    let mut nothing = [0; 16];
    while transport.read(&mut nothing).await? > 0 {}
    Ok(())
}
