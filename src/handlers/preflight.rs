//! What a browser asks before it sends a request for another website's page (the Fetch standard, CORS preflight): what
//! the path allows. With whom the reply is shared is not decided here.

use super::Reply;
use crate::{
    http::field::{Field, FieldName, FieldValue},
    limits::CORS_MAX_AGE_S,
};

/// Fields of a request that this API reads and that a page may not set unasked.
const REQUEST_FIELDS: FieldValue<'static> = FieldValue::from_static("Authorization, Content-Type, Idempotency-Key");

/// The answer for a path with these methods, the same whatever the browser asks about: it compares for itself.
pub fn preflight(methods: &'static str) -> Reply {
    let fields = vec![
        Field::new(FieldName::ACCESS_CONTROL_ALLOW_METHODS, FieldValue::from_static(methods)),
        Field::new(FieldName::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_FIELDS),
        Field::new(FieldName::ACCESS_CONTROL_MAX_AGE, FieldValue::number(CORS_MAX_AGE_S)),
    ];
    Reply { fields, ..Reply::no_content() }
}
