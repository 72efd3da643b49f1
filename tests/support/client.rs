//! An HTTP client for tests: sends exactly the bytes it is given, and takes no reply that strays from RFC 9112 or lacks
//! what every reply of Jeday has.
#![allow(dead_code, clippy::unwrap_used)]

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use serde_json::{Value, json};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

/// A reply that takes longer is not coming.
const PATIENCE: Duration = Duration::from_secs(60);

/// The password of every user that tests register without giving it another.
pub(crate) const PASSWORD: &str = "correct horse";

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    received: Vec<u8>,
}

/// A reply that was complete and well-formed.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::open(address).unwrap()
    }

    fn open(address: SocketAddr) -> std::io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, tls: None, received: Vec::new() })
    }

    /// The same over TLS, to a server named `localhost`.
    pub(crate) fn connect_tls(address: SocketAddr, config: Arc<ClientConfig>) -> Client {
        let mut client = Client::connect(address);
        client.begin_tls(config).unwrap();
        client
    }

    /// Shakes hands.
    pub(crate) fn begin_tls(&mut self, config: Arc<ClientConfig>) -> std::io::Result<()> {
        let mut tls = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(())
    }

    /// The TLS session, which there must be.
    pub(crate) fn tls(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().unwrap()
    }

    /// The same to a server that may be gone.
    pub(crate) fn try_connect(address: SocketAddr) -> Option<Client> {
        Client::open(address).ok()
    }

    /// What such a server answers, if it neither is gone nor goes meanwhile.
    pub(crate) fn try_exchange(&mut self, request: &[u8]) -> Option<Reply> {
        self.try_send(request).ok()?;
        self.try_reply(false)
    }

    /// The socket itself.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends these bytes as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// The same to a server that may have heard enough.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let Some(tls) = &mut self.tls else { return self.stream.write_all(bytes.as_ref()) };
        let mut stream = rustls::Stream::new(&mut **tls, &mut self.stream);
        stream.write_all(bytes.as_ref())?;
        stream.flush()
    }

    /// Sends no more, but goes on reading.
    pub(crate) fn finish_sending(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            tls.complete_io(&mut self.stream).unwrap();
        }
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// One request and its reply.
    pub(crate) fn request(&mut self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(request(method, target, fields, body));
        if method == "HEAD" { self.reply_to_head() } else { self.reply() }
    }

    pub(crate) fn get(&mut self, target: &str) -> Reply {
        self.request("GET", target, &[], b"")
    }

    /// `POST /auth/register` with this body.
    pub(crate) fn post(&mut self, body: &str) -> Reply {
        self.post_with(&[], body)
    }

    /// The same with more fields.
    pub(crate) fn post_with(&mut self, fields: &[(&str, &str)], body: &str) -> Reply {
        self.send(registration(fields, body));
        self.reply()
    }

    /// Registers a user of this address; username and password are good ones.
    pub(crate) fn register(&mut self, email: &str) -> Reply {
        self.post(&user(email))
    }

    /// `POST` with a JSON body.
    pub(crate) fn post_json(&mut self, target: &str, body: &Value) -> Reply {
        self.request("POST", target, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    /// Logs a user of this address in with the password that [`Client::register`] has given it.
    pub(crate) fn login(&mut self, email: &str) -> Reply {
        self.login_with(email, PASSWORD)
    }

    /// Registers so many users, `user0@example.com` and so on, all at once.
    pub(crate) fn register_many(&mut self, users: usize) {
        let requests: Vec<u8> = (0..users).flat_map(|number| registration(&[], &user(&nth(number)))).collect();
        let mut sending = self.stream.try_clone().unwrap();
        // More than fits in between: whoever only sends is not read from either.
        let sender = std::thread::spawn(move || sending.write_all(&requests).unwrap());
        assert!((0..users).all(|_| self.reply().status == 201));
        sender.join().unwrap();
    }

    /// The same with another password.
    pub(crate) fn login_with(&mut self, email: &str, password: &str) -> Reply {
        self.post_json("/auth/login", &json!({ "email": email, "password": password }))
    }

    /// `POST /auth/refresh`.
    pub(crate) fn refresh(&mut self, token: &str) -> Reply {
        self.post_json("/auth/refresh", &json!({ "refresh_token": token }))
    }

    /// A request without a body in the name of this access token's user.
    pub(crate) fn authorized(&mut self, method: &str, target: &str, access_token: &str) -> Reply {
        self.request(method, target, &[("Authorization", &format!("Bearer {access_token}"))], b"")
    }

    /// Registers a user of this address and logs it in.
    pub(crate) fn new_session(&mut self, email: &str) -> Tokens {
        assert_eq!(self.register(email).status, 201);
        self.login(email).tokens()
    }

    /// The next reply, which is not an interim one.
    pub(crate) fn reply(&mut self) -> Reply {
        let reply = self.reply_to(false);
        assert!(reply.status >= 200, "{reply:?}");
        reply
    }

    /// The next reply, which may be an interim one.
    pub(crate) fn any_reply(&mut self) -> Reply {
        self.reply_to(false)
    }

    /// The next reply, which has no body whatever its fields say.
    pub(crate) fn reply_to_head(&mut self) -> Reply {
        self.reply_to(true)
    }

    /// Takes `HTTP/1.1 100 Continue`.
    pub(crate) fn take_continue(&mut self) {
        let reply = self.reply_to(false);
        assert_eq!((reply.status, reply.fields.len()), (100, 0), "{reply:?}");
    }

    /// Waits until the server has closed, and checks that it has sent nothing more.
    pub(crate) fn expect_end(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "sent before the end: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Everything up to the end of the connection, orderly or not.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.received)
    }

    fn reply_to(&mut self, to_head: bool) -> Reply {
        let reply = self.try_reply(to_head);
        reply.unwrap_or_else(|| panic!("closed before a whole reply: {:?}", String::from_utf8_lossy(&self.received)))
    }

    /// The next reply, if the connection does not end before all of it has come.
    pub(crate) fn try_reply(&mut self, to_head: bool) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at;
            }
            if !self.fill() {
                return None;
            }
        };
        let mut reply = Reply::parse(std::str::from_utf8(&self.received[..end]).unwrap());
        let begin = end + 4;
        if reply.status < 200 {
            self.received.drain(..begin);
            return Some(reply);
        }
        reply.check();
        // RFC 9110 section 8.6: 204 says no length.
        let length = match reply.field("Content-Length") {
            None if reply.status == 204 => 0,
            None => panic!("every reply says its length: {reply:?}"),
            Some(length) => length.parse::<usize>().unwrap(),
        };
        let length = if to_head { 0 } else { length };
        while self.received.len() < begin + length {
            if !self.fill() {
                return None;
            }
        }
        reply.body = self.received.drain(..begin + length).skip(begin).collect();
        Some(reply)
    }

    /// Reads something; false at the end.
    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let read = match &mut self.tls {
            None => self.stream.read(&mut buffer),
            // An end that TLS does not announce is an error.
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(&mut buffer),
        };
        match read {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => false,
            Err(error) => panic!("{error}; so far: {:?}", String::from_utf8_lossy(&self.received)),
        }
    }
}

/// What a login or a refresh is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    /// The id of their session.
    pub(crate) fn session(&self) -> &str {
        self.refresh.split('.').next().unwrap()
    }
}

impl Reply {
    /// The tokens, which must be there.
    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!((self.status, self.field("Cache-Control")), (200, Some("no-store")), "{self:?}");
        let body = self.json();
        let token = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name} in {body}")).to_owned();
        Tokens { access: token("access_token"), refresh: token("refresh_token") }
    }

    fn parse(head: &str) -> Reply {
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap();
        let (code, reason) = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split_once(' ')).unwrap();
        assert!(code.len() == 3 && !reason.is_empty(), "{status_line}");
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{line:?}");
            assert!(value == value.trim() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
            (name.to_owned(), value.to_owned())
        });
        Reply { status: code.parse().unwrap(), fields: fields.collect(), body: Vec::new() }
    }

    /// What every reply has, once each.
    fn check(&self) {
        assert_eq!(self.field("Cache-Control"), Some("no-store"), "{self:?}");
        assert_eq!(self.field("X-Content-Type-Options"), Some("nosniff"), "{self:?}");
        assert!(httpdate::parse_http_date(self.field("Date").expect("every reply has a date")).is_ok(), "{self:?}");
        assert_eq!(self.field("Transfer-Encoding"), None, "{self:?}");
        assert_eq!(self.field("Server"), None, "{self:?}");
        if self.status == 204 {
            assert_eq!((self.field("Content-Length"), self.field("Content-Type")), (None, None), "{self:?}");
        }
    }

    /// The value of a field that comes at most once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    /// Whether the server goes on reading from this connection.
    pub(crate) fn keeps_alive(&self) -> bool {
        self.field("Connection") != Some("close")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        assert!(self.field("Content-Type").is_some_and(|media_type| media_type.ends_with("json")), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of a problem (RFC 9457), whose other members must agree with the reply.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.field("Content-Type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{self:?}");
        problem["code"].as_str().unwrap().to_owned()
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, String) {
        (self.status, self.code())
    }
}

/// The address of a user that [`Client::register_many`] has registered.
pub(crate) fn nth(number: usize) -> String {
    format!("user{number}@example.com")
}

/// The bytes of a request; `Content-Length` is there when there is a body.
pub(crate) fn request(method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: test\r\n");
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

/// The bytes of a registration with this body.
pub(crate) fn registration(fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let fields: Vec<_> = [("Content-Type", "application/json")].into_iter().chain(fields.iter().copied()).collect();
    request("POST", "/auth/register", &fields, body.as_bytes())
}

/// The bytes of a login with the password that [`Client::register`] gives.
pub(crate) fn login(email: &str) -> Vec<u8> {
    let body = json!({ "email": email, "password": PASSWORD }).to_string();
    request("POST", "/auth/login", &[("Content-Type", "application/json")], body.as_bytes())
}

/// The body that registers a user of this address.
pub(crate) fn user(email: &str) -> String {
    json!({ "email": email, "username": "Ada", "password": PASSWORD }).to_string()
}
