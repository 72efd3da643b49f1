//! The database blackholed: sockets stay open and nothing comes through. Requests are answered by their deadline, the
//! queue stays bounded, service is back by itself, and stopping does not wait for what cannot be reached.

use crate::{
    await_service,
    load::Load,
    support::{metrics::Metrics, postgres::TestCluster, server::Deployment, server::Server},
    turn,
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A way to the database that can be closed without anybody being told.
struct Proxy {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
}

impl Proxy {
    fn start(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, closed) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let is_closed = closed.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let is_closed = is_closed.clone();
                    thread::spawn(move || forward(&from, &to, &is_closed));
                }
            }
        });
        Proxy { address, closed }
    }

    fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::Relaxed);
    }
}

/// What is read while the way is closed is lost, and the connection with it, as its packets would be.
fn forward(mut from: &TcpStream, mut to: &TcpStream, is_closed: &AtomicBool) {
    from.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut lossy = false;
    let mut buffer = [0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if lossy || is_closed.load(Ordering::Relaxed) => lossy = true,
            Ok(count) if to.write_all(&buffer[..count]).is_err() => break,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn blackholed_database_costs_answers_by_their_deadline_and_no_more() {
    let _turn = turn();
    let deployment = Deployment::new();
    let proxy = Proxy::start(TestCluster::shared().port());
    let url = format!("postgres://postgres@{}/{}?sslmode=disable", proxy.address, deployment.database());
    let settings = [
        "database.deadline=1s",
        "database.connect_timeout=1s",
        "registration.batch_size=10",
        "registration.queue_max=10",
    ];
    let settings = settings.iter().flat_map(|text| ["--set", text]);
    let mut command = deployment.jeday(["serve"].into_iter().chain(settings));
    let mut server = Server::start(command.env("DB_URL", url));
    for round in 0..2 {
        let load = Load::start(server.address(), &format!("round-{round}"), 60);
        load.await_created(50);
        proxy.close(true);
        thread::sleep(Duration::from_secs(2));
        // Clients wait for each answer: with the way closed, all of them are answered.
        let journal = load.stop();
        assert!(journal.problems("outcome_unknown") + journal.problems("database_unavailable") > 0);
        assert!(journal.problems("overloaded") > 0, "the queue is bounded");
        Metrics::once(&server, "nothing is left", |metrics| metrics.sum("jeday_batch_waiters", &[]) == 0.0);
        proxy.close(false);
        await_service(&server, &format!("after-{round}"));
        journal.check(&deployment);
    }
    // Stopped while nothing comes through: there is nothing to wait for.
    proxy.close(true);
    let mut client = server.connect();
    let reply = client.register("lost@example.com");
    assert_eq!(reply.status, 503, "{reply:?}");
    server.signal(rustix::process::Signal::TERM);
    let status = server.wait();
    assert!(status.success(), "{status}: {}", server.log());
}
