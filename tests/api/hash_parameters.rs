//! What a hash costs: OWASP's smallest recommendation is the least, unless the operator insists.

use crate::support::server::{Deployment, STAYS_WEAK, Server};

#[test]
fn parameters_below_the_smallest_recommendation_are_refused() {
    let deployment = Deployment::new();
    for (variables, needed) in [
        (&[("ARGON2_MEMORY", "6MiB"), ("ARGON2_PASSES", "5"), ("ARGON2_LANES", "1")][..], "7MiB"),
        (&[("ARGON2_MEMORY", "19MiB")], "46MiB"),
        (&[("ARGON2_PRESET", "owasp-19m"), ("ARGON2_PASSES", "1")], "46MiB"),
    ] {
        let mut command = deployment.jeday(["serve"]);
        let (status, words) = Server::spawn(command.envs(variables.iter().copied())).wait();
        assert!(!status.success(), "{variables:?}: {words}");
        assert!(words.contains("OWASP") && words.contains(needed), "{variables:?}: {words}");
        assert!(words.contains("hardening.allow_weak_parameters"), "{variables:?}: {words}");
        assert_eq!(deployment.jeday(["plan"]).envs(variables.iter().copied()).output().unwrap().status, status);
    }
}

#[test]
fn weak_parameters_are_taken_when_forced_and_presets_as_they_are() {
    for (settings, parameters) in [
        (&["hardening.memory=64KiB", "hardening.passes=1", "hardening.allow_weak_parameters=true"][..], "m=64,t=1,p=4"),
        (&["hardening.preset=owasp-9m"], "m=9216,t=4,p=1"),
        (&["hardening.preset=owasp-12m", "hardening.lanes=2"], "m=12288,t=3,p=2"),
    ] {
        let deployment = Deployment::new();
        let server = deployment.serve_with(&[settings, &[STAYS_WEAK]].concat());
        server.connect().new_session("ada@example.com");
        server.stop();
        let record = deployment.sql("SELECT password_hash FROM users");
        assert!(record.starts_with(&format!("$argon2id$v=19${parameters},keyid=")), "{settings:?}: {record}");
    }
}

#[test]
fn memory_for_hashes_is_told_before_and_held_from_the_start() {
    let deployment = Deployment::new();
    let settings = ["cores.password_cores=1", "hardening.memory=128MiB", STAYS_WEAK];
    let flags = settings.iter().flat_map(|text| ["--set", text]);
    let plan = deployment.jeday(["plan", "--json"].into_iter().chain(flags)).output().unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let told = plan["hash_memory_bytes"].as_u64().unwrap();
    assert!(told.is_multiple_of(128 << 20) && told > 0, "{plan}");
    let server = deployment.serve_with(&settings);
    let mut client = server.connect();
    client.register_many(4);
    let resident = || crate::support::metrics::Metrics::of(&server).sum("process_resident_memory_bytes", &[]);
    client.login("user0@example.com");
    let before = resident();
    for number in 0..4 {
        assert_eq!(client.login(&format!("user{number}@example.com")).status, 200);
    }
    let grown = resident() - before;
    assert!(grown < f64::from(16 << 20), "{grown} bytes more after four hashes");
}
