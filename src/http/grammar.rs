//! Character classes of RFC 9110 section 5.6 and RFC 3986, as tables; and the splitting of list fields.
//! Holds no rule of its own: which class applies where is decided by the callers.

/// Bit of a byte that may stand in a token (RFC 9110 section 5.6.2).
const TOKEN: u8 = 1;
/// Bit of a byte that may stand unescaped in a path (`pchar` and `/`, RFC 3986 section 3.3).
const PATH: u8 = 1 << 1;
/// Bit of a byte that needs no escape anywhere in a URI (RFC 3986 section 2.3).
const UNRESERVED: u8 = 1 << 2;
/// Bit of a byte that may stand in a registered name (RFC 3986 section 3.2.2).
const REG_NAME: u8 = 1 << 3;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0_u8; 256];
    let mut byte = 0_usize;
    while byte < 128 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() {
            table[byte] = TOKEN | PATH | UNRESERVED | REG_NAME;
        }
        byte += 1;
    }
    table = with(table, b"!#$%&'*+-.^_`|~", TOKEN);
    table = with(table, b"-._~", PATH | UNRESERVED | REG_NAME);
    table = with(table, b"!$&'()*+,;=", PATH | REG_NAME);
    with(table, b":@/", PATH)
}

const fn with(mut table: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut i = 0;
    while i < bytes.len() {
        table[bytes[i] as usize] |= class;
        i += 1;
    }
    table
}

#[inline]
pub(super) fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

#[inline]
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is_token_byte(b))
}

/// Whether `name` is `known`, which is in small letters, in any case. The fixed length makes a few wide comparisons of
/// it. Only the bit between small and capital letters is left out: of all other bytes just CR becomes like one of a
/// name (the hyphen) by that, and no field line holds a CR.
#[inline]
pub(super) fn is_name<const N: usize>(name: &[u8], known: &[u8; N]) -> bool {
    <&[u8; N]>::try_from(name)
        .is_ok_and(|name| name.iter().zip(known).fold(0, |differing, (a, b)| differing | ((a | 0x20) ^ b)) == 0)
}

#[inline]
pub(super) fn is_path_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & PATH != 0
}

#[inline]
pub(super) fn is_unreserved(byte: u8) -> bool {
    CLASSES[byte as usize] & UNRESERVED != 0
}

#[inline]
pub(super) fn is_reg_name_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & REG_NAME != 0
}

/// Visible ASCII, space and tab: what a field value written by Jeday may hold (RFC 9110 section 5.5).
#[inline]
pub(super) const fn is_plain_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte <= b'~')
}

/// The value of one hexadecimal digit.
#[inline]
pub(super) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Takes optional white space (RFC 9110 section 5.6.3) off both ends; `trim_ascii` would take form feeds too.
#[inline]
pub(super) fn trim_ows(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The elements of a comma-separated list (RFC 9110 section 5.6.1), empty ones included.
#[inline]
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim_ows)
}

/// A token or a quoted string, without its quotes, and what follows. Escapes stay as they are: neither a charset
/// nor an address needs one.
pub(super) fn parameter_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let len = text.iter().take_while(|&&b| is_token_byte(b)).count();
        return (len > 0).then(|| text.split_at(len));
    };
    let mut at = 0;
    loop {
        match quoted.get(at)? {
            b'"' => return Some((&quoted[..at], &quoted[at + 1..])),
            b'\\' => at += 2,
            &b if is_plain_value_byte(b) || b >= 0x80 => at += 1,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_in_any_case_and_no_other_token_is() {
        let known = b"x-y";
        for byte in (0..=255).filter(|&byte| is_token_byte(byte)) {
            for at in 0..known.len() {
                let mut name = *known;
                name[at] = byte;
                assert_eq!(is_name(&name, known), name.eq_ignore_ascii_case(known), "{byte:#x} at {at}");
            }
        }
        assert!(!is_name(b"x-", known) && !is_name(b"x-yz", known) && !is_name(b"", known));
    }

    #[test]
    fn white_space_is_trimmed_and_nothing_else() {
        assert_eq!(trim_ows(b" \ta b\t "), b"a b");
        assert_eq!(trim_ows(b"\x0ca\x0b"), b"\x0ca\x0b");
        assert_eq!(trim_ows(b" \t "), b"");
    }
}
