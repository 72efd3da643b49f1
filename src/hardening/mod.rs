//! Password records: the weak one made on a request shard, the hard one made on a password core.

pub mod fingerprint;
pub mod random;
pub mod weak;

pub use fingerprint::Fingerprint;
pub use random::{Random, RandomError};
pub use weak::{Pepper, Peppers, Salt, WeakDigest, WeakRecord};
