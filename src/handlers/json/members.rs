//! The members of a JSON object that a client sends (RFC 8259 section 4): an array in its place, a name that comes
//! twice and a value of another type are refused. Never lets what is ignored off: a front that reads it as well must
//! see in it what is seen here.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, collections::BTreeSet, fmt};

/// Reads the members of these names from an object.
pub(super) struct Members<const N: usize> {
    pub(super) names: [&'static str; N],
}

impl<'de, const N: usize> Visitor<'de> for Members<N> {
    type Value = [Option<Cow<'de, str>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [const { None }; N];
        let mut others = Names::default();
        while let Some(Text(name)) = map.next_key()? {
            match self.names.iter().position(|known| *known == name) {
                None => {
                    others.note(name)?;
                    map.next_value::<Ignored>()?;
                }
                Some(at) => {
                    let value: Option<Text<'de>> = map.next_value()?;
                    if found[at].replace(value).is_some() {
                        return Err(repeated());
                    }
                }
            }
        }
        Ok(found.map(|value| value.flatten().map(|Text(text)| text)))
    }
}

fn repeated<E: Error>() -> E {
    E::custom("a member comes twice")
}

/// Names that an object has had so far. Ordered: a body full of them must not cost the square of its length.
#[derive(Default)]
struct Names<'de>(BTreeSet<Cow<'de, str>>);

impl<'de> Names<'de> {
    fn note<E: Error>(&mut self, name: Cow<'de, str>) -> Result<(), E> {
        if self.0.insert(name) { Ok(()) } else { Err(repeated()) }
    }
}

/// A string, borrowed unless there is an escape in it.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// A value that nobody asked for. Read to its last leaf, as deep as the JSON reader goes, which is 127 levels; its own
/// way of skipping would bear with any depth, with names that come twice, and with strings that are no text.
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Ignored)
    }
}

impl<'de> Visitor<'de> for Ignored {
    type Value = Ignored;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_unit<E: Error>(self) -> Result<Ignored, E> {
        Ok(Ignored)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Ignored, A::Error> {
        while array.next_element::<Ignored>()?.is_some() {}
        Ok(Ignored)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ignored, A::Error> {
        let mut names = Names::default();
        while let Some(Text(name)) = map.next_key()? {
            names.note(name)?;
            map.next_value::<Ignored>()?;
        }
        Ok(Ignored)
    }
}
