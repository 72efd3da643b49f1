//! HTTP/1.1 by RFC 9112, sans I/O: bytes in, values out. Knows no route.
