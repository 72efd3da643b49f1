//! Samples of what the threads of this process are doing, taken by the signal of its CPU timer. The handler notes
//! registers and has the kernel copy the stack, which checks every address: it takes no lock, allocates nothing and
//! follows no pointer. Unwinding in a handler is what makes profilers hang and crash; here it is done from the copies,
//! on another thread and by somebody else.

#![allow(unsafe_code)]

use rustix::fs::MemfdFlags;
use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};
use zeroize::Zeroizing;

/// How much of a stack is copied: the outer frames of a deeper one are lost. Ours have 4 to 12 KiB when optimised.
const STACK_BYTES_MAX: usize = 32 << 10;

/// Samples that wait to be taken: more than 64 busy cores make in 20 ms at 99 Hz. With the copies, 4 MiB.
const WAITING_MAX: usize = 128;

const FREE: u32 = 0;
const BEING_WRITTEN: u32 = 1;
const FULL: u32 = 2;

/// One sampler at a time: the timer and the signal belong to the whole process.
static TAKEN: AtomicBool = AtomicBool::new(false);
static RECORDING: AtomicBool = AtomicBool::new(false);
static NEXT: AtomicUsize = AtomicUsize::new(0);
static MISSED: AtomicU64 = AtomicU64::new(0);
static SLOTS: [Slot; WAITING_MAX] = [const { Slot::new() }; WAITING_MAX];

/// Where the copies go, [`STACK_BYTES_MAX`] for each slot. Never closed: a handler that was interrupted must not find
/// another file under its number.
static COPIES: OnceLock<OwnedFd> = OnceLock::new();
static COPIES_NUMBER: AtomicI32 = AtomicI32::new(-1);

/// A sample of which the stack lies in [`COPIES`]. Whoever has changed `state` from `FREE` writes, and whoever finds it
/// `FULL` reads; there is one reader.
struct Slot {
    state: AtomicU32,
    thread: AtomicU32,
    instruction: AtomicU64,
    stack: AtomicU64,
    frame: AtomicU64,
    link: AtomicU64,
    copied: AtomicUsize,
}

impl Slot {
    const fn new() -> Slot {
        Slot {
            state: AtomicU32::new(FREE),
            thread: AtomicU32::new(0),
            instruction: AtomicU64::new(0),
            stack: AtomicU64::new(0),
            frame: AtomicU64::new(0),
            link: AtomicU64::new(0),
            copied: AtomicUsize::new(0),
        }
    }
}

/// The registers that unwinding begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// Address of the next instruction.
    pub instruction: u64,
    /// Stack pointer: the address of the first byte of the copy.
    pub stack: u64,
    /// Frame pointer; may hold anything in code that has none.
    pub frame: u64,
    /// Return address in a register on AArch64; 0 elsewhere.
    pub link: u64,
}

impl Registers {
    #[cfg(target_arch = "x86_64")]
    fn of(context: &libc::ucontext_t) -> Registers {
        let register = |number: libc::c_int| context.uc_mcontext.gregs[number as usize].cast_unsigned();
        Registers {
            instruction: register(libc::REG_RIP),
            stack: register(libc::REG_RSP),
            frame: register(libc::REG_RBP),
            link: 0,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn of(context: &libc::ucontext_t) -> Registers {
        let machine = &context.uc_mcontext;
        Registers { instruction: machine.pc, stack: machine.sp, frame: machine.regs[29], link: machine.regs[30] }
    }
}

/// What a thread was doing.
#[derive(Debug)]
pub struct Sample<'s> {
    /// The kernel's number of the thread.
    pub thread: u32,
    /// Its registers.
    pub registers: Registers,
    /// Its stack from the stack pointer on, 32 KiB at most. It may hold secrets.
    pub stack: &'s [u8],
}

/// Why no samples can be taken.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum SamplerError {
    #[error("samples are being taken already")]
    Running,
    #[error("cannot take samples: {0}")]
    System(#[from] io::Error),
}

/// Takes samples from its start until it is stopped or dropped.
#[derive(Debug)]
pub struct Sampler {
    copy: Zeroizing<Vec<u8>>,
}

impl Sampler {
    /// Begins with `frequency_hz` samples for each second of CPU time that the process uses, whichever threads use it.
    /// The kernel's clock tick, 100 to 1000 Hz, is a limit to it.
    ///
    /// # Errors
    /// [`SamplerError::Running`] while another sampler exists, [`SamplerError::System`] where a system call is refused.
    pub fn start(frequency_hz: u32) -> Result<Sampler, SamplerError> {
        if TAKEN.swap(true, Ordering::AcqRel) {
            return Err(SamplerError::Running);
        }
        // From here on dropping it gives the place back.
        let mut sampler = Sampler { copy: Zeroizing::new(vec![0; STACK_BYTES_MAX]) };
        let copies = match COPIES.get() {
            Some(copies) => copies,
            None => {
                install_handler()?;
                let copies =
                    rustix::fs::memfd_create("sampled-stacks", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
                COPIES.get_or_init(|| copies)
            }
        };
        COPIES_NUMBER.store(copies.as_raw_fd(), Ordering::Relaxed);
        sampler.take(|_| ());
        MISSED.store(0, Ordering::Relaxed);
        RECORDING.store(true, Ordering::Release);
        set_timer(1_000_000 / i64::from(frequency_hz.max(1)))?;
        Ok(sampler)
    }

    /// Hands out the samples that have come since the last time.
    pub fn take(&mut self, mut each: impl FnMut(&Sample<'_>)) {
        let Some(copies) = COPIES.get() else { return };
        for (number, slot) in SLOTS.iter().enumerate() {
            if slot.state.load(Ordering::Acquire) != FULL {
                continue;
            }
            let stack = &mut self.copy[..slot.copied.load(Ordering::Relaxed)];
            let read = rustix::io::pread(copies, &mut *stack, (number * STACK_BYTES_MAX) as u64).unwrap_or(0);
            each(&Sample {
                thread: slot.thread.load(Ordering::Relaxed),
                registers: Registers {
                    instruction: slot.instruction.load(Ordering::Relaxed),
                    stack: slot.stack.load(Ordering::Relaxed),
                    frame: slot.frame.load(Ordering::Relaxed),
                    link: slot.link.load(Ordering::Relaxed),
                },
                stack: &stack[..read],
            });
            slot.state.store(FREE, Ordering::Release);
        }
    }

    /// Ends sampling. What has come by now can still be taken.
    pub fn stop(&self) {
        // It can only fail for an interval that is none.
        let _ = set_timer(0);
        RECORDING.store(false, Ordering::Release);
    }

    /// Samples that were lost because nobody took the earlier ones in time.
    pub fn missed(&self) -> u64 {
        MISSED.load(Ordering::Relaxed)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop();
        if let Some(copies) = COPIES.get() {
            // The memory goes back to the kernel, which wipes it before anybody else gets it.
            let _ = rustix::fs::ftruncate(copies, 0);
        }
        TAKEN.store(false, Ordering::Release);
    }
}

/// Installed once and for ever: a signal that comes late would end the process otherwise.
fn install_handler() -> io::Result<()> {
    // SAFETY: sigaction is plain data, for which zero is a value: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = on_tick as *const () as libc::sighandler_t;
    // Reads and writes that it interrupts go on (signal(7)); the others have to expect EINTR anyway.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
    // SAFETY: the pointer is to a live sigaction and only read; the handler is safe at any point of any thread, as it
    // makes one system call and writes atomic numbers.
    match unsafe { libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the process's CPU timer ring every so many microseconds; 0 stops it.
fn set_timer(interval_us: i64) -> io::Result<()> {
    let interval = libc::timeval { tv_sec: interval_us / 1_000_000, tv_usec: interval_us % 1_000_000 };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // By number: what the C library's function takes differs between libraries.
    // SAFETY: the pointer is to a live itimerval and only read; the old value is not asked for.
    let set = unsafe {
        libc::syscall(libc::SYS_setitimer, libc::ITIMER_PROF, &raw const timer, ptr::null_mut::<libc::itimerval>())
    };
    match set {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn on_tick(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes the interrupted context, which lives as long as the handler runs.
    let registers = Registers::of(unsafe { &*context.cast::<libc::ucontext_t>() });
    // SAFETY: always a valid pointer, to a variable that only this thread uses.
    let errno = unsafe { &mut *libc::__errno_location() };
    let interrupted = *errno;
    record(registers);
    // Whatever was interrupted may be about to read it.
    *errno = interrupted;
}

fn record(registers: Registers) {
    if !RECORDING.load(Ordering::Acquire) {
        return;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % WAITING_MAX;
    let slot = &SLOTS[number];
    if slot.state.compare_exchange(FREE, BEING_WRITTEN, Ordering::Acquire, Ordering::Relaxed).is_err() {
        MISSED.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let copies = COPIES_NUMBER.load(Ordering::Relaxed);
    let at = (number * STACK_BYTES_MAX) as libc::off_t;
    let stack = ptr::with_exposed_provenance(registers.stack as usize);
    // SAFETY: the kernel reads the memory, not we: it copies up to the first page that is not there, and says how much
    // that was. The stack does not change meanwhile below the handler's own frame.
    let copied = unsafe { libc::pwrite(copies, stack, STACK_BYTES_MAX, at) };
    // SAFETY: it takes no argument and cannot fail.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    slot.thread.store(thread as u32, Ordering::Relaxed);
    slot.instruction.store(registers.instruction, Ordering::Relaxed);
    slot.stack.store(registers.stack, Ordering::Relaxed);
    slot.frame.store(registers.frame, Ordering::Relaxed);
    slot.link.store(registers.link, Ordering::Relaxed);
    slot.copied.store(usize::try_from(copied).unwrap_or(0), Ordering::Relaxed);
    slot.state.store(FULL, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        hint::black_box,
        sync::Mutex,
        thread,
        time::{Duration, Instant},
    };

    /// There is one timer, and tests run beside each other.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    /// Uses CPU time until `enough` says so, or long after it should have.
    fn burn(mut enough: impl FnMut() -> bool) {
        let began = Instant::now();
        while !enough() && began.elapsed() < Duration::from_secs(60) {
            for number in 0..10_000 {
                black_box(number);
            }
        }
    }

    #[test]
    fn busy_thread_is_sampled_with_its_stack() {
        let _only = ONE_AT_A_TIME.lock().unwrap();
        let mut sampler = Sampler::start(200).unwrap();
        let here = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
        let mark = 0x5EED_0F57_AC4B_0B0Bu64;
        let marked = black_box(&mark).to_ne_bytes();
        let mut seen = 0;
        burn(|| {
            sampler.take(|sample| {
                let is_marked = sample.stack.windows(8).any(|bytes| bytes == marked);
                seen += u32::from(sample.thread == here && is_marked && sample.registers.instruction != 0);
            });
            seen >= 5
        });
        black_box(&mark);
        assert!(seen >= 5, "{seen}");
    }

    #[test]
    fn second_sampler_is_refused_until_the_first_ends() {
        let _only = ONE_AT_A_TIME.lock().unwrap();
        let sampler = Sampler::start(100).unwrap();
        assert!(matches!(Sampler::start(100), Err(SamplerError::Running)));
        drop(sampler);
        drop(Sampler::start(100).unwrap());
    }

    #[test]
    fn samples_that_nobody_takes_are_counted() {
        let _only = ONE_AT_A_TIME.lock().unwrap();
        let mut sampler = Sampler::start(1000).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| burn(|| sampler.missed() > 0));
            }
        });
        assert!(sampler.missed() > 0);
        sampler.stop();
        let mut taken = 0;
        sampler.take(|_| taken += 1);
        assert_eq!(taken, WAITING_MAX);
    }
}
