//! From addresses to the functions that people know, each looked up once. Knows no format.

use std::{collections::HashMap, path::Path, ptr, rc::Rc};

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

/// What has been looked up.
#[derive(Default)]
pub(super) struct Functions(HashMap<u64, Rc<[Function]>>);

impl Functions {
    /// The function at an address of a stack, behind those that the compiler has put into it; never none. `depth` is
    /// the address's place in its stack.
    pub(super) fn at(&mut self, depth: usize, address: u64) -> Rc<[Function]> {
        // The library takes every address for one that a call returns to, and looks at the byte before it; the
        // innermost is of an instruction yet to run.
        let address = address + u64::from(depth == 0);
        self.0.entry(address).or_insert_with(|| look_up(address)).clone()
    }
}

fn look_up(address: u64) -> Rc<[Function]> {
    let mut functions = Vec::new();
    backtrace::resolve(ptr::without_provenance_mut(address as usize), |symbol| {
        let name = symbol.name();
        let raw = name.as_ref().and_then(|name| name.as_str());
        let file = symbol.filename().map(Path::to_string_lossy);
        functions.push(Function {
            symbol: raw.map_or_else(|| unknown(address), str::to_owned).into(),
            name: name.as_ref().map_or_else(|| unknown(address), |name| format!("{name:#}")).into(),
            file: file.unwrap_or_default().into(),
            line: symbol.lineno().unwrap_or(0),
        });
    });
    if functions.is_empty() {
        let name: Rc<str> = unknown(address).into();
        functions.push(Function { symbol: name.clone(), name, file: "".into(), line: 0 });
    }
    functions.into()
}

fn unknown(address: u64) -> String {
    format!("{address:#x}")
}
