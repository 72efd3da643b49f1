//! What an SQLSTATE means for a batch that met it. Never looks at message texts: they change with the server's
//! language and version.

use std::fmt::{self, Display};

/// What to do about a statement that the server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A value in the batch is at fault: split the batch to find it, its neighbours are fine.
    ItemAtFault,
    /// Nothing is wrong with the batch: send it again.
    Retry,
    /// The server ended the connection, or cannot say what became of the statement.
    ConnectionLost,
    /// The server lacks a resource or cut the statement short: answer that the service is busy.
    Overloaded,
    /// The server has nowhere left to write: an operator must act.
    DiskFull,
    /// The server takes no writes: a failover has happened, connect anew.
    ReadOnly,
    /// Tables or rights are not what this version expects: run the migrations.
    Schema,
    /// The prepared statement is unknown, taken or out of date on this connection: prepare it again.
    NotPrepared,
    /// Anything else; wrong in a way that trying again does not mend.
    Other,
}

impl Class {
    /// A stable lower-case word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::ItemAtFault => "item_at_fault",
            Class::Retry => "retry",
            Class::ConnectionLost => "connection_lost",
            Class::Overloaded => "overloaded",
            Class::DiskFull => "disk_full",
            Class::ReadOnly => "read_only",
            Class::Schema => "schema",
            Class::NotPrepared => "not_prepared",
            Class::Other => "other",
        }
    }
}

impl Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Classifies a five-character code of PostgreSQL's appendix A. A code of an unknown class is [`Class::Other`].
pub fn classify(code: &str) -> Class {
    match code {
        // Serialisation failure, deadlock, rollback by a constraint of another transaction, lock not to be had in time.
        "40001" | "40P01" | "40002" | "40000" | "55P03" => Class::Retry,
        // The transaction may or may not have been committed: only looking tells.
        "40003" | "08007" => Class::ConnectionLost,
        // Cancelled, nearly always by statement_timeout: rolled back, the server is too slow just now.
        "57014" => Class::Overloaded,
        // idle_in_transaction_session_timeout and transaction_timeout end the session.
        "25P03" | "25P04" => Class::ConnectionLost,
        "25006" => Class::ReadOnly,
        "53100" => Class::DiskFull,
        // "cached plan must not change result type", after a migration under a running server, is 0A000.
        "26000" | "42P05" | "0A000" => Class::NotPrepared,
        // A row or an index entry larger than a page, from one oversized value.
        "54000" => Class::ItemAtFault,
        _ => match code.get(..2) {
            // Cardinality (one item hit twice), data, constraints, a trigger's own refusal, WITH CHECK OPTION.
            Some("21" | "22" | "23" | "P0" | "44") => Class::ItemAtFault,
            // Connection exceptions, operator intervention (shutdown, crash of a neighbour, database dropped).
            Some("08" | "57") => Class::ConnectionLost,
            Some("53") => Class::Overloaded,
            // Syntax, names and rights; no such database or schema; the role may not.
            Some("42" | "3D" | "3F" | "28") => Class::Schema,
            _ => Class::Other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_fall_into_the_class_that_tells_what_to_do() {
        let table = [
            (Class::ItemAtFault, &["22001", "22021", "23505", "23514", "21000", "P0001", "54000", "44000"][..]),
            (Class::Retry, &["40001", "40P01", "55P03"]),
            (Class::ConnectionLost, &["57P01", "57P02", "57P03", "57P05", "08006", "08P01", "40003", "25P03"]),
            (Class::Overloaded, &["53000", "53200", "53300", "53400", "57014"]),
            (Class::DiskFull, &["53100"]),
            (Class::ReadOnly, &["25006"]),
            (Class::Schema, &["42P01", "42703", "42501", "42883", "3D000", "3F000", "28000"]),
            (Class::NotPrepared, &["26000", "42P05", "0A000"]),
            (Class::Other, &["XX000", "XX001", "58030", "25P02", "", "2", "ß!"]),
        ];
        for (class, codes) in table {
            for code in codes {
                assert_eq!(classify(code), class, "{code}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_classified(code in "\\PC{0,8}") {
            let _ = classify(&code);
        }
    }
}
