//! The table: method and path to handler.
