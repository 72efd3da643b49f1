//! Headers as proxies send them, and everything that is nearly one.

use super::*;
use proptest::prelude::*;

const BYTES_MAX: usize = 1024;

fn client(text: &str) -> Announced {
    Announced::Client(text.parse().unwrap())
}

/// Parses what must be taken as a whole, with more behind it, and checks that no part of it says anything else.
#[track_caller]
fn whole(header: &[u8]) -> Announced {
    for length in 0..header.len() {
        assert_eq!(parse(&header[..length], BYTES_MAX), Ok(None), "{length} bytes of {header:?}");
    }
    for behind in [&b""[..], b"GET / HTTP/1.1\r\n", b"PROXY TCP4 ", b"\n", &[0xff; 300]] {
        let (announced, taken) = parse(&[header, behind].concat(), BYTES_MAX).unwrap().unwrap();
        assert_eq!(taken, header.len());
        assert_eq!(parse(header, BYTES_MAX), Ok(Some((announced, taken))));
    }
    parse(header, BYTES_MAX).unwrap().unwrap().0
}

/// A header of version 2 with this command, family and rest.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [V2_SIGNATURE, &[command, family], &length, rest].concat()
}

fn vector(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind], &u16::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat()
}

/// From 192.0.2.1 to 192.0.2.2.
const IPV4: [u8; 12] = [192, 0, 2, 1, 192, 0, 2, 2, 0x30, 0x39, 0x01, 0xbb];

/// From 2001:db8::1 to ::2.
fn ipv6() -> Vec<u8> {
    let source = "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets();
    let destination = "::2".parse::<Ipv6Addr>().unwrap().octets();
    [&source[..], &destination[..], &[0x30, 0x39, 0x01, 0xbb][..]].concat()
}

/// The header with this many bytes of vectors before its checksum, and the checksum right.
fn with_checksum(before: &[u8]) -> Vec<u8> {
    let mut header = binary(0x21, 0x11, &[&IPV4[..], before, &vector(TLV_CRC32C, &[0; 4])].concat());
    let sum = crc32c(header.iter().copied()).to_be_bytes();
    let place = header.len() - 4;
    header[place..].copy_from_slice(&sum);
    header
}

#[test]
fn lines_of_version_1_name_the_client() {
    for (line, announced) in [
        ("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", client("192.168.0.1")),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", client("255.255.255.255")),
        ("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", client("0.0.0.0")),
        ("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", client("2001:db8::1")),
        ("PROXY TCP6 2001:DB8:0:0:0:0:0:1 :: 1 2\r\n", client("2001:db8::1")),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.8 1 2\r\n", client("192.0.2.7")),
        ("PROXY UNKNOWN\r\n", Announced::Peer),
        ("PROXY UNKNOWN \r\n", Announced::Peer),
        ("PROXY UNKNOWN whatever  this \0 is\r\n", Announced::Peer),
        (
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            Announced::Peer,
        ),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 65535\r\n",
            client("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ),
    ] {
        assert_eq!(whole(line.as_bytes()), announced, "{line}");
    }
}

#[test]
fn lines_that_are_nearly_of_version_1_are_refused() {
    use ProxyHeaderError::*;
    let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_LINE_BYTES_MAX - 15));
    for (line, error) in [
        ("GET / HTTP/1.1\r\n", Missing),
        ("PROXY\r\n", Missing),
        ("PROXYTCP4 1.1.1.1 1.1.1.1 1 1\r\n", Missing),
        ("proxy TCP4 1.1.1.1 1.1.1.1 1 1\r\n", Missing),
        (" PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n", Missing),
        ("PROXY \r\n", Line),
        ("PROXY  TCP4 1.1.1.1 1.1.1.1 1 1\r\n", Line),
        ("PROXY TCP4  1.1.1.1 1.1.1.1 1 1\r\n", Line),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 \r\n", Line),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1 1\r\n", Line),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", Line),
        ("PROXY TCP4\r\n", Line),
        ("PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n", Line),
        ("PROXY tcp4 1.1.1.1 1.1.1.1 1 1\r\n", Line),
        ("PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", Line),
        ("PROXY UNKNOWNS\r\n", Line),
        ("PROXY TCP4\t1.1.1.1 1.1.1.1 1 1\r\n", Line),
        ("PROXY TCP4 ::1 1.1.1.1 1 1\r\n", Address),
        ("PROXY TCP4 1.1.1.1 ::1 1 1\r\n", Address),
        ("PROXY TCP6 1.1.1.1 1.1.1.1 1 1\r\n", Address),
        ("PROXY TCP4 1.1.1 1.1.1.1 1 1\r\n", Address),
        ("PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", Address),
        ("PROXY TCP4 256.1.1.1 1.1.1.1 1 1\r\n", Address),
        ("PROXY TCP4 localhost 1.1.1.1 1 1\r\n", Address),
        ("PROXY TCP6 ::1%lo ::1 1 1\r\n", Address),
        ("PROXY TCP6 [::1] ::1 1 1\r\n", Address),
        ("PROXY TCP6 1::2::3 ::1 1 1\r\n", Address),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n", Port),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 65536\r\n", Port),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 01 1\r\n", Port),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 00 1\r\n", Port),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 +1 1\r\n", Port),
        ("PROXY TCP4 1.1.1.1 1.1.1.1  1\r\n", Port),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n", LineEnding),
        ("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\rG", LineEnding),
        ("PROXY TCP4 1.1.1.1\n1.1.1.1 1 1\r\n", LineEnding),
        ("PROXY UNKNOWN \r \r\n", LineEnding),
        ("PROXY UNKNOWN \n\r\n", LineEnding),
        (&long, LineEnding),
    ] {
        assert_eq!(parse(line.as_bytes(), BYTES_MAX), Err(error), "{line:?}");
    }
    // Exactly as long as a line may be, and the same without an end.
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_LINE_BYTES_MAX - 16));
    assert_eq!((whole(longest.as_bytes()), longest.len()), (Announced::Peer, V1_LINE_BYTES_MAX));
    assert_eq!(parse(&[b"PROXY UNKNOWN ", &[b'x'; 92][..]].concat(), BYTES_MAX), Ok(None));
    assert_eq!(parse(&[b"PROXY UNKNOWN ", &[b'x'; 93][..]].concat(), BYTES_MAX), Err(LineEnding));
    assert_eq!(parse(&[b"PROXY UNKNOWN ", &[b'x'; 92][..], b"\r"].concat(), BYTES_MAX), Err(LineEnding));
}

#[test]
fn headers_of_version_2_name_the_client() {
    let vectors = [vector(0x01, b"h2"), vector(0x04, &[0; 9]), vector(0xee, b""), vector(0x20, &[1; 40])].concat();
    assert_eq!(whole(&binary(0x21, 0x11, &IPV4)), client("192.0.2.1"));
    assert_eq!(whole(&binary(0x21, 0x11, &[&IPV4[..], &vectors].concat())), client("192.0.2.1"));
    assert_eq!(whole(&binary(0x21, 0x21, &ipv6())), client("2001:db8::1"));
    assert_eq!(whole(&binary(0x21, 0x21, &[ipv6(), vectors.clone()].concat())), client("2001:db8::1"));
    let mapped = "::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets();
    assert_eq!(whole(&binary(0x21, 0x21, &[&mapped[..], &[0; 20][..]].concat())), client("192.0.2.7"));
}

#[test]
fn what_no_address_speaks_for_is_the_peers_own() {
    let junk = [0xff_u8; 7];
    for header in [
        binary(0x20, 0x00, b""),
        binary(0x20, 0x00, &junk),
        binary(0x20, 0x11, &IPV4),
        // A family is ignored in LOCAL, even one that does not exist.
        binary(0x20, 0xff, &junk),
        binary(0x21, 0x00, b""),
        binary(0x21, 0x00, &junk),
        binary(0x21, 0x12, &IPV4),
        binary(0x21, 0x22, &ipv6()),
        binary(0x21, 0x31, &[0; 216]),
        binary(0x21, 0x32, &[b'/'; 216]),
    ] {
        assert_eq!(whole(&header), Announced::Peer, "{header:?}");
    }
}

#[test]
fn headers_that_are_nearly_of_version_2_are_refused() {
    use ProxyHeaderError::*;
    let with = |vectors: &[u8]| binary(0x21, 0x11, &[&IPV4[..], vectors].concat());
    let mut wrong_signature = binary(0x21, 0x11, &IPV4);
    wrong_signature[11] = b'\r';
    for (header, error) in [
        (wrong_signature, Missing),
        (binary(0x11, 0x11, &IPV4), Command),
        (binary(0x31, 0x11, &IPV4), Command),
        (binary(0x22, 0x11, &IPV4), Command),
        (binary(0x2f, 0x00, b""), Command),
        (binary(0x21, 0x10, &IPV4), Family),
        (binary(0x21, 0x01, &IPV4), Family),
        (binary(0x21, 0x13, &IPV4), Family),
        (binary(0x21, 0x41, &[0; 216]), Family),
        (binary(0x21, 0x11, b""), TooShort),
        (binary(0x21, 0x11, &IPV4[..3]), TooShort),
        (binary(0x21, 0x11, &IPV4[..11]), TooShort),
        (binary(0x21, 0x21, &ipv6()[..15]), TooShort),
        (binary(0x21, 0x21, &ipv6()[..35]), TooShort),
        (binary(0x21, 0x31, &[0; 215]), TooShort),
        (with(&[1]), Vector),
        (with(&[1, 0]), Vector),
        (with(&[1, 0, 1]), Vector),
        (with(&[1, 0xff, 0xff, 0]), Vector),
        (with(&vector(TLV_CRC32C, &[0; 4])), Checksum),
        (with(&vector(TLV_CRC32C, &[0; 3])), Checksum),
        (binary(0x21, 0x11, &[0; BYTES_MAX]), TooLong),
    ] {
        assert_eq!(parse(&header, BYTES_MAX), Err(error), "{header:?}");
    }
    // As soon as the length is known, not once so much has come.
    assert_eq!(parse(&binary(0x20, 0x00, &[0; BYTES_MAX])[..16], BYTES_MAX), Err(TooLong));
    assert_eq!(whole(&binary(0x20, 0x00, &[0; BYTES_MAX - 16])), Announced::Peer);
}

#[test]
fn checksums_are_verified_where_there_are_any() {
    // The check value of the algorithm, and RFC 3720 appendix B.4.
    assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    assert_eq!(crc32c([0; 32].into_iter()), 0x8a91_36aa);
    for before in [Vec::new(), vector(0x04, &[7; 33])] {
        let header = with_checksum(&before);
        assert_eq!(whole(&header), client("192.0.2.1"));
        // Behind the length, which decides where the header ends; but for the kind that makes it a checksum.
        for at in (V2_FIXED_BYTES..header.len()).filter(|at| *at != header.len() - 7) {
            for bit in 0..8 {
                let mut wrong = header.clone();
                wrong[at] ^= 1 << bit;
                assert!(parse(&wrong, BYTES_MAX).is_err(), "bit {bit} of byte {at}");
            }
        }
    }
    let once = vector(TLV_CRC32C, &[0; 4]);
    assert_eq!(parse(&with_checksum(&once), BYTES_MAX), Err(ProxyHeaderError::Checksum), "two of them");
}

proptest! {
    /// Whatever comes, however it is cut: an answer, the same for all that follows, and within what was read.
    #[test]
    fn mutated_headers_never_panic_nor_change_their_answer(
        choice in 0_usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        behind in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut header = match choice {
            0 => b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec(),
            1 => b"PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 1 65535\r\n".to_vec(),
            2 => b"PROXY UNKNOWN x\r\n".to_vec(),
            3 => binary(0x21, 0x11, &[&IPV4[..], &vector(0x01, b"h2")].concat()),
            4 => binary(0x21, 0x21, &[ipv6(), vector(0x20, &[3; 20])].concat()),
            _ => with_checksum(&vector(0x04, b"x")),
        };
        for (at, byte) in changes {
            let at = at.index(header.len());
            header[at] = byte;
        }
        header.extend(&behind);
        let all = parse(&header, BYTES_MAX);
        if let Ok(Some((_, taken))) = all {
            prop_assert!(taken <= header.len());
            prop_assert_eq!(parse(&header[..taken], BYTES_MAX), all);
        }
        let part = parse(&header[..cut.index(header.len() + 1)], BYTES_MAX);
        prop_assert!(part == Ok(None) || part == all, "{:?} became {:?}", part, all);
    }

    #[test]
    fn random_bytes_never_panic_behind_a_signature(bytes in prop::collection::vec(any::<u8>(), 0..400), v2: bool) {
        let signature = if v2 { V2_SIGNATURE } else { V1_SIGNATURE };
        let buf = [signature, &bytes].concat();
        if let Ok(Some((_, taken))) = parse(&buf, BYTES_MAX) {
            prop_assert!(taken <= buf.len());
        }
    }
}
