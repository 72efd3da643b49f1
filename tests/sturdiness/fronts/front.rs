//! nginx or HAProxy as they stand in front of a server: kept alive towards it, with one path that they let nobody ask
//! for.

use crate::support::postgres::Running;
use std::{
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// What the proxy refuses by itself.
pub(super) const FORBIDDEN: &str = "/openapi.json";

/// How long the proxies wait for the rest of a request, in seconds: attempts that leave one open take as long.
const CLIENT_SECONDS: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Haproxy,
}

impl Kind {
    pub(super) fn program(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
        }
    }
}

/// A proxy that listens twice, once strict and once as lax as it can be made; ended on drop.
pub(super) struct Front {
    addresses: [SocketAddr; 2],
    _running: Running,
    _folder: TempDir,
}

impl Front {
    pub(super) fn start(kind: Kind, program: &Path, server: SocketAddr) -> Front {
        let folder = TempDir::new().unwrap();
        let addresses = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let text = match kind {
            Kind::Nginx => nginx(addresses, server),
            Kind::Haproxy => haproxy(addresses, server),
        };
        let file = folder.path().join("configuration");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        match kind {
            Kind::Nginx => command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(&file),
            Kind::Haproxy => command.args(["-db", "-f"]).arg(&file),
        };
        let mut running = Running::start(&mut command);
        for _ in 0..200 {
            if addresses.iter().all(|address| TcpStream::connect(address).is_ok()) {
                return Front { addresses, _running: running, _folder: folder };
            }
            if let Some(errors) = running.errors_if_ended() {
                panic!("{kind:?} ended: {errors}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{kind:?} does not listen");
    }

    pub(super) fn addresses(&self) -> [SocketAddr; 2] {
        self.addresses
    }
}

/// One process that stays whose it is, so that it needs no other user and no other folder.
fn nginx(addresses: [SocketAddr; 2], server: SocketAddr) -> String {
    let mut text = format!(
        "daemon off; master_process off; error_log stderr crit; pid pid;\n\
         events {{ worker_connections 64; }}\n\
         http {{\n\
         access_log off;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
         client_header_timeout {CLIENT_SECONDS}s; client_body_timeout {CLIENT_SECONDS}s;\n\
         keepalive_timeout {CLIENT_SECONDS}s;\n\
         upstream jeday {{ server {server}; keepalive 1; }}\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
         proxy_next_upstream off;\n"
    );
    let lax = "ignore_invalid_headers off; underscores_in_headers on; merge_slashes off; proxy_request_buffering off;";
    for (address, more) in addresses.into_iter().zip(["", lax]) {
        writeln!(
            text,
            "server {{ listen {address}; {more}\n\
             location / {{ proxy_pass http://jeday; }}\n\
             location = {FORBIDDEN} {{ return 403; }} }}"
        )
        .unwrap();
    }
    text + "}\n"
}

fn haproxy(addresses: [SocketAddr; 2], server: SocketAddr) -> String {
    let mut text = format!(
        "global\n nbthread 1\n\
         defaults\n mode http\n timeout connect 10s\n timeout server 30s\n timeout client {CLIENT_SECONDS}s\n \
         timeout http-request {CLIENT_SECONDS}s\n timeout http-keep-alive {CLIENT_SECONDS}s\n http-reuse always\n \
         retries 0\n\
         backend jeday\n server jeday {server}\n"
    );
    let lax = "option accept-invalid-http-request";
    for (name, (address, more)) in ["strict", "lax"].into_iter().zip(addresses.into_iter().zip(["", lax])) {
        writeln!(
            text,
            "frontend {name}\n bind {address}\n {more}\n http-request deny if {{ path,url_dec {FORBIDDEN} }}\n \
             default_backend jeday"
        )
        .unwrap();
    }
    text
}
