// SPDX-License-Identifier: GPL-2.0-or-later
//! The rows as a table for people.

use comfy_table::{CellAlignment, Table, presets};

use super::row::{Rival, Row};

pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["bench", "case", "unit", "C", "Rust", "ratio", "spread", "goal", ""]);
    for row in rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut().skip(3).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(row: &Row) -> [String; 9] {
    let (mut theirs, mut ratio) = (String::new(), String::new());
    let mut spread = row.rust.spread;
    if let Some(compared) = &row.compared {
        let mark = if compared.rival == Rival::List { " (list)" } else { "" };
        theirs = format!("{}{mark}", number(compared.sample.median));
        ratio = format!("{:.3}", compared.ratio);
        spread = spread.max(compared.sample.spread);
    }
    let spread = if spread == 0.0 { String::new() } else { format!("{:.1} %", spread * 100.0) };
    let goal = row.goal.to_string();
    let (bench, case, unit) = (row.bench.to_string(), row.case.clone(), row.unit.to_string());
    [bench, case, unit, theirs, number(row.rust.median), ratio, spread, goal, verdict(row).into()]
}

fn verdict(row: &Row) -> &'static str {
    match row.met {
        _ if row.noisy => "noisy",
        None => "",
        Some(true) => "met",
        Some(false) => "missed",
    }
}

/// Four figures or the whole number, whichever says more.
fn number(value: f64) -> String {
    let digits = if value >= 1000.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(2518.0), "2518");
        assert_eq!(number(45_812.4), "45812");
        assert_eq!(number(31.0), "31");
        assert_eq!(number(2.345), "2.35");
        assert_eq!(number(100.0), "100");
    }
}
