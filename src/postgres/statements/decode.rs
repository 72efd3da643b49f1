//! What comes back in rows, as our own values. What the tables' own constraints rule out is not looked for twice.

use super::column::EPOCH_OFFSET_US;
use crate::account::{Status, id::Id};
use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

/// The 16 bytes of a `uuid` column.
#[derive(Debug)]
pub(in crate::postgres) struct RawUuid(pub(in crate::postgres) [u8; 16]);

impl<'a> FromSql<'a> for RawUuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(RawUuid(raw.try_into()?))
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::UUID
    }
}

impl ToSql for RawUuid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::UUID
    }

    to_sql_checked!();
}

/// A `timestamptz`, in milliseconds since 1970.
struct UnixMs(u64);

impl<'a> FromSql<'a> for UnixMs {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let us = i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH_OFFSET_US);
        Ok(UnixMs(u64::try_from(us)? / 1000))
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::TIMESTAMPTZ
    }
}

/// The place of the item that a row belongs to: its ordinal comes first.
pub(in crate::postgres) fn place(row: &Row) -> usize {
    let ordinal: i64 = row.get(0);
    usize::try_from(ordinal - 1).expect("PostgreSQL numbers the items from one")
}

pub(in crate::postgres) fn id<Of>(row: &Row, column: usize) -> Id<Of> {
    let RawUuid(bytes) = row.get(column);
    Id::stored(bytes)
}

pub(in crate::postgres) fn status(row: &Row, column: usize) -> Status {
    Status::try_from(row.get::<_, i16>(column)).expect("the table checks the status")
}

pub(in crate::postgres) fn unix_ms(row: &Row, column: usize) -> u64 {
    let UnixMs(unix_ms) = row.get(column);
    unix_ms
}

pub(in crate::postgres) fn seed(row: &Row, column: usize) -> [u8; 16] {
    row.get::<_, &[u8]>(column).try_into().expect("the table checks the length of seeds")
}

/// One outcome for each item, `None` for those of which there is no row.
pub(in crate::postgres) fn by_item<T>(length: usize, rows: &[Row], found: impl Fn(&Row) -> T) -> Vec<Option<T>> {
    let mut outcomes: Vec<Option<T>> = std::iter::repeat_with(|| None).take(length).collect();
    for row in rows {
        outcomes[place(row)] = Some(found(row));
    }
    outcomes
}
