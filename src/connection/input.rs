//! What has been read and not been used yet. Takes its memory from the shard's stock only while something is in it,
//! so that an idle connection holds none.

use crate::server::Server;
use zeroize::Zeroize;

/// Invariant: `start <= end <= bytes.len()`, and both are 0 when they are equal.
#[derive(Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Room for the next read; makes more when there is none.
    pub(super) fn room(&mut self, server: &Server) -> &mut [u8] {
        if self.bytes.is_empty() {
            self.bytes = server.take_input();
        }
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes of the room have been read into.
    pub(super) fn received(&mut self, count: usize) {
        self.end += count;
    }

    /// Forgets what came after the first `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.end = self.end.min(self.start + length);
    }

    /// Takes the first `count` bytes away and leaves nothing of them behind.
    pub(super) fn consume_and_wipe(&mut self, count: usize) {
        self.bytes[self.start..self.start + count].zeroize();
        self.start += count;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Gives the memory back while nothing is in it.
    pub(super) fn release(&mut self, server: &Server) {
        if self.is_empty() && !self.bytes.is_empty() {
            server.give_input_back(std::mem::take(&mut self.bytes));
        }
    }
}
