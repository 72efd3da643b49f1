//! Hardened records (stand-in until the real one is merged).
use super::{
    Params,
    weak::{PepperId, WeakRecord},
};
use base64ct::{Base64Unpadded, Encoding};
use zeroize::Zeroizing;

#[derive(Clone)]
pub struct HardRecord {
    pub(super) params: Params,
    pub(super) pepper: Option<PepperId>,
    pub(super) salt: Vec<u8>,
    pub(super) tag: Vec<u8>,
    text: Zeroizing<String>,
}
pub enum Record {
    Weak(WeakRecord),
    Hard(HardRecord),
}
#[derive(Debug, thiserror::Error)]
#[error("not a password record")]
pub struct RecordError;
impl Record {
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if let Ok(weak) = WeakRecord::parse(text) {
            return Ok(Record::Weak(weak));
        }
        HardRecord::parse(text).map(Record::Hard)
    }
}
fn hex(id: PepperId) -> Vec<u8> {
    (0..6).map(|i| u8::from_str_radix(&id.as_str()[2 * i..2 * i + 2], 16).expect("hex")).collect()
}
impl HardRecord {
    pub fn new(params: Params, pepper: PepperId, salt: &[u8], tag: &[u8]) -> Self {
        let text = format!(
            "$argon2id$v=19$m={},t={},p={},keyid={}${}${}",
            params.memory_kib(),
            params.passes(),
            params.lanes(),
            Base64Unpadded::encode_string(&hex(pepper)),
            Base64Unpadded::encode_string(salt),
            Base64Unpadded::encode_string(tag)
        );
        Self { params, pepper: Some(pepper), salt: salt.to_vec(), tag: tag.to_vec(), text: Zeroizing::new(text) }
    }
    pub fn as_str(&self) -> &str {
        &self.text
    }
    fn parse(text: &str) -> Result<Self, RecordError> {
        let mut parts = text.split('$');
        let (Some(""), Some("argon2id"), Some("v=19"), Some(p), Some(salt), Some(tag), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(RecordError);
        };
        let get = |name: &str| p.split(',').find_map(|x| x.strip_prefix(name));
        let num = |name: &str| get(name).and_then(|x| x.parse().ok()).ok_or(RecordError);
        let params = Params::stored(num("m=")?, num("t=")?, num("p=")?).map_err(|_| RecordError)?;
        let decode = |x: &str| Base64Unpadded::decode_vec(x).map_err(|_| RecordError);
        let pepper = get("keyid=")
            .map(decode)
            .transpose()?
            .map(|raw| raw.iter().map(|b| format!("{b:02x}")).collect::<String>().parse().map_err(|_| RecordError))
            .transpose()?;
        Ok(Self { params, pepper, salt: decode(salt)?, tag: decode(tag)?, text: Zeroizing::new(text.to_owned()) })
    }
}
