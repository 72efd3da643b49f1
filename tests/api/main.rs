//! API tests: a real server, a real PostgreSQL, one behaviour a file.
