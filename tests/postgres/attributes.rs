//! target_session_attrs over a primary and its standby.

use super::*;

#[test]
fn session_attributes_choose_between_primary_and_standby() {
    let primary = TestCluster::start(&support::Spec::default());
    let standby = primary.standby();
    on_shard(async {
        let port_of = async |wanted: &str| {
            let url = format!(
                "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs={wanted}",
                standby.port(),
                primary.port()
            );
            let place = link(&url).await.server().place.clone();
            place.rsplit(':').next().unwrap().parse::<u16>().unwrap()
        };
        assert_eq!(port_of("any").await, standby.port());
        assert_eq!(port_of("read-write").await, primary.port());
        assert_eq!(port_of("primary").await, primary.port());
        assert_eq!(port_of("read-only").await, standby.port());
        assert_eq!(port_of("standby").await, standby.port());
        assert_eq!(port_of("prefer-standby").await, standby.port());
        let only_primary = |wanted| format!("{}&target_session_attrs={wanted}", primary.url("postgres"));
        assert!(matches!(refusal(&only_primary("standby")).await, ConnectError::Attributes { .. }));
        link(&only_primary("prefer-standby")).await;
    });
}

#[test]
fn statement_that_writes_to_a_standby_gives_the_link_up() {
    use jeday::postgres::{link::LinkError, sqlstate::Class};
    static WRITE: Sql = Sql { name: "write", text: "INSERT INTO things VALUES (1)", types: &[] };
    let primary = TestCluster::start(&support::Spec::default());
    primary.sql("postgres", "CREATE TABLE things (thing int)");
    let standby = primary.standby();
    on_shard(async {
        let link = link(&standby.url("postgres")).await;
        let error = link.query(&WRITE, &[], soon()).await.unwrap_err();
        assert!(matches!(&error, LinkError::Refused(refusal) if refusal.class() == Class::ReadOnly), "{error}");
        assert!(link.is_closed());
    });
}
