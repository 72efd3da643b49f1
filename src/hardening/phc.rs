//! The text of Argon2id records, a PHC string: `$argon2id$v=19$m=..,t=..,p=..[,keyid=..]$<salt>$<tag>`, salt and tag in
//! the Base64 of RFC 4648 section 4 without padding. Takes it apart and bounds what it asks for; knows no pepper.

use base64ct::{Base64Unpadded, Encoding};

use super::Params;

const PREFIX: &str = "$argon2id$v=19$";

/// Parts of a record's text.
pub(super) struct Parts<'a> {
    pub(super) params: Params,
    pub(super) keyid: Option<&'a str>,
    pub(super) salt: &'a str,
    pub(super) tag: &'a str,
}

/// Takes `text` apart. Programs differ in the order of the parameters, so any is taken; each is there once, as a number
/// that has one spelling. Other versions and associated data are refused.
pub(super) fn parse(text: &str) -> Option<Parts<'_>> {
    let rest = text.strip_prefix(PREFIX)?;
    let mut fields = rest.split('$');
    let (listed, salt, tag) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    let (mut memory_kib, mut passes, mut lanes, mut keyid) = (None, None, None, None);
    for parameter in listed.split(',') {
        let (name, value) = parameter.split_once('=')?;
        let repeated = match name {
            "m" => memory_kib.replace(number(value)?).is_some(),
            "t" => passes.replace(number(value)?).is_some(),
            "p" => lanes.replace(number(value)?).is_some(),
            "keyid" => keyid.replace(value).is_some(),
            _ => return None,
        };
        if repeated {
            return None;
        }
    }
    let params = Params::stored(memory_kib?, passes?, lanes?).ok()?;
    Some(Parts { params, keyid, salt, tag })
}

/// A decimal number as it is written in one way only: no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// The text of a record made here.
pub(super) fn encode(params: Params, keyid: &[u8], salt: &[u8], tag: &[u8]) -> String {
    let (memory_kib, passes, lanes) = (params.memory_kib(), params.passes(), params.lanes());
    let [keyid, salt, tag] = [keyid, salt, tag].map(Base64Unpadded::encode_string);
    format!("{PREFIX}m={memory_kib},t={passes},p={lanes},keyid={keyid}${salt}${tag}")
}

/// Decodes a part into a buffer of exactly its length.
pub(super) fn decode_exactly<const N: usize>(part: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let decoded = Base64Unpadded::decode(part, &mut bytes).ok()?.len();
    (decoded == N).then_some(bytes)
}

/// Decodes a part whose length is in a range. Looks at the length before it allocates.
pub(super) fn decode_within(part: &str, least: usize, most: usize) -> Option<Vec<u8>> {
    if part.len() > (4 * most).div_ceil(3) {
        return None;
    }
    let bytes = Base64Unpadded::decode_vec(part).ok()?;
    (least..=most).contains(&bytes.len()).then_some(bytes)
}
