//! From addresses to the functions that people know, each looked up once. Knows no format.

use super::unwind::loaded;
use backtrace::SymbolName;
use object::{Object, ObjectSegment, ReadCache};
use std::{collections::HashMap, fs, ops::Range, path::Path, ptr, rc::Rc};

/// A function as its source has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Function {
    pub(super) name: Rc<str>,
    /// As the linker has it.
    pub(super) symbol: Rc<str>,
    /// Empty when it is not known.
    pub(super) file: Rc<str>,
    /// 0 when it is not known.
    pub(super) line: u32,
}

/// What has been looked up, and the program's symbol table.
pub(super) struct Functions {
    known: HashMap<u64, Rc<[Function]>>,
    symbols: Symbols,
}

/// The names of the program's own functions as the linker has them, by address. The debug information of a release has
/// lines and files, but names without their modules.
#[derive(Default)]
struct Symbols {
    /// Where the program is.
    loaded: Range<u64>,
    /// Where each begins, counted from there.
    starts: Vec<(u64, Box<str>)>,
}

impl Functions {
    /// Reads the symbol table.
    pub(super) fn of_this_process() -> Functions {
        Functions { known: HashMap::new(), symbols: Symbols::of_this_program().unwrap_or_default() }
    }

    /// The function at an address of a stack, behind those that the compiler has put into it; never none. `depth` is
    /// the address's place in its stack.
    pub(super) fn at(&mut self, depth: usize, address: u64) -> Rc<[Function]> {
        // The library takes every address for one that a call returns to, and looks at the byte before it; the
        // innermost is of an instruction yet to run.
        let address = address + u64::from(depth == 0);
        self.known.entry(address).or_insert_with(|| look_up(address, &self.symbols)).clone()
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        // What the library keeps of the debug information is more than all that a server without profiles needs.
        backtrace::clear_symbol_cache();
    }
}

impl Symbols {
    /// None when the table cannot be read, or has been stripped.
    fn of_this_program() -> Option<Symbols> {
        let program = fs::read_link("/proc/self/exe").ok()?;
        let loaded = loaded(&fs::read_to_string("/proc/self/maps").ok()?).remove(program.to_str()?)?;
        let data = ReadCache::new(fs::File::open("/proc/self/exe").ok()?);
        let file = object::File::parse(&data).ok()?;
        let base = file.segments().map(|segment| segment.address()).min()?;
        let start = |symbol: &object::SymbolMapName<'_>| (symbol.address().wrapping_sub(base), symbol.name().into());
        Some(Symbols { loaded, starts: file.symbol_map().symbols().iter().map(start).collect() })
    }

    /// What the byte before this address belongs to.
    fn before(&self, address: u64) -> Option<&str> {
        let offset = address.checked_sub(1).filter(|at| self.loaded.contains(at))? - self.loaded.start;
        let behind = self.starts.partition_point(|(start, _)| *start <= offset);
        Some(&self.starts.get(behind.checked_sub(1)?)?.1)
    }
}

fn look_up(address: u64, symbols: &Symbols) -> Rc<[Function]> {
    let mut functions = Vec::new();
    backtrace::resolve(ptr::without_provenance_mut(address as usize), |symbol| {
        let file = symbol.filename().map(Path::to_string_lossy);
        let line = symbol.lineno().unwrap_or(0);
        functions.push(Function::new(symbol.name(), address, file.unwrap_or_default().into(), line));
    });
    if functions.is_empty() {
        functions.push(Function::new(None, address, "".into(), 0));
    }
    // The last is the one that is there as such; the others have been put into it.
    if let (Some(symbol), Some(real)) = (symbols.before(address), functions.last_mut()) {
        let name = SymbolName::new(symbol.as_bytes());
        *real = Function::new(Some(name), address, real.file.clone(), real.line);
    }
    functions.into()
}

impl Function {
    fn new(symbol: Option<SymbolName<'_>>, address: u64, file: Rc<str>, line: u32) -> Function {
        let unknown = || format!("{address:#x}");
        let raw = symbol.as_ref().and_then(|symbol| symbol.as_str().map(str::to_owned));
        let name = symbol.as_ref().map(|symbol| format!("{symbol:#}"));
        Function { symbol: raw.unwrap_or_else(unknown).into(), name: name.unwrap_or_else(unknown).into(), file, line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn function_is_known_by_its_whole_path() {
        let mut functions = Functions::of_this_process();
        let start = black_box(loaded as fn(&str) -> _) as usize as u64;
        let found = functions.at(0, start);
        let real = found.last().unwrap();
        assert!(real.name.ends_with("telemetry::profiler::unwind::loaded"), "{real:?}");
        assert_ne!(real.name, real.symbol);
        // A build without debug information has its names all the same, and no files.
        assert!(real.file.is_empty() || real.file.ends_with("unwind.rs"), "{real:?}");
    }

    #[test]
    fn address_of_nothing_is_its_own_name() {
        assert_eq!(&*Functions::of_this_process().at(1, 0x10)[0].name, "0x10");
    }
}
