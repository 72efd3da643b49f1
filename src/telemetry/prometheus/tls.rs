//! The families of TLS with clients.

use super::{COUNTER, GAUGE, Page};
use crate::telemetry::{
    snapshot::Snapshot,
    tls::{CertificateFigures, TlsFailure, TlsHandshake},
};

impl Page {
    pub(super) fn tls(&mut self, snapshot: &Snapshot, certificate: CertificateFigures) {
        let name = "jeday_tls_handshakes_total";
        self.family(name, COUNTER, "TLS handshakes with clients, by version, from the beginning or resumed.");
        for ((_, version, kind), count) in TlsHandshake::ALL.iter().zip(&snapshot.tls_shaken) {
            self.value(name, &[("version", *version), ("kind", *kind)], *count);
        }
        let name = "jeday_tls_handshake_failures_total";
        self.family(name, COUNTER, "TLS handshakes that did not come about, by reason.");
        for ((_, reason), count) in TlsFailure::ALL.iter().zip(&snapshot.tls_failed) {
            self.value(name, &[("reason", *reason)], *count);
        }
        let name = "jeday_tls_certificate_not_after_seconds";
        self.family(name, GAUGE, "When the certificate is no longer valid, in Unix time.");
        self.value(name, &[], certificate.not_after);
        let name = "jeday_tls_certificate_reloads_total";
        self.family(
            name,
            COUNTER,
            "Signals to read certificate and key again: followed, or refused for what was found.",
        );
        self.value(name, &[("result", "done")], certificate.reloaded);
        self.value(name, &[("result", "refused")], certificate.refused);
    }
}
