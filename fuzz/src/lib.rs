//! What must hold for any bytes that a parser is given: one function each, which panics where it does not. libFuzzer
//! calls them with what it makes up, tests/fuzz with `seeds/` and mutants of them. Opens no file and no socket.

mod body;
mod database_url;
mod head;
mod json;
mod reference;
mod requests;
mod token;

pub use body::body;
pub use database_url::database_url;
pub use head::head;
pub use json::json;
pub use token::token;

/// Where to cut these bytes: a few places that depend on nothing but them, so that what was found is found again.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    // FNV-1a: each byte has its say.
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let places = hash.to_be_bytes().map(|byte| bytes.len() * usize::from(byte) / usize::from(u8::MAX));
    let mut cuts = places[..1 + (hash % 4) as usize].to_vec();
    cuts.sort_unstable();
    cuts
}
