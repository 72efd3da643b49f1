//! One array parameter of a batched statement, encoded from the items straight into the wire buffer.
//! Never copies a value into an array of its own first.

use crate::postgres::statements::Sent;
use bytes::{BufMut, BytesMut};
use std::{error::Error, fmt};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// Microseconds from PostgreSQL's epoch, 2000-01-01, back to 1970.
const EPOCH_OFFSET_US: i64 = 946_684_800_000_000;

/// How one value of a column is written.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Int2(i16),
    Text(&'a str),
    Uuid(&'a [u8; 16]),
    Bytes(&'a [u8]),
    /// Milliseconds since 1970.
    Time(u64),
}

/// A column of a batch: one value for each item.
pub(super) struct Column<'a, I> {
    pub(super) items: &'a [Sent<'a, I>],
    pub(super) element: Type,
    pub(super) value: for<'b> fn(&'b I) -> Value<'b>,
}

impl<I> fmt::Debug for Column<'_, I> {
    // Values are personal data: they stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.items.len(), self.element)
    }
}

impl<I> ToSql for Column<'_, I> {
    /// The binary form of a one-dimensional array without nulls (PostgreSQL's `array_recv`).
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let length = i32::try_from(self.items.len())?;
        out.put_i32(1);
        out.put_i32(0);
        out.put_u32(self.element.oid());
        out.put_i32(length);
        out.put_i32(1);
        for sent in self.items {
            match (self.value)(sent.item) {
                Value::Int2(value) => {
                    out.put_i32(2);
                    out.put_i16(value);
                }
                Value::Text(text) => put_bytes(out, text.as_bytes())?,
                Value::Uuid(bytes) => put_bytes(out, bytes)?,
                Value::Bytes(bytes) => put_bytes(out, bytes)?,
                Value::Time(unix_ms) => {
                    out.put_i32(8);
                    out.put_i64(i64::try_from(unix_ms)? * 1000 - EPOCH_OFFSET_US);
                }
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn put_bytes(out: &mut BytesMut, bytes: &[u8]) -> Result<(), Box<dyn Error + Sync + Send>> {
    out.put_i32(i32::try_from(bytes.len())?);
    out.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<I>(items: &[I], element: Type, value: for<'b> fn(&'b I) -> Value<'b>) -> Vec<u8> {
        let sent: Vec<_> = items.iter().map(|item| Sent { place: 0, item, uncertain: false }).collect();
        let mut out = BytesMut::new();
        let column = Column { items: &sent, element, value };
        column.to_sql(&Type::ANY, &mut out).expect("these values can be written");
        out.to_vec()
    }

    fn by_library(values: &impl ToSql, array: &Type) -> Vec<u8> {
        let mut out = BytesMut::new();
        values.to_sql(array, &mut out).expect("these values can be written");
        out.to_vec()
    }

    #[test]
    fn text_and_integers_are_written_as_the_library_writes_them() {
        let texts = vec!["a".to_owned(), String::new(), "\u{e9}\u{1f600}".to_owned()];
        assert_eq!(encoded(&texts, Type::TEXT, |text| Value::Text(text)), by_library(&texts, &Type::TEXT_ARRAY));
        let numbers = vec![0i16, -1, 4095];
        assert_eq!(encoded(&numbers, Type::INT2, |n| Value::Int2(*n)), by_library(&numbers, &Type::INT2_ARRAY));
        let bytes = vec![vec![0u8, 255], vec![]];
        assert_eq!(encoded(&bytes, Type::BYTEA, |b| Value::Bytes(b)), by_library(&bytes, &Type::BYTEA_ARRAY));
    }

    #[test]
    fn time_is_written_as_the_library_writes_it() {
        let unix_ms = 1_795_500_000_123u64;
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(unix_ms);
        assert_eq!(
            encoded(&[unix_ms], Type::TIMESTAMPTZ, |ms| Value::Time(*ms)),
            by_library(&vec![time], &Type::TIMESTAMPTZ_ARRAY)
        );
    }
}
