//! The cost of an Argon2id hash: memory, passes, lanes (RFC 9106 section 3.1), checked against what is too weak to
//! keep passwords and what one hash may take. Plain numbers in and out; reads no setting.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::limits;

/// The five settings that OWASP's Password Storage Cheat Sheet names as equally strong, most memory first, each with
/// one lane.
const OWASP: [Params; 5] = [
    Params { memory_kib: 46 << 10, passes: 1, lanes: 1 },
    Params { memory_kib: 19 << 10, passes: 2, lanes: 1 },
    Params { memory_kib: 12 << 10, passes: 3, lanes: 1 },
    Params { memory_kib: 9 << 10, passes: 4, lanes: 1 },
    Params { memory_kib: 7 << 10, passes: 5, lanes: 1 },
];

/// Each lane has four slices of two blocks at least (RFC 9106 section 3.1).
const KIB_PER_LANE_MIN: u32 = 8;

/// What one hash costs. Lanes are computed one after the other: a password core is one CPU.
///
/// Invariant: `8 * lanes <= memory_kib <= limits::ARGON2_MEMORY_KIB_MAX`, and `passes` and `lanes` are at least 1 and
/// within their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Params {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// Why numbers are no [`Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ParamsError {
    /// Zero lanes.
    #[error("the number of lanes is 1 at least")]
    NoLane,
    /// More lanes than anybody has a use for.
    #[error("the number of lanes is {} at most", limits::ARGON2_LANES_MAX)]
    TooManyLanes,
    /// Zero passes.
    #[error("the number of passes is 1 at least")]
    NoPass,
    /// So many passes that a hash takes seconds.
    #[error("the number of passes is {} at most", limits::ARGON2_PASSES_MAX)]
    TooManyPasses,
    /// Fewer than eight blocks a lane.
    #[error("the memory is {needed_kib} KiB at least with that many lanes")]
    TooLittleMemory {
        /// The least memory, in KiB.
        needed_kib: u32,
    },
    /// More memory than a hash may have.
    #[error("the memory is {} GiB at most", limits::ARGON2_MEMORY_KIB_MAX >> 20)]
    TooMuchMemory,
    /// Weaker than each of OWASP's settings.
    #[error(
        "Argon2id with memory={memory_kib}KiB and passes={passes} protects less than OWASP's smallest recommendation, \
         which is {}MiB with as many passes",
        .needed_kib >> 10
    )]
    Weak {
        /// The memory asked for, in KiB.
        memory_kib: u32,
        /// The passes asked for.
        passes: u32,
        /// The least memory with these passes, in KiB.
        needed_kib: u32,
    },
}

impl Params {
    /// 64 MiB, one pass, four lanes: what the Go version hashed with. More than OWASP's first setting, at 15 ms a hash.
    pub const DEFAULT: Self = Self { memory_kib: 64 << 10, passes: 1, lanes: 4 };

    /// Takes what new hashes are to cost: `memory_kib` in KiB. `force` allows what OWASP calls too weak, for tests and
    /// tiny machines.
    ///
    /// # Errors
    /// When RFC 9106 or a limit forbids the numbers, or they are weak and not forced.
    pub const fn new(memory_kib: u32, passes: u32, lanes: u32, force: bool) -> Result<Self, ParamsError> {
        let params = match Self::stored(memory_kib, passes, lanes) {
            Ok(params) => params,
            Err(error) => return Err(error),
        };
        let needed_kib = params.owasp_memory_kib();
        if force || memory_kib >= needed_kib {
            Ok(params)
        } else {
            Err(ParamsError::Weak { memory_kib, passes, needed_kib })
        }
    }

    /// Takes what a stored hash has cost, however weak.
    ///
    /// # Errors
    /// When RFC 9106 or a limit forbids the numbers.
    pub const fn stored(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, ParamsError> {
        if lanes == 0 {
            Err(ParamsError::NoLane)
        } else if lanes > limits::ARGON2_LANES_MAX {
            Err(ParamsError::TooManyLanes)
        } else if passes == 0 {
            Err(ParamsError::NoPass)
        } else if passes > limits::ARGON2_PASSES_MAX {
            Err(ParamsError::TooManyPasses)
        } else if memory_kib < KIB_PER_LANE_MIN * lanes {
            Err(ParamsError::TooLittleMemory { needed_kib: KIB_PER_LANE_MIN * lanes })
        } else if memory_kib > limits::ARGON2_MEMORY_KIB_MAX {
            Err(ParamsError::TooMuchMemory)
        } else {
            Ok(Self { memory_kib, passes, lanes })
        }
    }

    /// What no limit has looked at.
    #[cfg(test)]
    pub(super) const fn unlimited(memory_kib: u32, passes: u32, lanes: u32) -> Self {
        Self { memory_kib, passes, lanes }
    }

    /// The least memory that OWASP wants with this many passes, in KiB.
    const fn owasp_memory_kib(self) -> u32 {
        let mut needed_kib = OWASP[0].memory_kib;
        let mut index = 1;
        while index < OWASP.len() {
            if self.passes >= OWASP[index].passes {
                needed_kib = OWASP[index].memory_kib;
            }
            index += 1;
        }
        needed_kib
    }

    /// Memory, in KiB.
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Memory, in bytes: what a worker holds for as long as it lives.
    #[must_use]
    pub const fn memory_bytes(self) -> u64 {
        // Lossless; `From` is not const.
        (self.memory_kib as u64) << 10
    }

    /// Number of passes over the memory.
    #[must_use]
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Number of lanes.
    #[must_use]
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// Blocks of 1 KiB that a hash computes: what its time is proportional to.
    #[must_use]
    pub const fn work_kib(self) -> u64 {
        // Lossless; `From` is not const.
        self.memory_kib as u64 * self.passes as u64
    }

    /// Whether a stored hash of this cost may be recomputed by a server that hashes at `configured`. A record comes
    /// from the database: it must neither take all memory nor keep a password core for seconds.
    #[must_use]
    pub fn affordable_beside(self, configured: Self) -> bool {
        self.memory_kib <= limits::ARGON2_STORED_MEMORY_KIB_MAX.max(configured.memory_kib)
            && self.work_kib() <= limits::ARGON2_STORED_WORK_KIB_MAX.max(configured.work_kib())
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// `64 MiB, 1 pass, 4 lanes`
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self { memory_kib, passes, lanes } = self;
        let plural = |count| if count == 1 { "" } else { "s" };
        match memory_kib % 1024 {
            0 => write!(f, "{} MiB", memory_kib / 1024)?,
            _ => write!(f, "{memory_kib} KiB")?,
        }
        let pass = if passes == 1 { "pass" } else { "passes" };
        write!(f, ", {passes} {pass}, {lanes} lane{}", plural(lanes))
    }
}

/// [`Params`] by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// [`Params::DEFAULT`].
    Default,
    /// OWASP: 46 MiB, 1 pass, 1 lane.
    Owasp46M,
    /// OWASP: 19 MiB, 2 passes, 1 lane; its smallest recommendation in the first place.
    Owasp19M,
    /// OWASP: 12 MiB, 3 passes, 1 lane.
    Owasp12M,
    /// OWASP: 9 MiB, 4 passes, 1 lane.
    Owasp9M,
    /// OWASP: 7 MiB, 5 passes, 1 lane.
    Owasp7M,
}

/// Text that names no preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is no preset: there are default, owasp-46m, owasp-19m, owasp-12m, owasp-9m and owasp-7m")]
pub struct PresetError;

impl Preset {
    /// Every preset, most memory first.
    pub const ALL: [Self; 6] =
        [Self::Default, Self::Owasp46M, Self::Owasp19M, Self::Owasp12M, Self::Owasp9M, Self::Owasp7M];

    /// The name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Owasp46M => "owasp-46m",
            Self::Owasp19M => "owasp-19m",
            Self::Owasp12M => "owasp-12m",
            Self::Owasp9M => "owasp-9m",
            Self::Owasp7M => "owasp-7m",
        }
    }

    /// What it stands for.
    #[must_use]
    pub const fn params(self) -> Params {
        match self {
            Self::Default => Params::DEFAULT,
            Self::Owasp46M => OWASP[0],
            Self::Owasp19M => OWASP[1],
            Self::Owasp12M => OWASP[2],
            Self::Owasp9M => OWASP[3],
            Self::Owasp7M => OWASP[4],
        }
    }
}

impl FromStr for Preset {
    type Err = PresetError;

    fn from_str(name: &str) -> Result<Self, PresetError> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == name).ok_or(PresetError)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_owasp_names_is_the_least_that_is_taken() {
        for params in OWASP {
            let Params { memory_kib, passes, lanes } = params;
            assert_eq!(Params::new(memory_kib, passes, lanes, false), Ok(params));
            let weak = Params::new(memory_kib - 1, passes, lanes, false);
            assert_eq!(weak, Err(ParamsError::Weak { memory_kib: memory_kib - 1, passes, needed_kib: memory_kib }));
            assert!(Params::new(memory_kib - 1, passes, lanes, true).is_ok(), "unless it is forced");
        }
        assert!(Params::new(7 << 10, 50, 1, false).is_ok(), "more passes than any of them names");
        assert_eq!(Params::new(64 << 10, 1, 4, false), Ok(Params::DEFAULT));
    }

    #[test]
    fn nothing_forces_what_argon2_cannot_do() {
        let forced = |memory_kib, passes, lanes| Params::new(memory_kib, passes, lanes, true);
        assert_eq!(forced(64 << 10, 1, 0), Err(ParamsError::NoLane));
        assert_eq!(forced(64 << 10, 1, u32::MAX), Err(ParamsError::TooManyLanes));
        assert_eq!(forced(64 << 10, 0, 1), Err(ParamsError::NoPass));
        assert_eq!(forced(64 << 10, u32::MAX, 1), Err(ParamsError::TooManyPasses));
        assert_eq!(forced(31, 1, 4), Err(ParamsError::TooLittleMemory { needed_kib: 32 }));
        assert_eq!(forced(u32::MAX, 1, 4), Err(ParamsError::TooMuchMemory));
        assert!(forced(32, 1, 4).is_ok());
    }

    #[test]
    fn refusals_say_what_would_do() {
        let said = |params: Result<Params, ParamsError>| params.unwrap_err().to_string();
        assert!(said(Params::new(8 << 10, 1, 1, false)).contains("46MiB"));
        assert_eq!(said(Params::new(5 << 20, 1, 1, false)), "the memory is 4 GiB at most");
        assert_eq!(Params::DEFAULT.to_string(), "64 MiB, 1 pass, 4 lanes");
        assert_eq!(Params::new(100, 2, 1, true).unwrap().to_string(), "100 KiB, 2 passes, 1 lane");
    }

    #[test]
    fn presets_have_names_and_are_strong_enough() {
        for preset in Preset::ALL {
            assert_eq!(preset.as_str().parse(), Ok(preset));
            let Params { memory_kib, passes, lanes } = preset.params();
            assert_eq!(Params::new(memory_kib, passes, lanes, false), Ok(preset.params()));
            assert!(PresetError.to_string().contains(preset.as_str()), "the refusal names it");
        }
        assert_eq!("OWASP".parse::<Preset>(), Err(PresetError));
    }

    #[test]
    fn a_stored_hash_may_cost_what_is_configured_and_a_bounded_amount_otherwise() {
        let params = |memory_kib, passes| Params::stored(memory_kib, passes, 1).unwrap();
        let huge = params(limits::ARGON2_MEMORY_KIB_MAX, limits::ARGON2_PASSES_MAX);
        assert!(!huge.affordable_beside(Params::DEFAULT));
        assert!(huge.affordable_beside(huge), "the server makes such hashes itself");
        assert!(params(256 << 10, 3).affordable_beside(Params::DEFAULT), "what libsodium calls moderate");
        assert!(!params(256 << 10, 64).affordable_beside(Params::DEFAULT), "it would take seconds");
        assert!(!params(2 << 20, 1).affordable_beside(Params::DEFAULT));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_within_rfc_9106(memory_kib: u32, passes: u32, lanes: u32, force: bool) {
            // Half of the cases in the range where it matters.
            let near = (memory_kib >> 10, passes % 70, lanes % 70);
            for (memory_kib, passes, lanes) in [(memory_kib, passes, lanes), near] {
                if let Ok(params) = Params::new(memory_kib, passes, lanes, force) {
                    prop_assert!(params.lanes() >= 1 && params.passes() >= 1);
                    prop_assert!(params.memory_kib() >= 8 * params.lanes());
                    prop_assert!(force || params.memory_kib() >= OWASP[4].memory_kib);
                }
            }
        }
    }
}
