//! Tables for people. Pure, but for printing.

use super::{facts::Facts, statistics::Spread, verdict::Verdict};

/// A table whose columns are as wide as they need to be; the first is left-aligned.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<'a>(titles: impl IntoIterator<Item = &'a str>) -> Table {
        Table { rows: vec![titles.into_iter().map(str::to_owned).collect()] }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn show(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let width = |column| cells(column).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// What the figures depend on.
pub(crate) fn facts(facts: &Facts) -> String {
    let Facts { date, commit, cpu, cores, memory_mib, kernel, file_system, load_average, .. } = facts;
    let (postgresql, wrk, settings) = (&facts.postgresql, &facts.wrk, facts.postgresql_settings.join(", "));
    let mut text = format!(
        "jeday {commit}, {date}\n{cpu}, {cores} cores, {memory_mib} MiB, Linux {kernel}, {file_system}\n\
         PostgreSQL {postgresql}: {settings}\n{wrk}\n"
    );
    if *load_average > 0.5 {
        text +=
            &format!("Load average {load_average}: others use this machine, only ratios of one run can be trusted.\n");
    }
    text
}

/// Which targets are reached.
pub(crate) fn verdicts(verdicts: &[Verdict]) -> String {
    let mut table = Table::new(["target", "wanted", "measured", ""]);
    for Verdict { what, target, figure, outcome } in verdicts {
        table.row([(*what).to_owned(), target.clone(), figure.clone(), outcome.word().to_owned()]);
    }
    table.show()
}

/// A figure in a cell.
pub(crate) fn show(spread: Option<Spread>, decimals: usize) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| spread.show(decimals))
}

/// Microseconds as milliseconds.
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_machine_is_pointed_out() {
        let mut it = Facts::example();
        assert!(!facts(&it).contains("others use this machine"));
        it.load_average = 2.0;
        assert!(facts(&it).contains("others use this machine"));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["what", "a"]);
        table.row(["x".to_owned(), "123".to_owned()]);
        table.row(["longer".to_owned()]);
        assert_eq!(table.show(), "what      a\nx       123\nlonger\n");
    }
}
