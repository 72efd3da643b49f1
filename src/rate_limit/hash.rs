//! Where a key belongs in the tables, by a hash that nobody outside the process can compute. Keeps nothing it hashes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;

/// Length of the key in bytes, as HMAC-SHA-256 has it (RFC 2104 section 3).
pub const HASH_KEY_BYTES: usize = 32;

/// HMAC-SHA-256 with its key in place. A table needs nothing that strong, but an attempt to log in costs a thousand
/// times more, and registration uses the same for buckets.
pub(super) struct Hasher {
    keyed: Hmac<Sha256>,
}

impl Hasher {
    pub(super) fn new(key: &[u8; HASH_KEY_BYTES]) -> Self {
        Self { keyed: Hmac::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 section 3)") }
    }

    pub(super) fn account(&self, account: &[u8]) -> u64 {
        self.hash(&[b"account", account])
    }

    pub(super) fn address(&self, address: IpAddr) -> u64 {
        self.hash(&[b"address", &network(address)])
    }

    /// The account from this address. The parts have fixed lengths but for the last, so that no two pairs look alike.
    pub(super) fn account_at(&self, account: &[u8], address: IpAddr) -> u64 {
        self.hash(&[b"at", &network(address), account])
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut keyed = self.keyed.clone();
        parts.iter().for_each(|part| keyed.update(part));
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(keyed.finalize().into_bytes());
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Whom an address stands for. An IPv6 host has a whole /64 (RFC 4291 section 2.5.4) and may take a new address for
/// each connection (RFC 8981).
pub fn network(address: IpAddr) -> [u8; 9] {
    let mut network = [0; 9];
    match address.to_canonical() {
        IpAddr::V4(address) => {
            network[0] = 4;
            network[1..5].copy_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            network[0] = 6;
            network[1..].copy_from_slice(&address.octets()[..8]);
        }
    }
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_is_its_network_and_an_ipv4_host_its_address() {
        let hasher = Hasher::new(&[7; HASH_KEY_BYTES]);
        let hash = |address: &str| hasher.address(address.parse().unwrap());
        assert_eq!(hash("2001:db8:0:1::1"), hash("2001:db8:0:1:ffff::"));
        assert_ne!(hash("2001:db8:0:1::1"), hash("2001:db8:0:2::1"));
        assert_eq!(hash("192.0.2.1"), hash("::ffff:192.0.2.1"));
        assert_ne!(hash("192.0.2.1"), hash("192.0.2.2"));
    }

    #[test]
    fn what_is_hashed_depends_on_the_key_and_on_its_kind() {
        let (one, other) = (Hasher::new(&[1; HASH_KEY_BYTES]), Hasher::new(&[2; HASH_KEY_BYTES]));
        let address = "192.0.2.1".parse().unwrap();
        assert_ne!(one.account(b"a@example.com"), other.account(b"a@example.com"));
        assert_ne!(one.account(b"a"), one.account_at(b"a", address));
        assert_ne!(one.address(address), one.account_at(b"", address));
    }
}
