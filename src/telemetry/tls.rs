//! What is counted of TLS with clients.

use super::counters::Counter;

/// A handshake that came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsHandshake {
    /// TLS 1.2, from the beginning.
    Full12,
    /// TLS 1.2, by a ticket of an earlier session.
    Resumed12,
    /// TLS 1.3, from the beginning.
    Full13,
    /// TLS 1.3, by a ticket of an earlier session.
    Resumed13,
}

impl TlsHandshake {
    /// With the labels `version` and `kind`.
    pub(super) const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Full12, "1.2", "full"),
        (Self::Resumed12, "1.2", "resumed"),
        (Self::Full13, "1.3", "full"),
        (Self::Resumed13, "1.3", "resumed"),
    ];
}

/// Why a handshake did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// It took longer than a header may.
    Timeout,
    /// The client closed or reset its connection.
    Closed,
    /// What came is not TLS, as from a client that speaks plain HTTP.
    NotTls,
    /// The client speaks no version, or no cipher suite, that the server speaks.
    Incompatible,
    /// The client offers protocols over TLS, but not HTTP/1.1.
    NoApplicationProtocol,
    /// The client refused, as when it does not trust the certificate.
    Alert,
    /// The client broke the protocol in another way.
    Other,
}

impl TlsFailure {
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::Timeout, "timeout"),
        (Self::Closed, "closed"),
        (Self::NotTls, "not_tls"),
        (Self::Incompatible, "incompatible"),
        (Self::NoApplicationProtocol, "no_application_protocol"),
        (Self::Alert, "alert"),
        (Self::Other, "other"),
    ];
}

/// Handshakes with one shard's clients.
#[derive(Debug, Default)]
pub struct Tls {
    pub(super) shaken: [Counter; TlsHandshake::ALL.len()],
    pub(super) failed: [Counter; TlsFailure::ALL.len()],
}

impl Tls {
    /// Counts a handshake.
    #[inline]
    pub fn shaken(&self, handshake: TlsHandshake) {
        self.shaken[handshake as usize].inc();
    }

    /// Counts a handshake that failed.
    #[inline]
    pub fn failed(&self, failure: TlsFailure) {
        self.failed[failure as usize].inc();
    }
}

/// What the certificate is like now. No shard counts it: whoever renders a page asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct CertificateFigures {
    /// When it is no longer valid, in seconds since 1970.
    pub not_after: u64,
    /// How often it was exchanged for what its files had become.
    pub reloaded: u64,
    /// How often the files could not be used, and it stayed.
    pub refused: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_and_failures_are_listed_in_the_order_of_their_slots() {
        for (slot, (handshake, ..)) in TlsHandshake::ALL.into_iter().enumerate() {
            assert_eq!(handshake as usize, slot);
        }
        for (slot, (failure, _)) in TlsFailure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, slot);
        }
    }
}
