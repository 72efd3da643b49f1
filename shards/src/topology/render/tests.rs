//! Pictures of plans.

use expect_test::{Expect, expect};

use super::render;
use crate::topology::{PlanRequest, Topology, plan, plan::tests::machine};

fn check(topology: &Topology, request: &PlanRequest, expected: Expect) {
    let plan = plan(topology, request).unwrap();
    let picture = render(topology, &plan);
    assert!(picture.lines().all(|line| line.len() <= super::WIDTH && line.is_ascii()));
    expected.assert_eq(&picture);
}

#[test]
fn two_cpus_are_drawn_side_by_side() {
    check(
        &machine(1, 1, 2, 1),
        &PlanRequest::default(),
        expect![[r#"
        CPUs 0-1 | memory 64.0 GiB | no quota

        NUMA node 0
          L3 cache 32 MiB
            [0 S0   ] [1 S1+P0]

        S request shard: 2   P password core: 1   . not used: 0
        P0 hash for S0-1

        - Password core 0 shares CPU 1 with a shard, as there is no CPU to spare:
          hashing that nobody waits for runs at idle priority there.
    "#]],
    );
}

#[test]
fn hardware_threads_are_drawn_with_their_core() {
    check(
        &machine(1, 1, 8, 2),
        &PlanRequest::default(),
        expect![[r#"
        CPUs 0-15 | memory 64.0 GiB | no quota

        NUMA node 0
          L3 cache 32 MiB
            [ 0 S0  |  8 S6 ] [ 1 S1  |  9 S7 ] [ 2 S2  | 10 S8 ] [ 3 S3  | 11 S9 ]
            [ 4 S4  | 12 S10] [ 5 S5  | 13 S11] [ 6 P0  | 14 P2 ] [ 7 P1  | 15 P3 ]

        S request shard: 12   P password core: 4   . not used: 0
        P0-3 hash for S0-11

        - 4 of 16 CPUs for passwords: about a quarter, a measure of judgement between
          logins a second and requests a second.
    "#]],
    );
}

#[test]
fn two_nodes_are_drawn_one_below_the_other() {
    check(
        &machine(2, 4, 8, 1),
        &PlanRequest::default(),
        expect![[r#"
        CPUs 0-63 | memory 64.0 GiB | no quota

        NUMA node 0
          L3 cache 32 MiB
            [ 0 S0] [ 1 S1] [ 2 S2] [ 3 S3] [ 4 S4] [ 5 S5] [ 6 S6] [ 7 S7]
          L3 cache 32 MiB
            [ 8 S8 ] [ 9 S9 ] [10 S10] [11 S11] [12 S12] [13 S13] [14 S14] [15 S15]
          L3 cache 32 MiB
            [16 S16] [17 S17] [18 S18] [19 S19] [20 S20] [21 S21] [22 S22] [23 S23]
          L3 cache 32 MiB
            [24 P0] [25 P1] [26 P2] [27 P3] [28 P4] [29 P5] [30 P6] [31 P7]

        NUMA node 1
          L3 cache 32 MiB
            [32 S24] [33 S25] [34 S26] [35 S27] [36 S28] [37 S29] [38 S30] [39 S31]
          L3 cache 32 MiB
            [40 S32] [41 S33] [42 S34] [43 S35] [44 S36] [45 S37] [46 S38] [47 S39]
          L3 cache 32 MiB
            [48 S40] [49 S41] [50 S42] [51 S43] [52 S44] [53 S45] [54 S46] [55 S47]
          L3 cache 32 MiB
            [56 P8 ] [57 P9 ] [58 P10] [59 P11] [60 P12] [61 P13] [62 P14] [63 P15]

        S request shard: 48   P password core: 16   . not used: 0
        P0-7 hash for S0-23
        P8-15 hash for S24-47

        - 16 of 64 CPUs for passwords: about a quarter, a measure of judgement between
          logins a second and requests a second.
    "#]],
    );
}

#[test]
fn a_quota_leaves_cpus_alone() {
    let topology = Topology { cpu_quota: Some(1.5), ..machine(1, 1, 8, 1) };
    check(
        &topology,
        &PlanRequest::default(),
        expect![[r#"
            CPUs 0-7 | memory 64.0 GiB | quota 1.50 CPUs

            NUMA node 0
              L3 cache 32 MiB
                [0 S0+P0] [1 .    ] [2 .    ] [3 .    ] [4 .    ] [5 .    ] [6 .    ]
                [7 .    ]

            S request shard: 1   P password core: 1   . not used: 7
            P0 hash for S0

            - The CPU quota is 1.50, so the plan keeps to 1 of 8 CPUs: more would only get
              the process stopped for parts of each period.
            - Password core 0 shares CPU 0 with a shard, as there is no CPU to spare:
              hashing that nobody waits for runs at idle priority there.
        "#]],
    );
}
