//! What a benchmark has found, in a form that a reader understands.

use std::fmt::{self, Display, Formatter};

use super::statistics::Summary;

/// The results of one benchmark.
#[derive(Debug)]
pub struct Group {
    pub title: String,
    /// How it was measured, in a sentence or two.
    pub method: String,
    pub tables: Vec<Table>,
    pub goals: Vec<Goal>,
}

/// A table whose first column names what the others tell figures of.
#[derive(Debug)]
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

/// What a figure should be at most.
#[derive(Debug)]
pub struct Goal {
    /// What is compared with what.
    pub what: String,
    pub at_most: f64,
    pub measured: f64,
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "\n{}\n{}\n", self.title, self.method)?;
        for table in &self.tables {
            writeln!(f, "{table}")?;
        }
        self.goals.iter().try_for_each(|goal| writeln!(f, "{goal}"))
    }
}

impl Table {
    /// An empty table with these headings.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a figure's middle and ends, written with `decimals`.
    pub fn add_summary(&mut self, name: &str, summary: Summary, decimals: usize) {
        let figures = [summary.median, summary.min, summary.max].map(|figure| format!("{figure:.decimals$}"));
        self.rows.push(std::iter::once(name.to_owned()).chain(figures).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let headings = self.columns.iter().map(|heading| (*heading).to_owned()).collect();
        let rows: Vec<&Vec<String>> = std::iter::once(&headings).chain(&self.rows).collect();
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in rows {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "  {cell:width$}")?,
                    _ => write!(f, "  {cell:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Goal {
    /// Whether the figure is as good as it should be.
    pub fn is_met(&self) -> bool {
        self.measured <= self.at_most
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let verdict = if self.is_met() { "met" } else { "MISSED" };
        let Self { what, at_most, measured } = self;
        write!(f, "goal: {what}: at most {at_most}, measured {measured:.2}: {verdict}")
    }
}
