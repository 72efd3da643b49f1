//! The project's files as the rules see them: which there are, and in Rust files what is code, comment and literal.
//! Reads text only; knows no rule.

use std::{fmt, fs, path::Path, sync::LazyLock};

/// What git, builds and measurements leave in the project's folder.
const NOT_OURS: [&str; 6] = [".git", ".tools", "bench-results", "profiles", "target", "tune-results"];

/// A rule that is broken, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    pub(crate) path: String,
    /// From 1; 0 when it is about the file as a whole.
    pub(crate) line: usize,
    pub(crate) rule: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.rule),
            line => write!(f, "{}:{line}: {}", self.path, self.rule),
        }
    }
}

/// A text file of the project.
#[derive(Clone)]
pub(crate) struct File {
    /// From the project's folder, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn breach(&self, line: usize, rule: impl Into<String>) -> Breach {
        Breach { path: self.path.clone(), line, rule: rule.into() }
    }

    /// Whether it lies in one of these folders, or is one of these files.
    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| match place.ends_with('/') {
            true => self.path.starts_with(place),
            false => self.path == *place,
        })
    }
}

/// A Rust file, taken apart. Both texts have the lines and columns of the original, with blanks for the rest.
pub(crate) struct Rust {
    pub(crate) file: File,
    /// Without comments and without the insides of literals.
    pub(crate) code: String,
    /// The insides of literals.
    pub(crate) literals: String,
    /// Bytes from here on are compiled for tests only.
    tests_from: usize,
}

impl Rust {
    pub(crate) fn parse(file: File) -> Rust {
        let (code, _, literals) = split(&file.text);
        let tests_from = match is_test_file(&file.path) {
            true => 0,
            // The house puts tests last, so all that follows belongs to them.
            false => code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len()),
        };
        Rust { file, code, literals, tests_from }
    }

    /// The code that the product is made of.
    pub(crate) fn product(&self) -> &str {
        &self.code[..self.tests_from]
    }

    pub(crate) fn line_at(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }

    pub(crate) fn breach_at(&self, at: usize, rule: impl Into<String>) -> Breach {
        self.file.breach(self.line_at(at), rule)
    }
}

fn is_test_file(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

/// Every text file of the project.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(root, root, &mut files);
    files
});

/// Every Rust file of the project.
pub(crate) static SOURCES: LazyLock<Vec<Rust>> =
    LazyLock::new(|| FILES.iter().filter(|file| file.path.ends_with(".rs")).cloned().map(Rust::parse).collect());

fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().expect("names of files are UTF-8");
        if folder == root && NOT_OURS.contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).unwrap().to_str().expect("names of files are UTF-8");
            files.push(File { path: path.to_owned(), text });
        }
    }
}

/// Code, comments and the insides of literals.
fn split(text: &str) -> (String, String, String) {
    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        Code,
        Comment,
        Literal,
    }
    let bytes = text.as_bytes();
    let mut kinds = vec![Kind::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (kind, from, end, next) = if rest.starts_with(b"//") {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            (Kind::Comment, 0, end, end)
        } else if rest.starts_with(b"/*") {
            let end = block_comment(rest);
            (Kind::Comment, 0, end, end)
        } else if let Some(hashes) = raw_string(bytes, at) {
            let from = 2 + hashes;
            let close = format!("\"{}", "#".repeat(hashes));
            let length = text[at + from..].find(&close).expect("a raw string ends");
            (Kind::Literal, from, from + length, from + length + close.len())
        } else if rest[0] == b'"' {
            let mut end = 1;
            while rest[end] != b'"' {
                end += if rest[end] == b'\\' { 2 } else { 1 };
            }
            (Kind::Literal, 1, end, end + 1)
        } else if let Some(end) = character(&text[at..]) {
            (Kind::Literal, 1, end, end + 1)
        } else {
            (Kind::Code, 0, 1, 1)
        };
        kinds[at + from..at + end].fill(kind);
        at += next;
    }
    let only = |wanted: Kind| {
        let kept = bytes.iter().zip(&kinds).map(|(byte, kind)| match *byte {
            b'\n' => b'\n',
            byte if *kind == wanted => byte,
            _ => b' ',
        });
        String::from_utf8(kept.collect()).expect("kinds change between characters only")
    };
    (only(Kind::Code), only(Kind::Comment), only(Kind::Literal))
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 || at >= rest.len() {
            return at;
        }
    }
}

/// The number of hashes, when a raw string begins here.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map_or(b' ', |at| bytes[at]);
    let in_word = before.is_ascii_alphanumeric() && before != b'b' && before != b'c' || before == b'_';
    if bytes[at] != b'r' || in_word {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

/// Where the closing quote stands, when a character literal begins here rather than a lifetime.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escape) = inside.strip_prefix('\\') {
        // The escaped character may be a quote itself.
        return escape.get(1..)?.find('\'').map(|end| end + 3);
    }
    let first = inside.chars().next()?;
    inside[first.len_utf8()..].starts_with('\'').then(|| 1 + first.len_utf8())
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let text = "let a = \"x // \\\" y\"; // b \"c\"\nlet d: &'static [char] = &['\\'', '\"', 'é']; /* e /* f */ */ r#\"g\"h\"#;";
    let (code, comments, literals) = split(text);
    assert!(comments.contains("// b \"c\"") && comments.contains("/* e /* f */ */"));
    assert!(literals.contains("x // \\\" y") && literals.contains("é") && literals.contains("g\"h"));
    assert!(code.contains("let d: &'static [char]") && code.ends_with("r#\"   \"#;"));
    for other in ["//", "b", "e", "f", "g", "x"] {
        assert!(!code.replace("let", "").contains(other), "{other} in {code}");
    }
}
