//! What must hold for every head, however it is cut or garbled.

use proptest::prelude::*;

use super::*;

/// A valid request, as text and as what must be read from it.
fn requests() -> impl Strategy<Value = (Vec<u8>, bool, u64)> {
    let name = "X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}";
    let value = "([!-~]([ -~]{0,40}[!-~])?)?";
    let fields = prop::collection::vec((name, value, "[ \t]{0,2}"), 0..40);
    (fields, "(/[a-z0-9._~-]{0,8}){1,4}(\\?[a-z=&]{0,8})?", any::<bool>(), any::<u64>()).prop_map(
        |(fields, target, close, length)| {
            let mut text = format!("PUT {target} HTTP/1.1\r\nContent-Length: {length}\r\n");
            for (name, value, space) in fields {
                text += &format!("{name}:{space}{value}{space}\r\n");
            }
            let fate = if close { "close" } else { "keep-alive" };
            text += &format!("Host: example.com\r\nConnection: {fate}\r\n\r\n");
            (text.into_bytes(), !close, length)
        },
    )
}

proptest! {
    #[test]
    fn a_valid_head_reads_the_same_however_it_is_cut(
        (bytes, keep_alive, length) in requests(),
        behind in prop::collection::vec(any::<u8>(), 0..20),
        step in 1..200_usize,
    ) {
        let mut all = bytes.clone();
        all.extend_from_slice(&behind);
        let (head, len) = parse_whole(&all).unwrap().unwrap();
        prop_assert_eq!(len, bytes.len());
        prop_assert_eq!(head.keep_alive, keep_alive);
        prop_assert_eq!(head.framing, BodyFraming::Length(length));
        prop_assert_eq!(in_pieces(&all, step), Ok(Some((head, len))));
        for end in 0..bytes.len() {
            prop_assert_eq!(parse_whole(&bytes[..end]), Ok(None));
        }
    }

    #[test]
    fn a_garbled_head_reads_the_same_however_it_is_cut(
        (mut bytes, ..) in requests(),
        garbling in prop::collection::vec((any::<prop::sample::Index>(), garbage()), 1..4),
        step in 1..200_usize,
    ) {
        for (at, byte) in garbling {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        // Without an end the pieces may still wait where the whole is refused already; they are never let through.
        let pieces = in_pieces(&bytes, step);
        match parse_whole(&bytes) {
            Ok(parsed) => prop_assert_eq!(pieces, Ok(parsed)),
            Err(_) => prop_assert!(!matches!(pieces, Ok(Some(_)))),
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1..50_usize) {
        let _ = parse_whole(&bytes);
        let _ = in_pieces(&bytes, step);
    }
}

fn garbage() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n\0 \t:,;%?#/\\"[..])]
}
