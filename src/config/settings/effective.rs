//! A value that holds, as it may be shown: secrets are already masked. Never the value that the server works with.

use super::super::values::bytes;

/// What is shown for a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effective {
    /// No value.
    Unset,
    /// A number.
    Number(usize),
    /// A size in bytes.
    Bytes(usize),
    /// Yes or no.
    Switch(bool),
    /// Anything else.
    Text(String),
}

impl Effective {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// As a TOML value; none when unset.
    pub fn toml(&self) -> Option<String> {
        match self {
            Self::Unset => None,
            Self::Number(number) => Some(number.to_string()),
            Self::Bytes(size) => {
                let shown = bytes::show(*size);
                let is_plain = shown.bytes().all(|byte| byte.is_ascii_digit());
                Some(if is_plain { shown } else { quoted(&shown) })
            }
            Self::Switch(on) => Some(on.to_string()),
            Self::Text(text) => Some(quoted(text)),
        }
    }

    /// As a JSON value; sizes are numbers of bytes.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::Unset => serde_json::Value::Null,
            Self::Number(number) | Self::Bytes(number) => (*number).into(),
            Self::Switch(on) => (*on).into(),
            Self::Text(text) => text.as_str().into(),
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
