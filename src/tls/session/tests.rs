//! A session against a client in the same process: whatever the pieces, in order, and within bounds.

use super::*;
use crate::tls::Certificates;
use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{
    fs,
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    sync::LazyLock,
};
use tempfile::TempDir;

struct Sides {
    certificates: Arc<Certificates>,
    clients: [Arc<ClientConfig>; 2],
}

static SIDES: LazyLock<Sides> = LazyLock::new(|| {
    let files = TempDir::new().unwrap();
    let (certificate, key) = (files.path().join("crt"), files.path().join("key"));
    let pair = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    fs::write(&certificate, signed.pem()).unwrap();
    fs::write(&key, pair.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let client = |version: &'static SupportedProtocolVersion| {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(signed.pem().as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Arc::new(config)
    };
    let certificates = Arc::new(Certificates::load(&certificate, &key).unwrap());
    Sides { certificates, clients: [client(&TLS12), client(&TLS13)] }
});

/// A client and a session, and nothing between them.
struct Pair {
    client: ClientConnection,
    session: Session,
    /// Lengths of the pieces in which bytes cross over, again and again.
    pieces: Vec<usize>,
    crossed: usize,
    /// What the session has got.
    got: Vec<u8>,
}

impl Pair {
    fn new(version: usize, pieces: Vec<usize>) -> Pair {
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(SIDES.clients[version].clone(), name).unwrap();
        let session = SIDES.certificates.view().session().unwrap();
        Pair { client, session, pieces, crossed: 0, got: Vec::new() }
    }

    fn shaken(version: usize, pieces: Vec<usize>) -> Pair {
        let mut pair = Pair::new(version, pieces);
        while pair.client.is_handshaking() || pair.session.is_handshaking() {
            pair.cross().unwrap();
        }
        pair
    }

    fn piece(&mut self) -> usize {
        self.crossed += 1;
        self.pieces[self.crossed % self.pieces.len()]
    }

    /// Moves everything that either has to say, until neither has.
    fn cross(&mut self) -> Result<(), Error> {
        loop {
            let mut records = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut records).unwrap();
            }
            let is_quiet = records.is_empty() && self.session.outgoing().is_empty();
            let mut rest = &records[..];
            while !rest.is_empty() {
                let piece = self.piece();
                let room = self.session.room()?;
                let count = piece.min(room.len()).min(rest.len());
                room[..count].copy_from_slice(&rest[..count]);
                rest = &rest[count..];
                let received = self.session.received(count);
                self.take();
                received?;
            }
            while !self.session.outgoing().is_empty() {
                let piece = self.piece();
                let outgoing = self.session.outgoing();
                let mut now = &outgoing[..piece.min(outgoing.len())];
                let count = self.client.read_tls(&mut now).unwrap();
                self.session.sent(count);
                self.client.process_new_packets().unwrap();
            }
            if is_quiet {
                return Ok(());
            }
        }
    }

    fn take(&mut self) {
        while self.session.has_plain() {
            let mut buffer = vec![0; self.piece()];
            let count = self.session.take(&mut buffer);
            assert!(count > 0);
            self.got.extend_from_slice(&buffer[..count]);
        }
    }

    /// Sends this as a client does.
    fn say(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8 << 10) {
            self.client.writer().write_all(part).unwrap();
            self.cross().unwrap();
        }
    }

    /// What the client reads.
    fn heard(&mut self, count: usize) -> Vec<u8> {
        let mut heard = vec![0; count];
        self.client.reader().read_exact(&mut heard).unwrap();
        heard
    }

    fn assert_holds_nothing(&self) {
        let Session { incoming, plain, outgoing, .. } = &self.session;
        assert_eq!([incoming.capacity(), plain.capacity(), outgoing.capacity()], [0; 3]);
    }
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..8_usize, 100..2_000_usize, 10_000..20_000_usize], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sent_arrives_however_it_is_cut(
        version in 0..2_usize,
        pieces in pieces(),
        request in prop::collection::vec(any::<u8>(), 1..40_000),
        reply in prop::collection::vec(any::<u8>(), 1..40_000),
    ) {
        let mut pair = Pair::shaken(version, pieces);
        pair.say(&request);
        prop_assert_eq!(&pair.got, &request);
        for part in reply.chunks(30_000) {
            pair.session.encrypt(part).unwrap();
            pair.cross().unwrap();
            prop_assert_eq!(&pair.heard(part.len()), part);
        }
        pair.assert_holds_nothing();
    }

    #[test]
    fn no_bytes_make_it_panic_or_hold_more_than_its_bound(
        version in 0..2_usize,
        after_handshake in any::<bool>(),
        noise in prop::collection::vec(any::<u8>(), 1..60_000),
        header in prop::option::of((20..25_u8, 0..20_000_u16)),
    ) {
        let mut pair = if after_handshake { Pair::shaken(version, vec![4_000]) } else { Pair::new(version, vec![1]) };
        let mut bytes = noise;
        // A record as it should be outside leads further in.
        if let Some((kind, length)) = header {
            let [high, low] = length.to_be_bytes();
            bytes.splice(..0, [kind, 3, 3, high, low]);
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let Ok(room) = pair.session.room() else { break };
            let count = room.len().min(rest.len());
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            if pair.session.received(count).is_err() {
                break;
            }
            prop_assert!(pair.session.incoming.len() <= TLS_INPUT_BYTES_MAX);
        }
        prop_assert!(pair.got.is_empty());
        pair.session.close();
    }
}

#[test]
fn used_records_leave_nothing_behind() {
    for version in 0..2 {
        let mut pair = Pair::shaken(version, vec![usize::MAX]);
        for word in [b"a password".as_slice(), b"another"] {
            pair.client.writer().write_all(word).unwrap();
        }
        let mut records = Vec::new();
        pair.client.write_tls(&mut records).unwrap();
        // The first whole, and of the second some bytes, so that the buffer stays.
        let first = records.len() - 5;
        pair.session.room().unwrap()[..first].copy_from_slice(&records[..first]);
        pair.session.received(first).unwrap();
        let Session { incoming, filled, .. } = &pair.session;
        assert!(*filled > 0 && incoming[*filled..].iter().all(|byte| *byte == 0));
        assert!(pair.session.is_amid_record() && pair.session.has_plain());
    }
}

#[test]
fn a_client_may_change_its_keys_and_ask_for_ours() {
    let mut pair = Pair::shaken(1, vec![7]);
    for round in 0..3_u8 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.say(&[round]);
        pair.session.encrypt(&[round]).unwrap();
        pair.cross().unwrap();
        assert_eq!(pair.heard(1), [round]);
    }
    assert_eq!(pair.got, [0, 1, 2]);
}

#[test]
fn replies_go_on_after_the_client_has_said_its_last_word() {
    let mut pair = Pair::shaken(1, vec![9]);
    pair.say(b"request");
    pair.client.send_close_notify();
    pair.cross().unwrap();
    assert!(pair.session.has_ended() && pair.got == b"request");
    pair.session.encrypt(b"reply").unwrap();
    pair.session.close();
    pair.cross().unwrap();
    assert_eq!(pair.heard(5), b"reply");
    assert_eq!(pair.client.reader().read(&mut [0]).unwrap(), 0, "an orderly end");
    assert!(pair.session.encrypt(b"more").is_err());
}

#[test]
fn a_session_that_fails_has_an_alert_to_send() {
    let mut pair = Pair::new(1, vec![1]);
    let request = b"GET / HTTP/1.1\r\n\r\n";
    pair.session.room().unwrap()[..request.len()].copy_from_slice(request);
    let error = pair.session.received(request.len()).unwrap_err();
    assert_eq!(failure_of(&error), TlsFailure::NotTls);
    // RFC 8446 section 5.1: content type 21 is an alert; section 6: level 2 is fatal.
    assert_eq!((pair.session.outgoing()[0], pair.session.outgoing()[5]), (21, 2));
    let told = pair.session.outgoing().len();
    pair.session.close();
    assert_eq!(pair.session.outgoing().len(), told, "nothing follows a fatal alert");
}
