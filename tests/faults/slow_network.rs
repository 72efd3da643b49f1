//! 200 ms to the database and back, and 1 % of what is sent is lost: batches grow to make up for it, nobody is turned
//! away, and nothing piles up. By a proxy everywhere; by the kernel's own netem where network namespaces may be made.

use crate::{
    load::Load,
    proxy::{Proxy, Weather},
    rounds, seed,
    support::{
        metrics::Metrics,
        postgres::{Spec, TestCluster},
        server::{Deployment, STAYS_WEAK, Server},
    },
    turn,
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

const ONE_WAY: Duration = Duration::from_millis(100);
const BATCH: usize = 40;
/// As many as keep both kinds of registrations, those with a key and those without, waiting in full batches.
const CLIENTS: usize = 4 * BATCH;

/// Users and batches of them so far.
fn sent(server: &Server) -> (f64, f64) {
    let metrics = Metrics::of(server);
    let sum = |name| ["register", "register_once"].map(|text| metrics.sum(name, &[("statement", text)])).iter().sum();
    (sum("jeday_batch_size_items_sum"), sum("jeday_batch_size_items_count"))
}

fn resident_bytes(server: &Server) -> f64 {
    Metrics::of(server).sum("process_resident_memory_bytes", &[])
}

/// Loads a server whose database is far away. What it achieves is counted in users for each round trip, not in time:
/// whoever fills batches and spends one round trip on each loses nothing but what the distance takes.
fn load_from_afar(deployment: &Deployment<'_>, url: &str, round_trips: Option<&dyn Fn() -> u64>) {
    let batch = format!("registration.batch_size={BATCH}");
    let settings =
        ["cores.request_shards=1", "database.write_connections=1", "database.deadline=20s", &batch, STAYS_WEAK];
    let settings = settings.iter().flat_map(|text| ["--set", text]);
    let server = Server::start(deployment.jeday(["serve"].into_iter().chain(settings)).env("DB_URL", url));
    let mut client = server.connect();
    for number in 0..3 {
        assert_eq!(client.register(&format!("alone-{number}@example.com")).status, 201);
    }
    assert_eq!(sent(&server), (3.0, 3.0), "who is alone waits for nobody");
    let load = Load::start(server.address(), "load", CLIENTS);
    load.await_created(5 * BATCH);
    let (resident, (users, batches)) = (resident_bytes(&server), sent(&server));
    let (began, trips) = (Instant::now(), round_trips.map(|count| count()));
    (0..rounds(1, 20)).for_each(|_| load.await_created(20 * BATCH));
    let (took, trips) = (began.elapsed(), round_trips.map(|count| count() - trips.unwrap()));
    let (resident_last, (users_last, batches_last)) = (resident_bytes(&server), sent(&server));
    let journal = load.stop();
    journal.check(deployment);
    let (users, batches) = (users_last - users, batches_last - batches);
    let trips = trips.map_or(batches, |trips| trips as f64);
    eprintln!(
        "{:.1} users a batch, {:.1} a round trip of at most {BATCH}; {:.0} users/s where {:.0} are possible; lost 0 of {}",
        users / batches,
        users / trips,
        users / took.as_secs_f64(),
        BATCH as f64 / (2 * ONE_WAY).as_secs_f64(),
        journal.created().count(),
    );
    assert!(users / batches >= 0.5 * BATCH as f64, "batches have not grown: {users} users in {batches}");
    assert!(users / trips >= 0.5 * BATCH as f64, "{trips} round trips for {users} users");
    assert!(resident_last < resident + 8e6, "{resident} bytes became {resident_last}");
    assert_eq!(journal.problems("overloaded") + journal.problems("database_unavailable"), 0, "there is room and time");
    server.stop();
}

#[test]
fn batches_make_up_for_a_database_that_is_far_away() {
    let _turn = turn();
    let deployment = Deployment::new();
    let weather = Weather { delay: ONE_WAY, loss_percent: 1, sent_again_after: 4 * ONE_WAY, seed: seed() };
    let proxy = Proxy::in_weather(TestCluster::shared().port(), weather);
    let url = format!("postgres://postgres@{}/{}?sslmode=disable", proxy.address, deployment.database());
    load_from_afar(&deployment, &url, Some(&|| proxy.round_trips()));
    eprintln!("{} times something was lost", proxy.lost());
}

/// A network of its own, far away; gone on drop.
struct FarAway {
    name: String,
    /// The address inside.
    address: String,
}

impl FarAway {
    /// None where that is not permitted, or netem is not there.
    fn reach() -> Result<FarAway, String> {
        let id = std::process::id();
        // RFC 2544's range for tests between networks.
        let subnet = format!("198.18.{}.", id % 256);
        let far = FarAway { name: format!("jeday-{id}"), address: format!("{subnet}2") };
        let (name, near) = (&far.name, format!("jd{id}"));
        let netem = format!("root netem delay {}ms loss 1%", ONE_WAY.as_millis());
        for step in [
            format!("ip netns add {name}"),
            format!("ip link add {near} type veth peer name far netns {name}"),
            format!("ip address add {subnet}1/24 dev {near}"),
            format!("ip link set {near} up"),
            format!("ip -n {name} address add {subnet}2/24 dev far"),
            format!("ip -n {name} link set far up"),
            format!("ip -n {name} link set lo up"),
            format!("tc qdisc add dev {near} {netem}"),
            format!("tc -n {name} qdisc add dev far {netem}"),
        ] {
            let mut words = step.split(' ');
            let output = Command::new(words.next().unwrap()).args(words).output();
            let output = output.map_err(|error| format!("{step}: {error}"))?;
            if !output.status.success() {
                return Err(format!("{step}: {}", String::from_utf8_lossy(&output.stderr).trim()));
            }
        }
        Ok(far)
    }

    /// The same command in that network.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(command.get_program()).args(command.get_args());
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.current_dir(command.get_current_dir().expect("commands of a cluster run in its folder"));
        inside
    }
}

impl Drop for FarAway {
    fn drop(&mut self) {
        // Both ends of the way there go with it.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

#[test]
fn batches_make_up_for_a_database_behind_a_slow_network() {
    let _turn = turn();
    let far = match FarAway::reach() {
        Ok(far) => far,
        Err(reason) => return eprintln!("skipped, there is no network to slow down: {reason}"),
    };
    let cluster = TestCluster::start(&Spec {
        settings: "listen_addresses = '*'",
        hba: "local all all trust\nhost all all 198.18.0.0/15 trust\n",
        ..Spec::default()
    });
    let deployment = Deployment::on(&cluster);
    cluster.stop("fast");
    let mut start = cluster.as_owner("pg_ctl");
    start.args(["start", "-s", "-w", "-t", "60", "-l"]).arg(cluster.socket_directory().join("log"));
    let started = far.inside(&start).status().unwrap();
    assert!(started.success(), "{}", cluster.log());
    let url = format!("postgres://postgres@{}:{}/{}", far.address, cluster.port(), deployment.database());
    load_from_afar(&deployment, &url, None);
}
