//! The user as every endpoint shows it.

use super::json;
use crate::account::{Status, UserId};

/// A user on its way out.
pub(super) struct User<'u> {
    pub(super) id: &'u UserId,
    pub(super) email: &'u str,
    pub(super) username: &'u str,
    pub(super) status: Status,
}

impl User<'_> {
    /// A buffer that holds it without growing.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192 + self.email.len() + self.username.len());
        self.write(&mut out);
        out
    }

    /// Appends it as a JSON object.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(self.id.encode(&mut [0; UserId::TEXT_BYTES]).as_bytes());
        out.extend_from_slice(b"\",\"email\":");
        json::write_string(self.email, out);
        out.extend_from_slice(b",\"username\":");
        json::write_string(self.username, out);
        out.extend_from_slice(b",\"status\":\"");
        out.extend_from_slice(self.status.as_str().as_bytes());
        out.extend_from_slice(b"\",\"created_at\":\"");
        json::write_time(self.id.unix_ms(), out);
        out.extend_from_slice(b"\"}");
    }
}
