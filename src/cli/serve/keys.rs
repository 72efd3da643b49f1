//! The keys that `serve` works with. Makes them by itself only beside a private cluster, whose directory they belong
//! to.

use crate::{
    cli::CliError,
    config::Config,
    keys::{self, KeyFile, KeyFileError, Keys},
};
use jiff::Timestamp;

/// Reads the configured key file.
pub(super) fn load(config: &Config) -> Result<Keys, CliError> {
    let path = config.keys.file.as_deref().ok_or_else(|| {
        CliError::failure("no key file is configured: without its keys no password can be stored or checked")
            .with_hint("jeday keygen --key-file FILE makes one; then set KEY_FILE=FILE")
    })?;
    let file = match KeyFile::load(path) {
        Err(KeyFileError::Missing { .. }) if config.database.url.is_none() => {
            let keys = keys::generate(Timestamp::now()).map_err(|error| CliError::failed(&error))?;
            KeyFile::create(path, keys, Timestamp::now()).inspect(|_| {
                tracing::info!(file = %path.display(), "made the keys of this server: keep a copy in a safe place");
            })
        }
        loaded => loaded,
    };
    Ok(file.map_err(|error| CliError::failed(&error))?.keys().clone())
}
