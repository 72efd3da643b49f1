use jeday::*;
use std::sync::Arc;
use std::time::Duration;
fn main() {
    let keys = keys::generate(jiff::Timestamp::now()).unwrap();
    let secrets = Arc::new(server::Secrets {
        peppers: hardening::Peppers::new(&keys).unwrap(),
        routing_key: account::RoutingKey::new(&[7; 32]),
    });
    let conns: usize = std::env::var("CONNS").map(|x| x.parse().unwrap()).unwrap_or(2);
    let size: usize = std::env::var("SIZE").map(|x| x.parse().unwrap()).unwrap_or(400);
    let config = Arc::new(server::Config {
        connection: connection::Config {
            head: http::head::HeadLimits {
                head_bytes_max: 16384,
                method_bytes_max: 16,
                target_bytes_max: 8000,
                fields_max: 64,
            },
            body: http::body::BodyLimits {
                body_bytes_max: 16384,
                extension_bytes_max: 1024,
                trailer_bytes_max: 1024,
                trailer_fields_max: 16,
            },
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(20),
        },
        connections_max: 8192,
        database: batch::GroupConfig {
            target: Arc::new(postgres::link::Target(
                "host=/tmp/scratch/pg port=5544 user=postgres dbname=jeday".into(),
            )),
            connect: Default::default(),
            connections: conns,
            answer_within: Duration::from_secs(5),
        },
        registration: batch::Window { length_max: size, wait: Duration::ZERO },
        registration_queue_max: 8192,
        passwords: Default::default(),
        allow_unsafe_durability: false,
    });
    let registry = Arc::new(telemetry::Registry::new(server::NAMES, 2));
    let specs: Vec<_> = (0..2).map(|i| shards::ShardSpec { index: i, cpu: Some(i) }).collect();
    let fleet = shards::launch(&specs, move |shard| {
        let mut l = vec![(
            shards::Listener::bind(&shards::ListenerConfig {
                address: ([127, 0, 0, 1], 8181).into(),
                backlog: 4096,
                shared: true,
            })
            .unwrap(),
            routes::PUBLIC,
        )];
        if shard.index == 0 {
            l.push((
                shards::Listener::bind(&shards::ListenerConfig {
                    address: ([127, 0, 0, 1], 8182).into(),
                    backlog: 64,
                    shared: false,
                })
                .unwrap(),
                routes::OPERATOR,
            ));
        }
        server::run(shard, config.clone(), secrets.clone(), registry.clone(), l)
    })
    .unwrap();
    println!("{:?}", fleet.wait(Duration::from_secs(5)));
}
