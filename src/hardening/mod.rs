//! Password records: the weak one made on a request shard, the hard one made on a password core.

pub mod admission;
pub mod argon2id;
pub mod backlog;
pub mod core;
pub mod fingerprint;
pub mod hard;
mod job;
pub mod params;
pub mod password_core;
mod phc;
pub mod places;
pub mod random;
pub mod record;
pub mod self_test;
pub mod stuck;
pub mod weak;

pub use argon2id::{Engine, HashError, HashMemory};
pub use backlog::{BacklogConfig, BacklogGauge, BacklogWorker, Pace};
pub use core::{
    CoresConfig, CoresError, CoresHandle, CoresReport, CoresReporter, GroupReport, PasswordCores, worker_count,
};
pub use fingerprint::Fingerprint;
pub use hard::{HardRecord, HardRecordError, Material};
pub use params::{Params, ParamsError, Preset};
pub use password_core::{AttachError, Checked, PasswordCore, Unchecked, Upgrade};
pub use places::{Origin, Place};
pub use random::{Random, RandomError};
pub use record::{ImportedRecord, Record, RecordError, salt_text};
pub use stuck::CoresWatch;
pub use weak::{Pepper, Peppers, Salt, WeakDigest, WeakRecord};
