//! The memory of the server's control group is used up and the kernel kills it: what was confirmed is there, and the
//! next server goes on.

use crate::{
    load::Load,
    support::server::{CHEAP, Deployment, STAYS_WEAK, Server},
    turn,
};
use rustix::process::Signal;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::TcpStream,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process,
};

/// A memory controller's group of our own; removed on drop.
struct Group {
    folder: PathBuf,
    /// The file that holds its limit.
    limit: &'static str,
}

impl Group {
    /// `None` where this user may make none.
    fn new() -> Option<Group> {
        let name = format!("jeday-test-{}", process::id());
        // Version 2 has one tree for all controllers, version 1 one for each.
        let places = [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
        for (root, limit) in places {
            let group = Group { folder: Path::new(root).join(&name), limit };
            if fs::create_dir(&group.folder).is_ok() && group.folder.join(limit).exists() {
                return Some(group);
            }
        }
        eprintln!("skipped: no group of the memory controller can be made here");
        None
    }

    fn take_in(&self, server: &Server) {
        fs::write(self.folder.join("cgroup.procs"), server.pid().as_raw_nonzero().to_string()).unwrap();
    }

    fn limit_to(&self, bytes: u64) {
        fs::write(self.folder.join(self.limit), bytes.to_string()).unwrap();
        // Where there is swap it must not take in what is too much.
        for (file, text) in [("memory.swap.max", "0".to_owned()), ("memory.memsw.limit_in_bytes", bytes.to_string())] {
            let _ = OpenOptions::new()
                .write(true)
                .open(self.folder.join(file))
                .and_then(|mut file| file.write_all(text.as_bytes()));
        }
    }

    fn used_bytes(&self) -> u64 {
        let text = ["memory.current", "memory.usage_in_bytes"];
        let text = text.iter().find_map(|file| fs::read_to_string(self.folder.join(file)).ok());
        text.and_then(|text| text.trim().parse().ok()).expect("a group tells what it uses")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

#[test]
fn every_confirmed_user_outlives_the_kernels_kill() {
    let _turn = turn();
    let Some(group) = Group::new() else { return };
    let deployment = Deployment::new();
    let mut server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK]].concat());
    // What it has allocated before is not its group's; what it allocates from now on is.
    group.take_in(&server);
    let load = Load::start(server.address(), "squeezed", 16);
    load.await_created(300);
    group.limit_to(group.used_bytes() + (256 << 10));
    // Memory that only grows: connections, each with a request that does not come to its end.
    let unfinished = || {
        let mut stream = TcpStream::connect(server.address())?;
        stream.write_all(b"POST /auth/register HTTP/1.1\r\nHost: a\r\nX-A: ")?;
        stream.write_all(&[b'a'; 8_000])?;
        Ok::<_, io::Error>(stream)
    };
    let hungry: Vec<_> = (0..600).map_while(|_| unfinished().ok()).collect();
    let status = server.wait();
    assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}: {}", server.log());
    drop(hungry);
    let journal = load.stop();
    journal.check(&deployment);
    let server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK, "database.deadline=60s"]].concat());
    let mut client = server.connect();
    for (email, _) in journal.created() {
        assert_eq!(client.login(email).status, 200, "{email}");
    }
    server.stop();
}
