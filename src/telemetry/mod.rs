//! Counters per shard, merged on scrape; logs.
