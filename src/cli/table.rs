//! Columns of text. A cell may hold what a host says: it has one line and an end.

use std::fmt;

use super::screen::shown;

/// A table whose columns are as wide as their widest cell.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table with a heading and no rows.
    pub(super) fn new(heading: [&str; N]) -> Self {
        Self {
            rows: vec![heading.map(str::to_owned)],
        }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: [&str; N]) {
        self.rows.push(cells.map(cell));
    }
}

/// The longest cell, in characters.
const WIDEST: usize = 200;

/// What fits into a cell.
fn cell(text: &str) -> String {
    // Before it is cut: half a secret is not recognised.
    let text = shown(text).replace('\n', " ");
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..N).map(width).collect();
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;
    use crate::secret::Redactor;

    #[test]
    fn a_cell_of_any_length_and_content_is_one_short_line() {
        let mut table = Table::new(["NODE", "VERSION"]);
        table.row(["w1", &"é".repeat(70_000)]);
        table.row(["w2\n\u{1b}[2J", "v1"]);
        Redactor::process().learn(&"cell-secret".into());
        table.row(["w3", &format!("{}cell-secret", " v".repeat(97))]);
        let text = table.to_string();
        assert!(!text.contains("cell-"), "{text}");
        assert_eq!(
            text.lines().nth(1),
            Some(format!("w1    {}…", "é".repeat(200)).as_str())
        );
        assert_eq!(text.lines().nth(2), Some("w2    v1"));
        assert_eq!(text.lines().count(), 4);
    }

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let mut table = Table::new(["NODE", "STATE"]);
        table.row(["control-plane-1", "ready"]);
        table.row(["w1", ""]);
        assert_eq!(
            table.to_string(),
            "NODE             STATE\ncontrol-plane-1  ready\nw1\n"
        );
    }
}
