//! Requests that are nearly valid: cases of the corpus, changed a little.

use crate::{
    corpus::{Case, Fate, cases},
    support::mutation::{self, Random},
};

/// Longer cases are about bounds, and would slow the others down.
const SEED_BYTES_MAX: usize = 600;

/// What parsers are known to trip over.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"#",
    b"?",
    b"%2f",
    b"\\",
    b"\x7f",
    b"\xff",
    b"+",
    b"0x",
    b"0\r\n\r\n",
    b"HEAD ",
    b"CONNECT ",
    b"HTTP/1.0",
    b"Host: x\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"chunked, ",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Expect: 100-continue\r\n",
];

/// All cases that are short.
pub(crate) fn short_cases() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|case| case.bytes.len() <= SEED_BYTES_MAX)
}

/// What mutants are made of: requests that are answered and leave the connection as it was.
pub(crate) fn stock() -> Vec<Vec<u8>> {
    short_cases().filter(|case| case.outcome.fate == Fate::Kept).map(|case| case.bytes).collect()
}

/// One of `stock`, changed.
pub(crate) fn mutant(stock: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    mutation::mutant(stock, PIECES, random)
}
