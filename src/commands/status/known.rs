//! Rows known before the providers have answered: shown on a terminal at once, and erased when the answers are
//! there.

use console::{Term, measure_text_width};

use super::overview::Overview;
use super::table;
use crate::terminal;

/// The rows on the terminal.
#[derive(Debug)]
pub(super) struct Known {
    terminal: Term,
    lines: usize,
}

impl Known {
    /// Shows `overview`, made of cached data, on stdout, a terminal. Returns `None` if nothing was shown: the terminal is
    /// too small to erase the rows later, or there is nothing that a provider could change.
    pub(super) fn show(mut overview: Overview) -> Option<Self> {
        let terminal = Term::stdout();
        let (height, width) = terminal.size_checked()?;
        if overview.sources.iter().all(|source| source.taken.is_none()) {
            return None;
        }
        for row in overview.rows.iter_mut().filter(|row| row.provider.is_some()) {
            row.stale = true;
        }
        let text = table::render(&overview);
        let lines = text.lines().map(|line| rows(line, width.into())).sum();
        if lines >= usize::from(height) {
            return None;
        }
        terminal::print(&text).ok()?;
        Some(Self { terminal, lines })
    }

    /// Erases the rows. The cursor must be on the line below them.
    pub(super) fn erase(self) {
        // A terminal that has gone shows nothing.
        let _ = self.terminal.clear_last_lines(self.lines);
    }
}

/// Returns the number of terminal rows of a line.
fn rows(line: &str, width: usize) -> usize {
    measure_text_width(line).div_ceil(width.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_takes_several_rows() {
        for (line, width, expected) in
            [("", 80, 1), ("abcd", 4, 1), ("abcde", 4, 2), ("größe", 5, 1), ("a", 0, 1)]
        {
            assert_eq!(rows(line, width), expected, "{line}");
        }
    }
}
