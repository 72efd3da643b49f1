//! `jeday serve`: its arguments.

use super::{Everything, SettingFlags};

const AFTER_HELP: &str = "\
Examples:
  jeday serve
      Try it: a private PostgreSQL of its own, http://127.0.0.1:8080
  DB_URL=postgres://jeday:secret@db/auth jeday serve --address :8080 --key-file keys
      Every address of the machine, and a database of yours;
      'jeday migrate up' and 'jeday keygen' once before
  jeday serve --config /etc/jeday.toml --set log.level=debug
      A configuration file, and one setting overridden

Signals:
  SIGTERM, SIGINT   Stop accepting, answer what is under way, end with status 0;
                    a second one ends at once";

/// Run the server
///
/// Without a database it starts a private PostgreSQL cluster in its state directory and stops it again at the end.
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}
