//! Which sockets of this shard can be read or written: one edge-triggered epoll set per shard, itself polled on the
//! shard's ring. Measured against one poll request per socket and message on the ring, this takes about a fifth of
//! the server's CPU away from each request, because a busy shard learns of hundreds of sockets by one system call.
//! Never reads or writes itself.

use glommio::io::PollableFd;
use rustix::event::epoll::{self, EventData, EventFlags};
use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// Events taken per call: more than a turn of a busy shard finds, and 3 KiB of memory.
const EVENTS_PER_TURN: usize = 256;

thread_local! {
    static CURRENT: RefCell<Option<Rc<Poller>>> = const { RefCell::new(None) };
}

/// The epoll set of one shard.
pub(crate) struct Poller {
    epoll: Rc<OwnedFd>,
    entries: RefCell<Slab<Rc<Entry>>>,
    events: RefCell<Vec<epoll::Event>>,
}

struct Shared(Rc<OwnedFd>);

impl AsRawFd for Shared {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Keeps the current thread's set in place; dropping it takes the set away with the executor it belongs to.
pub(crate) struct Installed(());

impl Drop for Installed {
    fn drop(&mut self) {
        CURRENT.with(|current| current.replace(None));
    }
}

/// Makes the set of the current executor and the task that serves it.
pub(crate) fn install() -> io::Result<Installed> {
    let epoll = Rc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
    let events = RefCell::new(Vec::with_capacity(EVENTS_PER_TURN));
    let poller = Rc::new(Poller { epoll: epoll.clone(), entries: RefCell::default(), events });
    let pollable = PollableFd::new(Shared(epoll)).map_err(io::Error::from)?;
    CURRENT.with(|current| current.replace(Some(poller.clone())));
    crate::spawn(poller.serve(pollable)).detach();
    Ok(Installed(()))
}

impl Poller {
    async fn serve(self: Rc<Self>, pollable: PollableFd<Shared>) {
        loop {
            pollable.readable().await.expect("an epoll set can be polled for as long as its ring lives");
            self.look();
        }
    }

    /// Wakes who waits for a socket that is ready, without waiting for one.
    fn look(&self) {
        let mut events = self.events.borrow_mut();
        events.clear();
        let zero = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&*self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&zero)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("an epoll set of our own can be waited for: {error}"),
        }
        let entries = self.entries.borrow();
        for event in &*events {
            // An entry may have gone since, and its key may be another's by now: that one finds nothing to read.
            let key = usize::try_from(event.data.u64()).expect("keys are made from usize");
            if let Some(entry) = entries.get(key) {
                entry.mark(event.flags);
            }
        }
    }
}

/// Wakes every task of this shard whose socket is ready. The ring, through which that is learnt otherwise, is not
/// looked at for as long as there are tasks that can go on.
///
/// # Panics
/// Outside an executor's thread.
pub(crate) fn look() {
    let poller = CURRENT.with(|current| current.borrow().clone());
    poller.expect("called on the thread of an executor that `launch` or `block_on` made").look();
}

#[derive(Default)]
struct Entry {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The peer has closed or the socket has failed: reading never waits again, it tells.
    ended: Cell<bool>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

impl Entry {
    fn mark(&self, flags: EventFlags) {
        let ended = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
        if ended {
            self.ended.set(true);
        }
        if ended || flags.contains(EventFlags::IN) {
            self.readable.set(true);
            wake(&self.reader);
        }
        if flags.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR) {
            self.writable.set(true);
            wake(&self.writer);
        }
    }
}

fn wake(waiting: &RefCell<Option<Waker>>) {
    if let Some(waker) = waiting.borrow().as_ref() {
        waker.wake_by_ref();
    }
}

/// A non-blocking socket that is watched by its shard's [`Poller`].
pub(crate) struct Watched<S: AsFd> {
    socket: S,
    entry: Rc<Entry>,
    key: usize,
    poller: Rc<Poller>,
}

impl<S: AsFd> Watched<S> {
    /// Watches `socket`, which must be non-blocking.
    ///
    /// # Panics
    /// Outside an executor's thread.
    pub(crate) fn new(socket: S) -> io::Result<Watched<S>> {
        let poller = CURRENT
            .with(|current| current.borrow().clone())
            .expect("sockets are made on the thread of an executor that `launch` or `block_on` made");
        // Not known to be either yet: the first attempt tells.
        let entry = Rc::new(Entry { readable: Cell::new(true), writable: Cell::new(true), ..Entry::default() });
        let key = poller.entries.borrow_mut().insert(entry.clone());
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        if let Err(error) = epoll::add(&*poller.epoll, &socket, EventData::new_u64(key as u64), flags) {
            poller.entries.borrow_mut().remove(key);
            return Err(error.into());
        }
        Ok(Watched { socket, entry, key, poller })
    }

    pub(crate) fn get(&self) -> &S {
        &self.socket
    }

    /// Whether a read is worth trying.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.entry.readable.get() || self.entry.ended.get() {
            return Poll::Ready(());
        }
        remember(&self.entry.reader, cx);
        Poll::Pending
    }

    /// Ready once the peer has finished sending, or the connection has failed, whatever is still to be read.
    pub(crate) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.entry.ended.get() {
            return Poll::Ready(());
        }
        remember(&self.entry.reader, cx);
        Poll::Pending
    }

    /// Tries `read` once the socket may be readable; `wanted` is how many bytes it asks for.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        wanted: usize,
        mut read: impl FnMut(&S) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let entry = &*self.entry;
        if entry.readable.get() || entry.ended.get() {
            match read(&self.socket) {
                // epoll(7): a short read has emptied an edge-triggered stream, so the next try is left to the next
                // edge.
                Ok(count) => {
                    entry.readable.set(count == wanted);
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => entry.readable.set(false),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        remember(&entry.reader, cx);
        Poll::Pending
    }

    /// Tries `write` once the socket may be writable.
    pub(crate) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let entry = &*self.entry;
        if entry.writable.get() {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => entry.writable.set(false),
                done => return Poll::Ready(done),
            }
        }
        remember(&entry.writer, cx);
        Poll::Pending
    }

    /// Waits for the next edge of writability, as the end of a connect is.
    pub(crate) async fn written(&self) {
        self.entry.writable.set(false);
        poll_fn(|cx| {
            if self.entry.writable.get() {
                return Poll::Ready(());
            }
            remember(&self.entry.writer, cx);
            Poll::Pending
        })
        .await;
    }
}

fn remember(waiting: &RefCell<Option<Waker>>, cx: &Context<'_>) {
    let mut waker = waiting.borrow_mut();
    if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
        *waker = Some(cx.waker().clone());
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        self.poller.entries.borrow_mut().remove(self.key);
        // Closing would do it, were it sure that no other process holds the same open file.
        let _ = epoll::delete(&*self.poller.epoll, &self.socket);
    }
}
