//! Arguments, then configuration, then run.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Takes a tenth off the time a shard spends outside the kernel: its allocations are small, many, and of its own
/// thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    jeday::cli::main()
}
