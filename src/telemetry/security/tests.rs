//! What a record looks like, and that a flood is held back without being lost.

use super::*;
use crate::telemetry::logs::tests::logged_json;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

#[test]
fn a_record_has_the_fields_of_its_kind_and_no_others() {
    let records = logged_json(|| {
        let failed = SecurityEvent::new(SecurityEventKind::LoginFailed);
        failed.user(&"0198").address(ADDRESS).reason("wrong_password").write();
        SecurityEvent::new(SecurityEventKind::SessionsEnded).user(&"0198").count(3).write();
    });
    let fields = |record: &serde_json::Value| {
        let mut fields = record.as_object().unwrap().clone();
        fields.remove("timestamp");
        serde_json::Value::Object(fields).to_string()
    };
    let shown: Vec<_> = records.iter().map(fields).collect();
    assert_eq!(
        shown,
        [
            r#"{"address":"192.0.2.1","event":"login_failed","level":"WARN","reason":"wrong_password","target":"security","user":"0198"}"#,
            r#"{"count":3,"event":"sessions_ended","level":"INFO","target":"security","user":"0198"}"#,
        ]
    );
}

#[test]
fn each_kind_has_its_level_and_a_name_of_its_own() {
    let records = logged_json(|| {
        for kind in SecurityEventKind::ALL {
            SecurityEvent::new(kind).write();
        }
    });
    for (kind, record) in SecurityEventKind::ALL.iter().zip(&records) {
        assert_eq!(record["event"], kind.name());
        assert_eq!(record["level"], kind.level());
    }
    assert_eq!(records.len(), SecurityEventKind::ALL.len());
    let names: BTreeSet<_> = SecurityEventKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), SecurityEventKind::ALL.len());
}

#[test]
fn kinds_are_listed_in_the_order_of_their_slots() {
    for (slot, kind) in SecurityEventKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, slot);
    }
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "login_rate_limited has a field that it must not have")]
fn a_field_of_another_kind_is_a_mistake() {
    SecurityEvent::new(SecurityEventKind::LoginRateLimited).user(&"0198").write();
}

#[test]
fn a_flood_of_one_kind_is_counted_and_leaves_room_for_others() {
    let records = logged_json(|| {
        let (log, counted, start) = (SecurityLog::default(), SecurityEvents::default(), Instant::now());
        let failed = SecurityEvent::new(SecurityEventKind::LoginFailed).address(ADDRESS);
        for _ in 0..10_000 {
            log.record(&failed, &counted, start);
        }
        log.record(&SecurityEvent::new(SecurityEventKind::RefreshReused), &counted, start);
        log.record(&failed, &counted, start + Duration::from_secs(1));
        log.record(&failed, &counted, start + Duration::from_secs(1));
        assert_eq!(counted.kinds[SecurityEventKind::LoginFailed as usize].get(), 10_002);
    });
    let written = SECURITY_RECORDS_PER_SECOND as usize;
    assert_eq!(records.len(), written + 3);
    assert!(records[..written].iter().all(|record| record.get("suppressed").is_none()));
    assert_eq!(records[written]["event"], "refresh_reused");
    assert_eq!(records[written + 1]["suppressed"], 10_000 - written);
    assert_eq!(records[written + 2].get("suppressed"), None);
}
