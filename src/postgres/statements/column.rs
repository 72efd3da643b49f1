//! One array parameter of a batched statement, encoded from the items straight into the wire buffer.
//! Never copies a value into an array of its own first.

use crate::postgres::statements::Sent;
use bytes::{BufMut, BytesMut};
use std::{error::Error, fmt, net::IpAddr, time::Duration};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// Microseconds from PostgreSQL's epoch, 2000-01-01, back to 1970.
pub(super) const EPOCH_OFFSET_US: i64 = 946_684_800_000_000;

/// How `inet` names the two families (PostgreSQL's `utils/inet.h`), on every platform.
const INET_V4: u8 = 2;
const INET_V6: u8 = 3;

/// How one value of a column is written.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Text(&'a str),
    Uuid(&'a [u8; 16]),
    Bytes(&'a [u8]),
    /// Milliseconds since 1970.
    Time(u64),
    /// An `interval`, of which PostgreSQL keeps microseconds.
    Span(Duration),
    Address(IpAddr),
}

impl<'a> Value<'a> {
    /// A text that may be missing.
    pub(super) fn text(text: Option<&'a str>) -> Value<'a> {
        text.map_or(Value::Null, Value::Text)
    }
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
    /// The binary form of a one-dimensional array (PostgreSQL's `array_recv`).
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let length = i32::try_from(self.items.len())?;
        out.put_i32(1);
        // Whether there are nulls: a hint, which the server checks for itself.
        out.put_i32(1);
        out.put_u32(self.element.oid());
        out.put_i32(length);
        out.put_i32(1);
        for sent in self.items {
            match (self.value)(sent.item) {
                Value::Null => out.put_i32(-1),
                Value::Bool(value) => {
                    out.put_i32(1);
                    out.put_u8(u8::from(value));
                }
                Value::Int2(value) => {
                    out.put_i32(2);
                    out.put_i16(value);
                }
                Value::Int4(value) => {
                    out.put_i32(4);
                    out.put_i32(value);
                }
                Value::Text(text) => put_bytes(out, text.as_bytes())?,
                Value::Uuid(bytes) => put_bytes(out, bytes)?,
                Value::Bytes(bytes) => put_bytes(out, bytes)?,
                Value::Time(unix_ms) => {
                    out.put_i32(8);
                    out.put_i64(i64::try_from(unix_ms)? * 1000 - EPOCH_OFFSET_US);
                }
                Value::Span(span) => {
                    out.put_i32(16);
                    out.put_i64(i64::try_from(span.as_micros())?);
                    // No days and no months: those have no fixed length.
                    out.put_i64(0);
                }
                Value::Address(IpAddr::V4(address)) => put_address(out, INET_V4, &address.octets()),
                Value::Address(IpAddr::V6(address)) => put_address(out, INET_V6, &address.octets()),
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

/// A host's address: family, all bits of the netmask, not a network, and the bytes (PostgreSQL's `network_recv`).
fn put_address<const N: usize>(out: &mut BytesMut, family: u8, octets: &[u8; N]) {
    out.put_i32(4 + N as i32);
    out.extend_from_slice(&[family, 8 * N as u8, 0, N as u8]);
    out.extend_from_slice(octets);
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
        let mut written = out.to_vec();
        written[7] = 1; // It says whether there are nulls; here there may always be some.
        written
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
    fn nulls_and_addresses_are_written_as_the_library_writes_them() {
        let texts = vec![Some("a"), None, Some("")];
        assert_eq!(encoded(&texts, Type::TEXT, |text| Value::text(*text)), by_library(&texts, &Type::TEXT_ARRAY));
        let numbers = vec![0i32, -1, i32::MAX];
        assert_eq!(encoded(&numbers, Type::INT4, |n| Value::Int4(*n)), by_library(&numbers, &Type::INT4_ARRAY));
        let addresses: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        assert_eq!(
            encoded(&addresses, Type::INET, |address| Value::Address(*address)),
            by_library(&addresses, &Type::INET_ARRAY)
        );
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
