//! Argon2id (RFC 9106, version 0x13) over memory that is kept: `argon2-rust`, which computes in vector registers, or
//! `argon2` of RustCrypto, the reference it is checked against. Never decides which; never compares a tag.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroize;

use super::Params;
use super::self_test::Distrust;

/// Which implementation hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `argon2-rust`, which has passed its self-test.
    Fast {
        /// The vector instructions it uses.
        instructions: &'static str,
    },
    /// `argon2`: less than half as fast.
    Reference {
        /// Why not the fast one.
        reason: Distrust,
    },
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fast { instructions } => write!(f, "fast ({instructions})"),
            Self::Reference { reason } => write!(f, "reference: {reason}"),
        }
    }
}

/// Why there is no hash. The memory is usable again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HashError {
    /// The system gave no memory.
    #[error("there is no memory for a password hash")]
    NoMemory,
    /// The inputs are none that Argon2id takes; [`Params`] and records rule that out.
    #[error("Argon2id does not take these inputs")]
    Refused,
}

/// Memory for one hash at a time, kept from one to the next.
///
/// Each hash leaves in it what eases guessing the password: [`HashMemory::wipe`] ends that, and so does dropping it.
pub struct HashMemory {
    engine: Engine,
    reserved: Params,
    blocks: Blocks,
    /// Whether there may be anything in it that came from a password.
    used: bool,
}

enum Blocks {
    /// Memory mapped by the crate, in huge pages where the kernel gives them.
    Fast(argon2_rust::Hasher),
    /// Grows up to its capacity, which is reserved.
    Reference(Vec<argon2::Block>),
}

impl HashMemory {
    /// Reserves memory for hashes of up to `params`. The kernel gives it as it is first written: by the first hash, or
    /// by [`HashMemory::wipe`].
    ///
    /// # Errors
    /// [`HashError::NoMemory`].
    pub fn new(engine: Engine, params: Params) -> Result<Self, HashError> {
        let blocks = match engine {
            Engine::Fast { .. } => {
                let mut hasher = fast(params, 32)?.hasher();
                hasher.reserve().map_err(fast_error)?;
                Blocks::Fast(hasher)
            }
            Engine::Reference { .. } => {
                let mut blocks = Vec::new();
                blocks.try_reserve_exact(block_count(params)).map_err(|_| HashError::NoMemory)?;
                Blocks::Reference(blocks)
            }
        };
        Ok(Self { engine, reserved: params, blocks, used: false })
    }

    /// Computes a tag as long as `tag`. A hash of more memory than is reserved gets its own, which is given back after.
    ///
    /// # Errors
    /// See [`HashError`]; `tag` then holds nothing.
    pub fn hash(&mut self, params: Params, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashError> {
        if params.memory_kib() > self.reserved.memory_kib() {
            return Self::new(self.engine, params)?.hash(params, password, salt, tag);
        }
        self.used = true;
        self.compute(params, password, salt, tag)
    }

    /// Overwrites whatever hashes have left, and makes the kernel give all of the memory.
    pub fn wipe(&mut self) {
        let reserved = self.reserved;
        match &mut self.blocks {
            // The crate lends its memory to hashes only. One of public inputs writes each block (RFC 9106 section
            // 3.2), and the stack as well.
            Blocks::Fast(hasher) => {
                let public = fast(reserved, 32).and_then(|argon2| {
                    hasher.set_argon2(argon2);
                    hasher.hash_into(&[0; 32], &[0; 16], &mut [0; 32]).map_err(fast_error)
                });
                if public.is_err() {
                    // The kernel wipes what it is given back.
                    hasher.clear();
                }
            }
            Blocks::Reference(blocks) => {
                grow(blocks, reserved);
                blocks.iter_mut().zeroize();
            }
        }
        self.used = false;
    }

    /// Whether there may be anything in it that came from a password.
    #[must_use]
    pub const fn is_used(&self) -> bool {
        self.used
    }

    /// Memory that it holds, in KiB.
    #[must_use]
    pub fn held_kib(&self) -> usize {
        match &self.blocks {
            Blocks::Fast(hasher) => hasher.reserved_blocks(),
            Blocks::Reference(blocks) => blocks.capacity(),
        }
    }

    fn compute(&mut self, params: Params, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashError> {
        match &mut self.blocks {
            Blocks::Fast(hasher) => {
                hasher.set_argon2(fast(params, tag.len())?);
                hasher.hash_into(password, salt, tag).map_err(fast_error)
            }
            Blocks::Reference(blocks) => {
                grow(blocks, params);
                let argon2 = argon2::Argon2::new(
                    argon2::Algorithm::Argon2id,
                    argon2::Version::V0x13,
                    reference(params, tag.len())?,
                );
                let hashed = argon2.hash_password_into_with_memory(password, salt, tag, blocks);
                hashed.map_err(|_| HashError::Refused)
            }
        }
    }
}

impl Drop for HashMemory {
    fn drop(&mut self) {
        // After a panic in a hash another one could end the process.
        let may_hash = matches!(self.blocks, Blocks::Reference(_)) || !std::thread::panicking();
        if self.used && may_hash {
            self.wipe();
        }
    }
}

/// Blocks of 1 KiB.
fn block_count(params: Params) -> usize {
    usize::try_from(params.memory_kib()).expect("a pointer has 32 bits at least")
}

/// Never allocates: the capacity is there.
fn grow(blocks: &mut Vec<argon2::Block>, params: Params) {
    if blocks.len() < block_count(params) {
        blocks.resize(block_count(params), argon2::Block::new());
    }
}

/// The fast engine, set up.
pub(super) fn fast(params: Params, tag_bytes: usize) -> Result<argon2_rust::Argon2, HashError> {
    let built = argon2_rust::Params::builder()
        .memory(argon2_rust::params::Memory::kib(params.memory_kib().into()))
        .passes(params.passes())
        .lanes(params.lanes())
        .threads(1)
        .tag_len(argon2_rust::params::TagLen::bytes(tag_bytes as u64))
        .build()
        .map_err(fast_error)?;
    Ok(argon2_rust::Argon2::new(argon2_rust::Algorithm::Argon2id, argon2_rust::Version::V0x13, built))
}

pub(super) fn fast_error(error: argon2_rust::Error) -> HashError {
    match error {
        argon2_rust::Error::MemoryAllocationError => HashError::NoMemory,
        _ => HashError::Refused,
    }
}

/// The reference's parameters.
fn reference(params: Params, tag_bytes: usize) -> Result<argon2::Params, HashError> {
    argon2::Params::new(params.memory_kib(), params.passes(), params.lanes(), Some(tag_bytes))
        .map_err(|_| HashError::Refused)
}

#[cfg(test)]
mod tests;
