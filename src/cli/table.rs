//! Tables as kubectl prints them: aligned by spaces, no lines.

use super::screen::{Screen, Style, clean};

/// Spaces between columns.
const GAP: usize = 3;

/// One cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell of one style.
    pub(crate) fn styled(style: Style, text: impl Into<String>) -> Self {
        let text = clean(&text.into());
        Self { text, style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(Style::Plain, text)
    }
}

/// Rows under a header.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(header: &[&str]) -> Self {
        let header = header.iter().map(|text| Cell::styled(Style::Dim, *text)).collect();
        Self { rows: vec![header] }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.cells(cells);
    }

    /// Adds a row of any number of cells.
    pub(crate) fn cells(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it.
    pub(crate) fn print(&self, screen: &mut Screen) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(length).max();
        let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
        for row in &self.rows {
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or_default();
            let mut pieces = Vec::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
                pieces.push((cell.style, cell.text.clone()));
                if column < last {
                    pieces.push((Style::Plain, " ".repeat(width - length(cell) + GAP)));
                }
            }
            let pieces: Vec<_> = pieces.iter().map(|(style, text)| (*style, text.as_str())).collect();
            screen.pieces(&pieces);
        }
    }
}

fn length(cell: &Cell) -> usize {
    cell.text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_spaces() {
        let mut table = Table::new(&["NAME", "VERDICT", "WAITING FOR"]);
        table.row(["a".into(), Cell::styled(Style::Good, "Cleared"), "".into()]);
        table.row(["longer\nname".into(), "AwaitingApproval".into(), "security".into()]);
        let mut screen = Screen::default();
        table.print(&mut screen);
        let expected = "NAME              VERDICT            WAITING FOR\na                 Cleared\nlonger\\u{a}name   AwaitingApproval   security\n";
        assert_eq!(screen.as_str(), expected);
    }
}
