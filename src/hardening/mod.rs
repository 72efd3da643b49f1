//! Password records: the weak one made on a request shard, the hard one made on a password core.

pub mod argon2id;
pub mod backlog;
pub mod core;
pub mod fingerprint;
pub mod hard;
pub mod params;
pub mod random;
pub mod self_test;
pub mod weak;

pub use argon2id::{Engine, HashMemory};
pub use backlog::{BacklogConfig, BacklogGauge, BacklogWorker};
pub use core::{Checked, CoresConfig, CoresHandle, Material, PasswordCore, PasswordCores, Unchecked, Upgrade};
pub use fingerprint::Fingerprint;
pub use hard::{HardRecord, Record};
pub use params::{Params, ParamsError, Preset};
pub use random::{Random, RandomError};
pub use weak::{Pepper, Peppers, Salt, WeakDigest, WeakRecord};
