//! The trace that a request belongs to (W3C Trace Context, level 1): the field `traceparent`. A field that is not well
//! formed is none, never an error. `tracestate` is for those who send requests on, which nobody here does.

use std::fmt;

/// What version 00 has (section 3.2.2), and what every later one begins with (section 3.2.4).
const VERSION_00_BYTES: usize = 55;

/// A version that does not exist (section 3.2.2.1).
const VERSION_INVALID: u8 = 0xff;

/// The bit that says that the caller may have recorded the trace (section 3.2.2.5.1).
const SAMPLED: u8 = 0x01;

/// The name of a trace. Never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// The name of a span. Never all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The caller's span.
    pub span: SpanId,
    /// Whether the caller may have recorded it.
    pub sampled: bool,
}

impl TraceId {
    /// None when all of it is zero.
    pub fn new(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// As it is sent in binary formats.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl SpanId {
    /// None when all of it is zero.
    pub fn new(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// As it is sent in binary formats.
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl TraceParent {
    /// Reads the value of the field. Of a version that is not known yet, what version 00 has of it.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(VERSION_00_BYTES)?;
        let [version] = hex(&known[..2])?;
        let ends_well = match version {
            VERSION_INVALID => false,
            0 => more.is_empty(),
            _ => matches!(more, [] | [b'-', ..]),
        };
        if !ends_well || [known[2], known[35], known[52]] != *b"---" {
            return None;
        }
        let [flags] = hex(&known[53..])?;
        Some(Self {
            trace: TraceId::new(hex(&known[3..35])?)?,
            span: SpanId::new(hex(&known[36..52])?)?,
            sampled: flags & SAMPLED != 0,
        })
    }
}

/// Digits in lower case, as the standard has them (section 3.2.2.3); `text` has two for each byte.
fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(bytes)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn parse(text: &str) -> Option<TraceParent> {
        TraceParent::parse(text.as_bytes())
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        let sampled = parse(&format!("00-{TRACE}-{SPAN}-01")).unwrap();
        assert_eq!((sampled.trace.to_string(), sampled.span.to_string()), (TRACE.to_owned(), SPAN.to_owned()));
        assert!(sampled.sampled);
        assert!(!parse(&format!("00-{TRACE}-{SPAN}-00")).unwrap().sampled);
    }

    #[test]
    fn flags_that_are_not_known_say_nothing() {
        assert!(parse(&format!("00-{TRACE}-{SPAN}-ff")).unwrap().sampled);
        assert!(!parse(&format!("00-{TRACE}-{SPAN}-fe")).unwrap().sampled);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let known = parse(&format!("00-{TRACE}-{SPAN}-01"));
        for text in ["", "-", "-anything at all, of any length"].map(|more| format!("cc-{TRACE}-{SPAN}-01{more}")) {
            assert_eq!(parse(&text), known, "{text}");
        }
        assert_eq!(parse(&format!("cc-{TRACE}-{SPAN}-01.what")), None);
        assert_eq!(parse(&format!("cc-{TRACE}-{SPAN}-0")), None);
    }

    #[test]
    fn what_is_not_well_formed_is_no_parent() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        for text in [
            String::new(),
            good.to_ascii_uppercase(),
            good.replacen("00-", "ff-", 1),
            good.replacen("00-", "0g-", 1),
            good.replacen('-', "_", 1),
            good.replace("-00f", " 00f"),
            good.replace("-01", ".01"),
            good.replace("-01", "-0x"),
            good.replace("-01", "-1"),
            format!("{good}-"),
            format!("{good}-what-the-future-has"),
            format!(" {good}"),
            format!("{good},{good}"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{}-{SPAN}-01", TRACE.replace('f', "\u{e9}")),
        ] {
            assert_eq!(parse(&text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_was_read(trace: [u8; 16], span: [u8; 8], flags: u8) {
            let (Some(trace), Some(span)) = (TraceId::new(trace), SpanId::new(span)) else { return Ok(()) };
            let read = parse(&format!("00-{trace}-{span}-{flags:02x}"));
            prop_assert_eq!(read, Some(TraceParent { trace, span, sampled: flags % 2 == 1 }));
        }

        #[test]
        fn no_bytes_are_too_strange_to_be_refused(value: Vec<u8>) {
            let _ = TraceParent::parse(&value);
        }
    }
}
