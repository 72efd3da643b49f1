//! Configuration: sources, their order, and one nested struct per module.
