//! The types of values a setting can have: each is parsed from text and shown as text. Never knows which setting uses
//! it.

pub mod bytes;
pub mod cpus;
pub mod database_url;
pub mod duration;
pub mod http_url;
pub mod listen;
pub mod ratio;
pub mod secret;
pub mod words;
