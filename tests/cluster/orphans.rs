//! What `kill -9` of the server leaves behind.

use crate::support::{Door, Owner, alive, config, start, state};
use jeday::postgres::cluster::Cluster;
use std::{fs, sync::Mutex};

#[test]
fn a_postgres_left_running_is_stopped_at_the_next_start_and_its_data_is_there() {
    let state = state();
    {
        let cluster = start(state.path());
        Door::of(&cluster).session(async |client| client.batch_execute("CREATE TABLE kept (n int)").await.unwrap());
    }
    let mut owner = Owner::start(state.path(), None);
    let socket = state.path().join("postgres/socket/.s.PGSQL.5432");
    let door = Door { socket, user: "jeday".to_owned(), database: "jeday".to_owned() };
    door.session(async |client| client.batch_execute("INSERT INTO kept VALUES (42)").await.unwrap());
    owner.kill();
    assert!(alive(owner.postmaster), "nothing stops it with its server");

    let said = Mutex::new(Vec::new());
    let cluster = Cluster::start(&config(state.path()), |text| said.lock().unwrap().push(text.to_owned())).unwrap();
    assert!(!alive(owner.postmaster));
    let said = said.into_inner().unwrap();
    assert!(said.len() == 1 && said[0].contains(&owner.postmaster.to_string()), "{said:?}");
    assert_eq!(Door::of(&cluster).value("SELECT n FROM kept"), "42");
}

#[test]
fn a_stale_file_that_names_another_living_process_harms_nobody() {
    let state = state();
    let major = start(state.path()).major_version();
    let mut bystander = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let data = state.path().join(format!("postgres/{major}"));
    let stale = format!("{}\n{}\n1700000000\n5432\n\n\n\nready   \n", bystander.id(), data.display());
    fs::write(data.join("postmaster.pid"), stale).unwrap();

    let cluster = start(state.path());
    assert_eq!(Door::of(&cluster).value("SELECT 1"), "1");
    assert!(alive(bystander.id()));
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn server_and_postmaster_killed_together_are_recovered_from() {
    let state = state();
    let mut owner = Owner::start(state.path(), None);
    let pid = rustix::process::Pid::from_raw(i32::try_from(owner.postmaster).unwrap()).unwrap();
    owner.kill();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();

    let cluster = start(state.path());
    assert_eq!(Door::of(&cluster).value("SELECT 1"), "1");
}
