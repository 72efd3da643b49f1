//! From a copy of a stack to the addresses of its frames, by the tables that compilers write for exceptions
//! (`.eh_frame`). Needs no frame pointers, and reads nothing but the copy.

use super::Addresses;
use crate::limits::PROFILE_FRAMES_MAX;
use framehop::{
    CacheNative, ExplicitModuleSectionInfo, MayAllocateDuringUnwind, Module, UnwindRegsNative, Unwinder as _,
    UnwinderNative,
};
use object::{Object, ObjectSection, ObjectSegment, ReadCache};
use shards::{Registers, Sample};
use std::{collections::BTreeMap, fs, io, ops::Range, path::Path};

/// Knows how the code of this process lays out its stacks.
pub(super) struct Unwinder {
    unwinder: UnwinderNative<Vec<u8>, MayAllocateDuringUnwind>,
    cache: CacheNative<MayAllocateDuringUnwind>,
}

impl Unwinder {
    /// Reads the tables of everything that is loaded.
    pub(super) fn of_this_process() -> io::Result<Unwinder> {
        let mut unwinder = UnwinderNative::new();
        for (path, loaded) in loaded(&fs::read_to_string("/proc/self/maps")?) {
            // What cannot be read is what frames end in.
            if let Some(module) = module(&path, loaded) {
                unwinder.add_module(module);
            }
        }
        Ok(Unwinder { unwinder, cache: CacheNative::new() })
    }

    /// Where the thread was, and where each of its callers goes on, as far as the copy reaches.
    pub(super) fn addresses(&mut self, sample: &Sample<'_>) -> Addresses {
        let mut read = |address: u64| word(sample, address).ok_or(());
        let start = sample.registers.instruction;
        let mut frames = self.unwinder.iter_frames(start, registers(&sample.registers), &mut self.cache, &mut read);
        let mut addresses = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            addresses.push(frame.address());
            if addresses.len() == PROFILE_FRAMES_MAX {
                break;
            }
        }
        addresses.into()
    }
}

/// Eight bytes of the copy.
fn word(sample: &Sample<'_>, address: u64) -> Option<u64> {
    let at = usize::try_from(address.checked_sub(sample.registers.stack)?).ok()?;
    let bytes = sample.stack.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_ne_bytes)
}

#[cfg(target_arch = "x86_64")]
fn registers(of: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(of.instruction, of.stack, of.frame)
}

#[cfg(target_arch = "aarch64")]
fn registers(of: &Registers) -> UnwindRegsNative {
    UnwindRegsNative::new(of.link, of.stack, of.frame)
}

/// Files and the addresses that they are loaded to, from lines of `/proc/self/maps` (proc(5)).
pub(super) fn loaded(maps: &str) -> BTreeMap<String, Range<u64>> {
    let mut files: BTreeMap<String, Range<u64>> = BTreeMap::new();
    for line in maps.lines() {
        let Some((range, path)) = mapping(line) else { continue };
        let whole = files.entry(path.to_owned()).or_insert_with(|| range.clone());
        *whole = whole.start.min(range.start)..whole.end.max(range.end);
    }
    files
}

fn mapping(line: &str) -> Option<(Range<u64>, &str)> {
    let path = &line[line.find('/')?..];
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?, path))
}

fn module(path: &str, loaded: Range<u64>) -> Option<Module<Vec<u8>>> {
    // The program's own file may have been replaced by a newer one since.
    let is_program = fs::read_link("/proc/self/exe").is_ok_and(|program| program == Path::new(path));
    // Reads what is asked for; most of a file is debug information.
    let data = ReadCache::new(fs::File::open(if is_program { "/proc/self/exe" } else { path }).ok()?);
    let file = object::File::parse(&data).ok()?;
    let section = |name: &str| file.section_by_name(name);
    let place = |name: &str| section(name).map(|section| section.address()..section.address() + section.size());
    let content = |name: &str| section(name)?.data().ok().map(<[u8]>::to_vec);
    let sections = ExplicitModuleSectionInfo {
        base_svma: file.segments().map(|segment| segment.address()).min()?,
        text_svma: place(".text"),
        got_svma: place(".got"),
        eh_frame_svma: place(".eh_frame"),
        eh_frame: content(".eh_frame"),
        eh_frame_hdr_svma: place(".eh_frame_hdr"),
        eh_frame_hdr: content(".eh_frame_hdr"),
        ..ExplicitModuleSectionInfo::default()
    };
    Some(Module::new(path.to_owned(), loaded.clone(), loaded.start, sections))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_of_a_file_are_one_module() {
        let maps = "\
            5500-5600 r--p 00000000 fe:00 12 /usr/bin/jeday (deleted)\n\
            5600-5900 r-xp 00000100 fe:00 12 /usr/bin/jeday (deleted)\n\
            7000-7100 rw-p 00000000 00:00 0\n\
            7f00-7fff r-xp 00000000 fe:00 34 /lib/libc.so.6\n\
            8000-8100 r-xp 00000000 00:00 0 [vdso]\n";
        let loaded = loaded(maps);
        assert_eq!(loaded["/usr/bin/jeday (deleted)"], 0x5500..0x5900);
        assert_eq!(loaded["/lib/libc.so.6"], 0x7f00..0x7fff);
        assert_eq!(loaded.len(), 2);
    }

    #[test]
    fn nothing_outside_the_copy_is_read() {
        let registers = Registers { instruction: 1, stack: 1000, frame: 0, link: 0 };
        let stack: Vec<u8> = (0..16).collect();
        let sample = Sample { thread: 1, registers, stack: &stack };
        assert_eq!(word(&sample, 1008), Some(u64::from_ne_bytes([8, 9, 10, 11, 12, 13, 14, 15])));
        for outside in [0, 999, 1009, 1016, u64::MAX] {
            assert_eq!(word(&sample, outside), None, "{outside}");
        }
    }
}
