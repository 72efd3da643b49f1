//! Standard output. A reader that has seen enough is no error; never a panic as with `println!`.

use super::CliError;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Writes the text to standard output.
///
/// # Errors
/// When it cannot be written, unless because the reader has gone (`jeday config | head`).
pub fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    tolerate_gone_reader(out.write_all(bytes).and_then(|()| out.flush())).map(|_| ())
}

pub(super) fn tolerate_gone_reader(written: io::Result<()>) -> Result<ExitCode, CliError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
