//! What one request shard owns; wires the stages together.
