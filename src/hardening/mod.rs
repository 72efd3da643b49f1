//! Password records: the weak one made on a request shard, the hard one made on a password core.
