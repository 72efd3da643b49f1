//! Members of a request's body: each is looked at before any is refused, so that a form shows all its faults at once.

use super::{
    Rejection,
    rejection::{Field, FieldProblem},
};
use std::borrow::Cow;

/// What was sent, parsed.
pub(super) fn present<T>(
    sent: Option<Cow<'_, str>>,
    parse: impl FnOnce(Cow<'_, str>) -> Result<T, FieldProblem>,
) -> Result<T, FieldProblem> {
    sent.ok_or(FieldProblem::Missing).and_then(parse)
}

/// The refusal of a body in which these fields have these problems, if any.
pub(super) fn refused<const N: usize>(problems: [(Field, Option<FieldProblem>); N]) -> Rejection {
    let found = problems.into_iter().filter_map(|(field, problem)| Some((field, problem?)));
    Rejection::InvalidFields(found.collect())
}
