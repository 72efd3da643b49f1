//! The embedded files, and what is decided from them without a database.

use super::*;
use std::{collections::BTreeSet, fs, path::Path};

fn applied(migration: &Migration) -> Recorded {
    Recorded {
        version: migration.version,
        name: migration.name.to_owned(),
        checksum: migration.checksum().to_vec(),
        applied_at: SystemTime::UNIX_EPOCH,
        compatible_from: Some(migration.compatible_from),
    }
}

#[test]
fn every_file_is_embedded_and_has_its_way_back() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let found: BTreeSet<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let embedded: BTreeSet<_> =
        MIGRATIONS.iter().flat_map(|one| [format!("{}.up.sql", one.name), format!("{}.down.sql", one.name)]).collect();
    assert_eq!(found, embedded);
}

#[test]
fn no_migration_ends_its_transaction() {
    for migration in MIGRATIONS {
        for sql in [migration.up, migration.down] {
            let code = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join(" ");
            for word in ["COMMIT", "ROLLBACK", "BEGIN", "CONCURRENTLY"] {
                assert!(!code.split_whitespace().any(|found| found == word), "{} says {word}", migration.name);
            }
        }
    }
}

#[test]
fn a_fresh_database_has_everything_pending() {
    let status = compare(MIGRATIONS, &[]);
    assert_eq!(status.pending.len(), MIGRATIONS.len());
    assert!(status.applied.is_empty() && status.unknown.is_empty() && status.changed.is_empty());
    assert!(verify(MIGRATIONS, &[]).is_ok());
}

#[test]
fn a_changed_file_is_told_from_a_newer_version_and_a_gap() {
    let mut recorded: Vec<_> = MIGRATIONS.iter().map(applied).collect();
    assert!(verify(MIGRATIONS, &recorded).is_ok());

    recorded[1].checksum[0] ^= 1;
    assert!(matches!(verify(MIGRATIONS, &recorded), Err(MigrateError::Changed(name)) if name == MIGRATIONS[1].name));
    assert_eq!(compare(MIGRATIONS, &recorded).changed.len(), 1);

    recorded.remove(1);
    assert!(matches!(verify(MIGRATIONS, &recorded), Err(MigrateError::Gap(name)) if name == MIGRATIONS[1].name));

    let newer = required_version() + 3;
    recorded.push(Recorded { version: newer, compatible_from: Some(newer), ..applied(&MIGRATIONS[0]) });
    let error = verify(MIGRATIONS, &recorded).unwrap_err();
    assert!(matches!(error, MigrateError::Newer { known, database } if database == known + 3));
    assert_eq!(compare(MIGRATIONS, &recorded).unknown.len(), 1);
}

#[test]
fn newer_schema_is_served_from_where_every_newer_migration_allows_it() {
    let highest = required_version();
    let with = |newer: &[Option<u32>]| {
        let newer = (highest + 1..).zip(newer);
        let newer =
            newer.map(|(version, &compatible_from)| Recorded { version, compatible_from, ..applied(&MIGRATIONS[0]) });
        verify(MIGRATIONS, &MIGRATIONS.iter().map(applied).chain(newer).collect::<Vec<_>>())
    };
    assert!(with(&[Some(highest)]).is_ok());
    assert!(with(&[Some(1), Some(highest)]).is_ok());
    assert!(matches!(with(&[Some(highest + 1)]), Err(MigrateError::Newer { .. })));
    assert!(matches!(with(&[Some(highest + 1), Some(highest)]), Err(MigrateError::Newer { .. })), "all of them count");
    assert!(matches!(with(&[None]), Err(MigrateError::Newer { .. })), "nothing is known of it");
}
