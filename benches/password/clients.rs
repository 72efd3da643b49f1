//! What clients ask for, and which answers are right.

use crate::{
    load::Client,
    support::{Outcome, http::Reply, users::Person},
};
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;

/// The same few requests over and over.
pub(crate) struct Repeating {
    requests: Vec<Vec<u8>>,
    next: usize,
    left: usize,
    right: &'static [u16],
    kept: Option<Vec<String>>,
}

/// Uses each refresh token once and goes on with the one it gets.
pub(crate) struct Refreshing {
    server: SocketAddr,
    token: String,
}

/// What a login or a refresh gives.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl Repeating {
    /// Takes answers with one of these statuses for right; 429 and 503 have to say when to come back.
    pub(crate) fn new(requests: Vec<Vec<u8>>, right: &'static [u16]) -> Repeating {
        Repeating { requests, next: 0, left: usize::MAX, right, kept: None }
    }

    /// Makes each request once and keeps what is answered.
    pub(crate) fn once(self) -> Repeating {
        Repeating { left: self.requests.len(), kept: Some(Vec::new()), ..self }
    }

    /// The bodies that were kept, if there is one for each request.
    pub(crate) fn bodies(self) -> Option<Vec<String>> {
        self.kept.filter(|kept| kept.len() == self.requests.len())
    }
}

impl Client for Repeating {
    fn request(&mut self, to: &mut Vec<u8>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        to.extend_from_slice(&self.requests[self.next]);
        self.next = (self.next + 1) % self.requests.len();
        true
    }

    fn reply(&mut self, reply: &Reply<'_>) -> Result<(), String> {
        judge(reply, self.right)?;
        if let Some(kept) = &mut self.kept {
            kept.push(reply.body.to_owned());
        }
        Ok(())
    }
}

impl Refreshing {
    pub(crate) fn new(server: SocketAddr, token: &str) -> Refreshing {
        Refreshing { server, token: token.to_owned() }
    }

    /// The token that it would use next.
    pub(crate) fn into_token(self) -> String {
        self.token
    }
}

impl Client for Refreshing {
    fn request(&mut self, to: &mut Vec<u8>) -> bool {
        to.extend_from_slice(&post(self.server, "/auth/refresh", &json!({ "refresh_token": self.token }).to_string()));
        true
    }

    fn reply(&mut self, reply: &Reply<'_>) -> Result<(), String> {
        judge(reply, &[200])?;
        let tokens = serde_json::from_str::<Tokens>(reply.body);
        self.token = tokens.map_err(|error| format!("{error}: {}", reply.body))?.refresh_token;
        Ok(())
    }
}

fn judge(reply: &Reply<'_>, right: &[u16]) -> Result<(), String> {
    let status = reply.status;
    if !right.contains(&status) {
        return Err(format!("answered by {status}: {}", reply.body));
    }
    let comes_back = reply.field("retry-after").is_some_and(|value| value.parse::<u64>().is_ok());
    if matches!(status, 429 | 503) && !comes_back {
        return Err(format!("answered by {status} without Retry-After"));
    }
    Ok(())
}

/// A request without a body.
pub(crate) fn get(server: SocketAddr, path: &str, access_token: Option<&str>) -> Vec<u8> {
    let authorization = access_token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n{authorization}\r\n").into_bytes()
}

/// A request with JSON.
pub(crate) fn post(server: SocketAddr, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\n");
    format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Registers somebody.
pub(crate) fn registration(server: SocketAddr, person: &Person) -> Vec<u8> {
    let Person { email, username, password } = person;
    let body = json!({ "email": email, "username": username, "password": password });
    post(server, "/auth/register", &body.to_string())
}

/// Logs somebody in.
pub(crate) fn login(server: SocketAddr, person: &Person) -> Vec<u8> {
    post(server, "/auth/login", &json!({ "email": person.email, "password": person.password }).to_string())
}

/// Tries to.
pub(crate) fn guess(server: SocketAddr, person: &Person) -> Vec<u8> {
    post(server, "/auth/login", &json!({ "email": person.email, "password": "not-this-one-Vq7#m" }).to_string())
}

/// The tokens in a reply.
pub(crate) fn tokens(body: &str) -> Outcome<Tokens> {
    Ok(serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

    #[test]
    fn refusal_has_to_say_when_to_come_back() {
        let mut client = Repeating::new(vec![b"a".to_vec()], &[200, 503]);
        let mut answer = |text: &str| client.reply(&Reply::find(text.as_bytes()).unwrap().unwrap());
        assert_eq!(answer("HTTP/1.1 503 A\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"), Ok(()));
        assert!(answer("HTTP/1.1 503 A\r\nContent-Length: 0\r\n\r\n").is_err());
        assert!(answer("HTTP/1.1 401 A\r\nContent-Length: 0\r\n\r\n").is_err());
    }

    #[test]
    fn each_refresh_uses_the_token_of_the_last() {
        let mut client = Refreshing::new(SERVER, "first");
        let mut request = Vec::new();
        assert!(client.request(&mut request) && String::from_utf8_lossy(&request).contains("\"first\""));
        let body = r#"{"access_token":"a","refresh_token":"second"}"#;
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        client.reply(&Reply::find(reply.as_bytes()).unwrap().unwrap()).unwrap();
        assert_eq!(client.into_token(), "second");
    }

    #[test]
    fn once_means_each_request_once() {
        let mut client = Repeating::new(vec![b"a".to_vec(), b"b".to_vec()], &[200]).once();
        let mut sent = Vec::new();
        while client.request(&mut sent) {}
        assert_eq!(sent, b"ab");
        assert!(client.bodies().is_none(), "nothing was answered");
    }

    #[test]
    fn length_of_a_body_is_told() {
        let text = String::from_utf8(post(SERVER, "/a", "{}")).unwrap();
        assert!(text.starts_with("POST /a HTTP/1.1\r\n") && text.ends_with("Content-Length: 2\r\n\r\n{}"), "{text}");
    }
}
