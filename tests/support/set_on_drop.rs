//! Tells other threads of a scope to end, however the test ends: a scope waits for them, also when the test has failed.

use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) struct SetOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
