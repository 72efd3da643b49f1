//! Places where a test makes a server fail: stall, spin, panic or die, once, at a moment that no test could hit from
//! outside. Only there with the feature `fail-points`, which tests are built with and nothing that is released.
//!
//! A place is armed by a file of its name in the directory that `FAIL_POINT_DIRECTORY` names; what the file holds is
//! how to fail. Who passes takes the file away, so each is one failure, of one thread of one process.

/// Where it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FailPoint {
    /// A shard has read a request and is about to handle it.
    Request,
    /// A registration is committed, and its client not answered yet.
    Committed,
    /// A password core is about to hash.
    Hash,
    /// Claimed records are hardened, and not written back yet.
    WriteBack,
}

/// Fails here, if a test wants it.
#[cfg(not(feature = "fail-points"))]
#[inline(always)]
pub(crate) const fn pass(_: FailPoint) {}

/// Fails here, if a test wants it.
#[cfg(feature = "fail-points")]
pub(crate) fn pass(point: FailPoint) {
    use std::{fs, hint, path::PathBuf, process, sync::OnceLock, thread};

    static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let Some(directory) = DIRECTORY.get_or_init(|| std::env::var_os("FAIL_POINT_DIRECTORY").map(PathBuf::from)) else {
        return;
    };
    let armed = directory.join(match point {
        FailPoint::Request => "request",
        FailPoint::Committed => "committed",
        FailPoint::Hash => "hash",
        FailPoint::WriteBack => "write-back",
    });
    let Ok(how) = fs::read_to_string(&armed) else { return };
    // Others may have read it as well: one of them takes it away.
    if fs::remove_file(&armed).is_err() {
        return;
    }
    match &*how {
        // Neither runs any of our code on its way out, as kill -9 does not.
        "die" => process::abort(),
        "panic" => panic!("a fail point says so"),
        "stall" => loop {
            thread::park();
        },
        "spin" => loop {
            hint::spin_loop();
        },
        other => panic!("no fail point can {other}"),
    }
}
