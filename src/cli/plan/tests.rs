//! What a plan looks like and what it finds too little of, on machines that need not be there.

use super::{super::FileArgs, room::Room, *};
use crate::config::{CliValues, Environment};
use expect_test::{Expect, expect};
use std::path::{Path, PathBuf};

const GIB: u64 = 1 << 30;

fn profile(cpus: usize) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tuning/cores-{cpus}.toml"))
}

fn context(profile: Option<PathBuf>, set: &[&str]) -> Context {
    let set = set.iter().map(|text| (*text).to_owned()).collect();
    Context::new(FileArgs { profile, set, ..FileArgs::default() }, Environment::new([("HOME", "/home/me")]))
}

/// The plan of the settings on a plain machine, with what is known of PostgreSQL without asking one.
fn planned(context: &Context, cpus: usize, memory_bytes: u64) -> (Placement, Budget) {
    let topology = Topology::plain(cpus, memory_bytes);
    let placement = placement::resolve_on(context, &CliValues::none(), topology).unwrap();
    let room = room::room(None, context, &placement).unwrap();
    let source = Path::new(&room.source).file_name().unwrap().to_str().unwrap().to_owned();
    let budget = Budget::of(&placement, Room { source, ..room });
    (placement, budget)
}

fn check(context: &Context, cpus: usize, memory_bytes: u64, expected: Expect) {
    let (placement, budget) = planned(context, cpus, memory_bytes);
    let text = as_text(&placement, &budget);
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn a_profile_is_drawn_with_what_it_takes() {
    check(
        &context(Some(profile(8)), &[]),
        8,
        32 * GIB,
        expect![[r#"
        CPUs 0-7 | memory 32.0 GiB | no quota

        NUMA node 0
          no L3 cache known
            [0 S0] [1 S1] [2 S2] [3 P0] [4 P1] [5 . ] [6 . ] [7 . ]

        S request shard: 3   P password core: 2   . not used: 3
        P0-1 hash for S0-2

        Memory: 9.3 GiB of 32.0 GiB
           128 MiB for hashing, 2 x 64 MiB, held from the start
           1.1 GiB for 32768 client connections, each with full buffers of 35 KiB
           8.1 GiB for PostgreSQL, shared_buffers of 8.0 GiB and 9 x 8 MiB

        Connections to PostgreSQL: 9 of 30
                 6 for shards, 3 x (1 to write, 1 to read)
                 2 for the durable queue of passwords
                 1 at the start
                 3 kept by PostgreSQL for its administrators

        - What PostgreSQL has: cores-8.postgresql.conf.
    "#]],
    );
}

#[test]
fn a_small_machine_gets_a_private_cluster_of_its_size() {
    check(
        &context(None, &[]),
        1,
        GIB,
        expect![[r#"
        CPUs 0 | memory 1.0 GiB | no quota

        NUMA node 0
          no L3 cache known
            [0 S0+P0]

        S request shard: 1   P password core: 1   . not used: 0
        P0 hash for S0

        - Password core 0 shares CPU 0 with a shard, as there is no CPU to spare:
          hashing that nobody waits for runs at idle priority there.

        Memory: 984 MiB of 1.0 GiB
           128 MiB for hashing, 2 x 64 MiB, held from the start
           560 MiB for 16384 client connections, each with full buffers of 35 KiB
           296 MiB for PostgreSQL, shared_buffers of 256 MiB and 5 x 8 MiB

        Connections to PostgreSQL: 5 of 18
                 2 for shards, 1 x (1 to write, 1 to read)
                 2 for the durable queue of passwords
                 1 at the start
                 3 kept by PostgreSQL for its administrators

        - What PostgreSQL has: the private cluster of jeday serve.
    "#]],
    );
}

#[test]
fn what_does_not_fit_says_what_to_change() {
    let set = ["database.write_connections=8", "hardening.memory=1GiB"];
    check(
        &context(Some(profile(8)), &set),
        8,
        8 * GIB,
        expect![[r#"
        CPUs 0-7 | memory 8.0 GiB | no quota

        NUMA node 0
          no L3 cache known
            [0 S0] [1 S1] [2 S2] [3 P0] [4 P1] [5 . ] [6 . ] [7 . ]

        S request shard: 3   P password core: 2   . not used: 3
        P0-1 hash for S0-2

        Memory: 11.3 GiB of 8.0 GiB
           2.0 GiB for hashing, 2 x 1.0 GiB, held from the start
           1.1 GiB for 32768 client connections, each with full buffers of 35 KiB
           8.2 GiB for PostgreSQL, shared_buffers of 8.0 GiB and 30 x 8 MiB

        Connections to PostgreSQL: 30 of 30
                27 for shards, 3 x (8 to write, 1 to read)
                 2 for the durable queue of passwords
                 1 at the start
                 3 kept by PostgreSQL for its administrators

        - What PostgreSQL has: cores-8.postgresql.conf.

        This does not fit:
        - 11.3 GiB of memory are needed, and there are 8.0 GiB: lower PostgreSQL's
          shared_buffers, which takes the most, or give the machine 3.3 GiB more.
        - 30 connections to PostgreSQL are needed, and max_connections = 30 leaves 27:
          set max_connections of PostgreSQL to 33 or more, or lower
          cores.request_shards, database.write_connections or database.read_connections.
    "#]],
    );
}

#[test]
fn too_few_cpus_say_where_the_wish_comes_from() {
    let context = context(Some(profile(8)), &[]);
    let refused = placement::resolve_on(&context, &CliValues::none(), Topology::plain(2, 8 * GIB));
    expect![[r#"
        jeday: error: 3 request shards were asked for, but there are 2 CPUs to run on (0-1): ask for at most 2, or give the process more CPUs
        hint: settings of [cores] ask for it; jeday plan --cores N shows them on another machine
    "#]].assert_eq(&refused.err().unwrap().report());
}

#[test]
fn exactly_what_is_free_is_enough() {
    let (placement, budget) = planned(&context(Some(profile(2)), &[]), 2, 8 * GIB);
    let fits = |most: u32, reserved: u32| {
        let room = Room {
            source: "a test".to_owned(),
            connections_max: Some(most),
            connections_reserved: reserved,
            shared_buffers_bytes: None,
        };
        Budget::of(&placement, room).shortfalls().is_empty()
    };
    assert!(budget.shortfalls().is_empty());
    assert!(fits(10, 3) && !fits(9, 3) && fits(7, 0) && !fits(6, 0) && !fits(2, 3));
}

#[test]
fn every_profile_fits_the_machine_that_it_names() {
    for (cpus, gib) in [(1, 2), (2, 8), (4, 16), (8, 32), (16, 64), (32, 128), (64, 256)] {
        let (placement, budget) = planned(&context(Some(profile(cpus)), &[]), cpus, gib * GIB);
        assert_eq!(budget.shortfalls(), [], "{cpus}");
        let busy = placement.plan.shards.len() + placement.plan.password_cores.len();
        assert!(cpus <= 2 || busy < cpus, "{cpus} CPUs: none is left to PostgreSQL");
        let text = std::fs::read_to_string(profile(cpus)).unwrap();
        assert!(text.contains(&format!(" {gib} GiB of memory")), "{cpus}");
    }
}
