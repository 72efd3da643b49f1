//! One socket: read, parse, route, reply, time out. Knows no endpoint; a request that cannot be read to its end is
//! answered and its connection closed, because nobody can tell where the next one would begin.

mod arrival;
mod handshake;
mod input;
mod traced;
mod transport;

pub use arrival::Complaints;

use crate::{
    fail_points::{self, FailPoint},
    handlers::{self, Rejection, Reply, Request},
    http::{
        body::{self, BodyDecoder, BodyError, BodyLimits},
        cors::{Origins, Sharing},
        forwarded,
        framing::BodyFraming,
        head::{self, Head, HeadLimits, HeadProgress, Method},
        network::Networks,
        response::{CONTINUE, ReplyContext},
        status::Status,
    },
    limits::{DRAIN_FIRST_REQUEST, LINGER, LINGER_BYTES_MAX, REFUSED_PAUSE, REQUESTS_PER_TURN},
    routes::{self, Endpoint, Front, PREFLIGHT, UNROUTED},
    server::Server,
    telemetry::{CloseReason, Span},
};
use futures_lite::future;
use input::Input;
use shards::{Stream, Watch};
use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    time::{Duration, Instant},
};
use transport::Transport;
use zeroize::Zeroizing;

/// How long things may take and how large they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Bounds of a head.
    pub head: HeadLimits,
    /// Bounds of a body.
    pub body: BodyLimits,
    /// From the first byte of a request to the end of its head.
    pub header_timeout: Duration,
    /// From the end of the head to the end of the body.
    pub body_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// For a reply to be taken by the client.
    pub write_timeout: Duration,
    /// Who may say for whom a request comes.
    pub trusted_proxies: Networks,
    /// Whether every connection has to come from such a proxy, and to begin with its PROXY header.
    pub proxy_protocol: bool,
    /// Whose pages may read replies; none when no origin is configured.
    pub cors_origins: Option<Origins>,
}

/// Kinds of what cannot be read, for the metrics.
pub const PARSE_ERRORS: &[&str] = &["head", "body", "proxy_header"];

/// The place of PROXY headers among them.
const PROXY_HEADER: usize = 2;

/// Serves the connection to its end, under the deadlines of `watch`.
pub async fn serve(server: Rc<Server>, stream: Stream, watch: Watch, front: Front) {
    let peer = stream.peer_address().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    let input = Input::default();
    let stream = Transport::plain(stream);
    let mut connection = Connection { server: &server, stream, peer, watch, input, front, is_new: true };
    let reason = connection.run().await;
    connection.stream.bid_farewell().await;
    server.metrics().connections.closed(reason);
}

/// Tells a client that the shard has as many connections as it may.
pub async fn turn_away(server: Rc<Server>, stream: Stream) {
    let mut out = Vec::new();
    Reply::from(Rejection::TooManyConnections).write(&ReplyContext::closing(&server.date()), &mut out);
    // The send buffer of a new connection has room for it; a client that is gone already needs no answer.
    let _ = shards::timeout(server.connection_config().write_timeout, stream.write_all(&out)).await;
    let _ = stream.shutdown_write();
}

struct Connection<'s> {
    server: &'s Rc<Server>,
    stream: Transport,
    /// Who is at the other end, or whom the proxy there has announced.
    peer: IpAddr,
    watch: Watch,
    input: Input,
    front: Front,
    /// Nothing has been read from it.
    is_new: bool,
}

/// Whether the connection serves another request.
enum Next {
    Request,
    Close(CloseReason),
}

/// A reply on its way out.
struct Outgoing {
    status: Status,
    bytes: Vec<u8>,
    keep_alive: bool,
    /// Whether the client is left waiting before it is read again.
    pause: bool,
    /// Place among the metrics.
    route: usize,
    /// What is told of it to a collector of traces.
    span: Option<Box<Span>>,
}

/// Head of a request whose body is not here yet.
struct Pending<'s> {
    endpoint: Endpoint,
    head_bytes: usize,
    framing: BodyFraming,
    expects_continue: bool,
    sharing: Sharing<'s>,
}

impl<'s> Connection<'s> {
    async fn run(&mut self) -> CloseReason {
        // Counted until the connection has ended, however it ends.
        let _counted = match self.arrive().await {
            Ok(counted) => counted,
            Err(reason) => return reason,
        };
        let mut in_a_row = 0;
        loop {
            match self.serve_one().await {
                Ok(Next::Request) => {}
                Ok(Next::Close(reason)) | Err(reason) => return reason,
            }
            in_a_row += 1;
            if in_a_row == REQUESTS_PER_TURN {
                in_a_row = 0;
                shards::yield_to_sockets().await;
            }
        }
    }

    /// One request and its reply. Fails with the reason when the connection ends without a reply.
    async fn serve_one(&mut self) -> Result<Next, CloseReason> {
        self.await_first_byte().await?;
        let started = Instant::now();
        self.watch.set(self.config().header_timeout);
        let mut progress = HeadProgress::default();
        let pending = loop {
            match head::resume(self.input.filled(), &self.config().head, &mut progress) {
                Ok(Some((head, head_bytes))) => {
                    let endpoint = routes::find(self.front.table(), head.method, head.target.path);
                    let sharing = self.sharing(head.origin);
                    let rest = &self.input.filled()[head_bytes..];
                    // Nearly always all of it has come in one piece and is used where it lies.
                    match (body::whole(head.framing, rest, &self.config().body), endpoint) {
                        (Ok(Some(body)), endpoint) => {
                            let consumed = head_bytes + body.len();
                            let outgoing = self.respond(endpoint, &head, body, sharing).await?;
                            return self.finish(outgoing, consumed, started).await;
                        }
                        (Err(error), _) => return self.reject(Rejection::Body(error), sharing, started).await,
                        (Ok(None), Err(rejection)) => return self.reject(rejection, sharing, started).await,
                        (Ok(None), Ok(endpoint)) => {
                            let Head { framing, expect_continue: expects_continue, .. } = head;
                            break Pending { endpoint, head_bytes, framing, expects_continue, sharing };
                        }
                    }
                }
                Ok(None) => match self.fill().await {
                    Ok(()) => {}
                    // An empty line is no request (RFC 9112 section 2.2), and what is none gets no reply.
                    Err(Unread::Expired) if b"\r\n".starts_with(self.input.filled()) => return Err(CloseReason::Idle),
                    Err(Unread::Expired) => {
                        let sharing = self.sharing(None);
                        return self.reject(Rejection::HeaderTimeout, sharing, started).await;
                    }
                    Err(Unread::Closed(reason)) => return Err(reason),
                },
                Err(error) => return self.reject(Rejection::Head(error), self.sharing(None), started).await,
            }
        };
        self.serve_with_body(pending, started).await
    }

    /// Reads the body that is still to come, then answers.
    async fn serve_with_body(&mut self, pending: Pending<'s>, started: Instant) -> Result<Next, CloseReason> {
        let Pending { endpoint, head_bytes, framing, expects_continue, sharing } = pending;
        self.watch.set(self.config().body_timeout);
        if expects_continue && self.input.filled().len() == head_bytes {
            self.send(CONTINUE).await?;
            self.watch.set(self.config().body_timeout);
        }
        let decoded = match self.read_body(framing, head_bytes).await {
            Ok(decoded) => decoded,
            Err(Undecoded::Malformed(error)) => return self.reject(Rejection::Body(error), sharing, started).await,
            Err(Undecoded::Unread(Unread::Expired)) => {
                return self.reject(Rejection::BodyTimeout, sharing, started).await;
            }
            Err(Undecoded::Unread(Unread::Closed(reason))) => return Err(reason),
        };
        let filled = self.input.filled();
        let head = head::parse(filled, &self.config().head).ok().flatten().map(|(head, _)| head);
        let head = head.expect("a head that was complete stays so");
        let body = decoded.content.as_ref().map_or(&filled[head_bytes..decoded.end], |content| content.as_slice());
        let outgoing = self.respond(Ok(endpoint), &head, body, sharing).await?;
        let consumed = decoded.end;
        drop(decoded);
        self.finish(outgoing, consumed, started).await
    }

    async fn read_body(&mut self, framing: BodyFraming, head_bytes: usize) -> Result<Decoded, Undecoded> {
        if let BodyFraming::Length(length) = framing {
            let end = head_bytes + usize::try_from(length).expect("checked against the bound of a body");
            while self.input.filled().len() < end {
                self.fill().await?;
            }
            return Ok(Decoded { content: None, end });
        }
        let mut decoder = BodyDecoder::new(framing, &self.config().body)?;
        let mut content = Zeroizing::new(Vec::new());
        loop {
            let input = &self.input.filled()[head_bytes..];
            let progress = decoder.decode(input, &mut content)?;
            if progress.done {
                return Ok(Decoded { content: Some(content), end: head_bytes + progress.consumed });
            }
            self.input.truncate(head_bytes);
            self.fill().await?;
        }
    }

    /// The reply. Fails when the client has left before an answer that takes long was there.
    async fn respond(
        &self,
        endpoint: Result<Endpoint, Rejection>,
        head: &Head<'_>,
        body: &[u8],
        sharing: Sharing<'s>,
    ) -> Result<Outgoing, CloseReason> {
        let client = forwarded::client_address(self.peer, &self.config().trusted_proxies, head.lines);
        let trace = self.trace(head.traceparent);
        let (route, reply) = match endpoint {
            Ok(endpoint) => {
                let request = Request { head, body, client, trace: &trace };
                self.server.metrics().requests.begun(endpoint as usize);
                fail_points::pass(FailPoint::Request);
                let answer = handlers::handle(self.server, endpoint, request);
                let reply =
                    if endpoint.is_for_who_waits() { Box::pin(self.unless_left(answer)).await? } else { answer.await };
                (endpoint as usize, reply)
            }
            Err(Rejection::MethodNotAllowed(allow)) if sharing.is_preflight(head) => {
                (PREFLIGHT, handlers::preflight(allow))
            }
            Err(rejection) => (UNROUTED, rejection.into()),
        };
        // What follows CONNECT may be meant for a tunnel: it is no request, and must not be taken for one.
        let keep_alive = head.keep_alive && head.method != Method::Connect && !self.server.stop().requested();
        let mut bytes = self.server.take_output();
        let date = self.server.date();
        let fields = sharing.fields();
        reply.write(&ReplyContext { keep_alive, fields: &fields, ..ReplyContext::of(head, &date) }, &mut bytes);
        // Over a proxy's connection others come as well.
        let pause = reply.is_refusal && client == self.peer.to_canonical();
        let span = traced::span(trace, head, route, &reply);
        Ok(Outgoing { status: reply.status, bytes, keep_alive, pause, route, span })
    }

    /// The answer, unless the client is gone first: it is given up then.
    async fn unless_left<T>(&self, answer: impl Future<Output = T>) -> Result<T, CloseReason> {
        future::or(async { Ok(answer.await) }, async {
            self.stream.ended().await;
            Err(CloseReason::Peer)
        })
        .await
    }

    async fn finish(&mut self, outgoing: Outgoing, consumed: usize, started: Instant) -> Result<Next, CloseReason> {
        // It may have held a password.
        self.input.consume_and_wipe(consumed);
        self.send(&outgoing.bytes).await?;
        self.server.give_output_back(outgoing.bytes);
        self.count(outgoing.route, outgoing.status, started);
        self.server.tracer().end(outgoing.span, started);
        if outgoing.keep_alive {
            if outgoing.pause {
                self.pause().await;
            }
            return Ok(Next::Request);
        }
        if !self.input.is_empty() || self.stream.holds_unread() {
            self.linger().await;
        }
        let draining = self.server.stop().requested();
        Ok(Next::Close(if draining { CloseReason::Drain } else { CloseReason::Finished }))
    }

    /// Leaves the client unread for a while, unless the server is about to stop.
    async fn pause(&self) {
        self.watch.set_idle(self.config().idle_timeout);
        let _ = self.watch.wait(shards::sleep(REFUSED_PAUSE)).await;
    }

    /// Answers what could not be read to its end, and ends the connection.
    async fn reject(
        &mut self,
        rejection: Rejection,
        sharing: Sharing<'s>,
        started: Instant,
    ) -> Result<Next, CloseReason> {
        let reason = match rejection {
            Rejection::HeaderTimeout => CloseReason::HeaderTimeout,
            Rejection::BodyTimeout => CloseReason::BodyTimeout,
            Rejection::Head(_) | Rejection::Body(_) => CloseReason::Error,
            _ => CloseReason::Finished,
        };
        if reason == CloseReason::Error {
            let kind = usize::from(matches!(rejection, Rejection::Body(_)));
            self.server.metrics().parse_errors.record(kind);
        }
        let mut bytes = Vec::new();
        let reply = Reply::from(rejection);
        let (fields, date) = (sharing.fields(), self.server.date());
        let context = ReplyContext { fields: &fields, ..ReplyContext::refusing(self.input.filled(), &date) };
        reply.write(&context, &mut bytes);
        self.send(&bytes).await?;
        self.count(UNROUTED, reply.status, started);
        self.linger().await;
        Ok(Next::Close(reason))
    }

    fn count(&self, route: usize, status: Status, started: Instant) {
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.server.metrics().requests.observe(route, status.code(), elapsed_us);
    }

    /// Waits for the next request without holding memory for it.
    async fn await_first_byte(&mut self) -> Result<(), CloseReason> {
        if !self.input.is_empty() {
            return Ok(());
        }
        if self.server.stop().requested() {
            if !self.is_new {
                return self.take_last();
            }
            self.watch.set(DRAIN_FIRST_REQUEST);
        } else {
            self.watch.set_idle(self.config().idle_timeout);
        }
        loop {
            self.input.release(self.server);
            if self.watch.wait(self.stream.readable()).await.is_err() {
                return if self.server.stop().requested() { self.take_last() } else { Err(CloseReason::Idle) };
            }
            // Readable may mean no more than that nobody has tried.
            let read = future::poll_once(self.stream.read(self.input.room(self.server))).await;
            match read {
                Some(read) => return self.took(read),
                // It has begun, and has its time from here on.
                None if self.stream.is_amid_record() => return Ok(()),
                None => {}
            }
        }
    }

    /// Takes what the client has sent by now, as the last request before draining closes the connection: closing with
    /// a request unread would reset it (RFC 9112 section 9.6).
    fn take_last(&mut self) -> Result<(), CloseReason> {
        match self.stream.read_waiting(self.input.room(self.server)) {
            0 if self.stream.is_amid_record() => Ok(()),
            0 => Err(CloseReason::Drain),
            count => {
                self.received(count);
                Ok(())
            }
        }
    }

    fn received(&mut self, count: usize) {
        self.is_new = false;
        self.input.received(count);
        self.server.metrics().connections.received_bytes.add(count as u64);
    }

    /// Reads what is there, under the deadline that is set.
    async fn fill(&mut self) -> Result<(), Unread> {
        let room = self.input.room(self.server);
        match self.watch.wait(self.stream.read(room)).await {
            Err(shards::Expired) => Err(Unread::Expired),
            Ok(read) => self.took(read).map_err(Unread::Closed),
        }
    }

    fn took(&mut self, read: io::Result<usize>) -> Result<(), CloseReason> {
        match read {
            Err(_) => Err(CloseReason::Error),
            Ok(0) => Err(CloseReason::Peer),
            Ok(count) => {
                self.received(count);
                Ok(())
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), CloseReason> {
        self.watch.set(self.config().write_timeout);
        match self.watch.wait(self.stream.write_all(bytes)).await {
            Err(shards::Expired) => Err(CloseReason::WriteTimeout),
            Ok(Err(_)) => Err(CloseReason::Error),
            Ok(Ok(())) => {
                self.server.metrics().connections.sent_bytes.add(bytes.len() as u64);
                Ok(())
            }
        }
    }

    /// Lets the client read the reply before the socket goes: closing with unread input would reset the connection
    /// and take the reply with it (RFC 9112 section 9.6).
    async fn linger(&mut self) {
        self.watch.set(LINGER);
        if !matches!(self.watch.wait(self.stream.finish_sending()).await, Ok(Ok(()))) {
            return;
        }
        let mut discarded = 0;
        while discarded < LINGER_BYTES_MAX {
            self.input.truncate(0);
            if self.fill().await.is_err() {
                return;
            }
            discarded += self.input.filled().len();
        }
    }

    fn config(&self) -> &'s Config {
        self.server.connection_config()
    }

    /// With whom the reply to a request of this origin is shared.
    fn sharing(&self, origin: Option<&[u8]>) -> Sharing<'s> {
        let origins = match self.front {
            Front::Public => self.config().cors_origins.as_ref(),
            Front::Operator => None,
        };
        Sharing::of(origins, origin)
    }
}

/// Where a body is and where it ends in the input.
struct Decoded {
    /// None: it lies in the input, behind the head.
    content: Option<Zeroizing<Vec<u8>>>,
    end: usize,
}

/// Why nothing more could be read.
enum Unread {
    /// The deadline that was set has passed.
    Expired,
    Closed(CloseReason),
}

/// Why there is no body.
enum Undecoded {
    Malformed(BodyError),
    Unread(Unread),
}

impl From<BodyError> for Undecoded {
    fn from(error: BodyError) -> Undecoded {
        Undecoded::Malformed(error)
    }
}

impl From<Unread> for Undecoded {
    fn from(unread: Unread) -> Undecoded {
        Undecoded::Unread(unread)
    }
}
