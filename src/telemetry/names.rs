//! The names behind the indexes: what callers count by number, readers see by name.
//!
//! Names are given once, before the first shard starts, so the request path never sees a string.

/// Routes that can be told apart. Jeday has about fifteen; twice that leaves room.
pub const ROUTES_MAX: usize = 32;

/// Batched statements that can be told apart. There are 13; each slot costs a shard less than 1 KiB.
pub const STATEMENTS_MAX: usize = 24;

/// Outcomes an item of one statement can have.
pub const OUTCOMES_MAX: usize = 8;

/// Kinds of malformed requests that can be told apart.
pub const PARSE_ERRORS_MAX: usize = 32;

/// A route, as the labels `method` and `route` show it.
#[derive(Clone, Copy, Debug)]
pub struct RouteName {
    /// The method, in capitals; for a route that is no single method's, a word in small letters.
    pub method: &'static str,
    /// The path's pattern, never the path that was asked for.
    pub path: &'static str,
}

/// A batched statement and what can become of its items.
#[derive(Clone, Copy, Debug)]
pub struct StatementName {
    /// Label `statement`.
    pub name: &'static str,
    /// Label `outcome`, by the index that is given to [`Batch::outcome`](super::Batch::outcome).
    pub outcomes: &'static [&'static str],
}

/// The names of everything that is counted by an index.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Routes by the index that is given to [`Requests::observe`](super::Requests::observe).
    pub routes: &'static [RouteName],
    /// Statements by their index in [`ShardMetrics::batches`](super::ShardMetrics::batches).
    pub statements: &'static [StatementName],
    /// Kinds of parse errors by the index that is given to [`ParseErrors::record`](super::ParseErrors::record).
    pub parse_errors: &'static [&'static str],
}

impl Names {
    /// Checks that the tables hold all names. `const`, so that a table of names can be checked when it is compiled.
    ///
    /// # Panics
    /// When there are more names than slots.
    pub const fn assert_fit(&self) {
        assert!(self.routes.len() <= ROUTES_MAX, "more routes than ROUTES_MAX");
        assert!(self.statements.len() <= STATEMENTS_MAX, "more statements than STATEMENTS_MAX");
        assert!(self.parse_errors.len() <= PARSE_ERRORS_MAX, "more kinds of parse errors than PARSE_ERRORS_MAX");
        let mut i = 0;
        while i < self.statements.len() {
            assert!(
                self.statements[i].outcomes.len() <= OUTCOMES_MAX,
                "more outcomes of a statement than OUTCOMES_MAX"
            );
            i += 1;
        }
    }
}
