//! Every bound of the server, with its reason; relations between them are asserted at compile time.
