//! As whom PostgreSQL runs, and how its programs are started as that user. Root runs it as somebody else, because it
//! refuses to be root; everyone else runs it as themselves.

use super::error::ClusterError;
use nix::unistd::{Uid, User};
use std::{
    env,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Tried in this order when root starts the first time. `nobody` is left out: other daemons are nobody too, and could
/// read all of it.
const ACCOUNTS: [&str; 2] = ["jeday", "postgres"];

/// The user that owns the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Whether this process is root and has to become that user for it.
    pub switch: bool,
}

impl Account {
    /// Decides for the data in `existing`, or for data still to be made.
    pub(super) fn choose(existing: Option<&Path>) -> Result<Account, ClusterError> {
        let me = Uid::effective();
        let owner = match existing {
            Some(data) => Some(data.metadata().map_err(ClusterError::io("look at", data))?.uid()),
            None => None,
        };
        if !me.is_root() {
            return match (existing, owner) {
                (Some(data), Some(owner)) if owner != me.as_raw() => {
                    let name = named(Uid::from_raw(owner)).map_or_else(|| format!("user id {owner}"), |user| user.name);
                    Err(ClusterError::OthersData { directory: data.to_owned(), owner: name })
                }
                _ => named(me).map(|user| Account::of(user, false)).ok_or(ClusterError::NamelessUser(me.as_raw())),
            };
        }
        match owner {
            Some(owner) if owner != 0 => named(Uid::from_raw(owner)).ok_or(ClusterError::NamelessUser(owner)),
            _ => ACCOUNTS.iter().find_map(|name| User::from_name(name).ok().flatten()).ok_or(ClusterError::NoAccount),
        }
        .map(|user| Account::of(user, true))
    }

    fn of(user: User, switch: bool) -> Account {
        Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), switch }
    }

    /// The operating system's users that may connect to the database: this one, and root where root runs Jeday.
    pub(super) fn visitors(&self) -> Vec<&str> {
        if self.switch { vec!["root", &self.name] } else { vec![&self.name] }
    }
}

fn named(uid: Uid) -> Option<User> {
    User::from_uid(uid).ok().flatten()
}

/// Starts PostgreSQL's programs: as the account, from a directory that it may enter, in a process group of their own.
#[derive(Debug, Clone)]
pub(super) struct Runner {
    pub account: Account,
    pub directory: PathBuf,
}

impl Runner {
    /// A program without input whose output goes nowhere, unless the caller says otherwise.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.directory)
            // Ctrl-C on the terminal is for Jeday, which then stops PostgreSQL in good order.
            .process_group(0)
            // Variables as PGDATA, PGPORT or LC_ALL are not for this cluster.
            .env_clear()
            .envs(["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, env::var_os(name)?))))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if self.account.switch {
            // The standard library drops root's supplementary groups when it changes the user.
            command.uid(self.account.uid).gid(self.account.gid);
        }
        command
    }

    /// The first directory on the way to where programs are started from that the account may not enter.
    pub(super) fn closed_directory(&self) -> Option<PathBuf> {
        let mut way: Vec<_> = self.directory.ancestors().collect();
        way.reverse();
        way.into_iter().find(|directory| !self.may_enter(directory)).map(Path::to_owned)
    }

    /// By the mode alone: asked only once entering has failed, to say where.
    fn may_enter(&self, directory: &Path) -> bool {
        let Ok(metadata) = directory.metadata() else { return false };
        let bit = if metadata.uid() == self.account.uid {
            0o100
        } else if metadata.gid() == self.account.gid {
            0o010
        } else {
            0o001
        };
        metadata.mode() & bit != 0
    }
}
