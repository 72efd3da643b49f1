//! A profile in the format of pprof: `profile.proto` of github.com/google/pprof, under gzip. Only the fields that are
//! filled stand here, under their numbers there.

use super::{
    Profile,
    functions::{Function, Functions},
};
use crate::limits::PROFILE_HZ;
use flate2::{Compression, write::GzEncoder};
use prost::Message;
use std::{collections::HashMap, io::Write, rc::Rc};

#[derive(Clone, PartialEq, Message)]
pub(super) struct File {
    #[prost(message, repeated, tag = "1")]
    pub(super) sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    pub(super) sample: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    pub(super) location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(super) function: Vec<FunctionEntry>,
    /// The first is empty; all other texts are places in it.
    #[prost(string, repeated, tag = "6")]
    pub(super) string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    /// The innermost first.
    #[prost(uint64, repeated, tag = "1")]
    pub(super) location_id: Vec<u64>,
    /// One for each type.
    #[prost(int64, repeated, tag = "2")]
    pub(super) value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    str: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    /// Those that were put into others first.
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FunctionEntry {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    pub(super) name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

pub(super) fn encode(profile: &Profile) -> Vec<u8> {
    let file = file(profile).encode_to_vec();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&file).and_then(|()| gzip.finish()).expect("a vector takes all that is written")
}

/// A file in the making; ids begin with 1.
struct Tables {
    texts: HashMap<Rc<str>, i64>,
    functions: HashMap<(Rc<str>, Rc<str>), u64>,
    locations: HashMap<(bool, u64), u64>,
    looked_up: Functions,
    file: File,
}

fn file(profile: &Profile) -> File {
    let mut tables = Tables {
        texts: HashMap::new(),
        functions: HashMap::new(),
        locations: HashMap::new(),
        looked_up: Functions::of_this_process(),
        file: File::default(),
    };
    tables.text(&"".into());
    let period = 1_000_000_000 / i64::from(PROFILE_HZ);
    let types = [("samples", "count"), ("cpu", "nanoseconds")];
    tables.file.sample_type = types.map(|(name, unit)| tables.value_type(name, unit)).into();
    let thread_key = tables.text(&"thread".into());
    for ((thread, stack), &count) in &profile.samples {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let label = Label { key: thread_key, str: tables.text(&Rc::from(&**thread)) };
        let location_id = stack.iter().enumerate().map(|(depth, &address)| tables.location(depth, address)).collect();
        tables.file.sample.push(Sample {
            location_id,
            value: vec![count, count.saturating_mul(period)],
            label: vec![label],
        });
    }
    let missed = tables.text(&Rc::from(format!("samples missed: {}", profile.missed)));
    File {
        time_nanos: i64::try_from(profile.began_unix_ms * 1_000_000).unwrap_or(i64::MAX),
        duration_nanos: i64::try_from(profile.lasted.as_nanos()).unwrap_or(i64::MAX),
        period_type: tables.file.sample_type.last().cloned(),
        period,
        comment: vec![missed],
        ..tables.file
    }
}

impl Tables {
    fn text(&mut self, text: &Rc<str>) -> i64 {
        if let Some(&place) = self.texts.get(text) {
            return place;
        }
        let place = place(self.file.string_table.len());
        self.file.string_table.push(text.to_string());
        self.texts.insert(text.clone(), place);
        place
    }

    fn value_type(&mut self, name: &str, unit: &str) -> ValueType {
        ValueType { r#type: self.text(&name.into()), unit: self.text(&unit.into()) }
    }

    fn location(&mut self, depth: usize, address: u64) -> u64 {
        // The same address may be an instruction about to run here, and where a call returns to there.
        let key = (depth == 0, address);
        if let Some(&id) = self.locations.get(&key) {
            return id;
        }
        let functions = self.looked_up.at(depth, address);
        let line = functions
            .iter()
            .map(|function| Line { function_id: self.function(function), line: i64::from(function.line) });
        let line = line.collect();
        let id = self.file.location.len() as u64 + 1;
        self.file.location.push(Location { id, address, line });
        self.locations.insert(key, id);
        id
    }

    fn function(&mut self, function: &Function) -> u64 {
        let key = (function.name.clone(), function.file.clone());
        if let Some(&id) = self.functions.get(&key) {
            return id;
        }
        let (name, filename) = (self.text(&function.name), self.text(&function.file));
        // Where it equals the name, `go tool pprof` takes the name for one of C++, and drops what is in angle brackets.
        let system_name = self.text(&function.symbol);
        let id = self.file.function.len() as u64 + 1;
        self.file.function.push(FunctionEntry { id, name, system_name, filename });
        self.functions.insert(key, id);
        id
    }
}

fn place(index: usize) -> i64 {
    i64::try_from(index).expect("a table in memory is shorter")
}
