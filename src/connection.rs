//! One socket: read, parse, route, reply, time out.
