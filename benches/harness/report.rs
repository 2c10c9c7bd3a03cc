//! Results of a benchmark: figures, goals and pictures, kept as JSON beside the report, which combines the
//! latest results of every benchmark.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::chart::Chart;
use super::statistics::{Summary, rounded};

/// Results of one benchmark.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Group {
    pub title: String,
    /// Method, in a sentence or two.
    pub method: String,
    pub charts: Vec<Chart>,
    pub tables: Vec<Table>,
    pub goals: Vec<Goal>,
    /// Duration of the whole benchmark.
    #[serde(default)]
    pub seconds: f64,
    /// Load average of the last minute at the end.
    #[serde(default)]
    pub load: Option<f64>,
    /// Measurements that were skipped, and how to install the missing programs.
    pub missing: Vec<String>,
}

/// Table whose first column names the subject of each row.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// Goal for a figure.
#[derive(Debug, Serialize, Deserialize)]
pub struct Goal {
    /// Things that are compared.
    pub what: String,
    pub bound: Bound,
    pub limit: f64,
    pub measured: f64,
}

/// Side of the limit on which a figure should be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Bound {
    AtMost,
    AtLeast,
}

impl Group {
    /// Returns an empty group.
    pub fn new(title: &str, method: impl Into<String>) -> Self {
        Self { title: title.to_owned(), method: method.into(), ..Self::default() }
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        writeln!(f, "\n{}\n{}\n", self.title, self.method)?;
        self.tables.iter().try_for_each(|table| writeln!(f, "{table}"))?;
        self.goals.iter().try_for_each(|goal| writeln!(f, "{goal}"))?;
        self.missing.iter().try_for_each(|missing| writeln!(f, "missing: {missing}"))
    }
}

impl Table {
    /// Returns an empty table with these headings.
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&heading| heading.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row with a figure's median and range, written with `decimals`.
    pub fn add_summary(&mut self, name: &str, summary: Summary, decimals: usize) {
        let figures = [summary.median, summary.min, summary.max].map(|figure| format!("{figure:.decimals$}"));
        self.add(name, figures);
    }

    /// Adds a row.
    pub fn add(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let rows: Vec<&Vec<String>> = std::iter::once(&self.columns).chain(&self.rows).collect();
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
    /// Returns a goal for a figure of which less is better.
    pub fn at_most(what: impl Into<String>, limit: f64, measured: f64) -> Self {
        Self { what: what.into(), bound: Bound::AtMost, limit, measured }
    }

    /// Returns a goal for a figure of which more is better.
    pub fn at_least(what: impl Into<String>, limit: f64, measured: f64) -> Self {
        Self { what: what.into(), bound: Bound::AtLeast, limit, measured }
    }

    /// Returns true if the figure meets its goal.
    pub fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost => self.measured <= self.limit,
            Bound::AtLeast => self.measured >= self.limit,
        }
    }

    /// Returns the limit in words.
    pub fn wanted(&self) -> String {
        let bound = match self.bound {
            Bound::AtMost => "at most",
            Bound::AtLeast => "at least",
        };
        format!("{bound} {}", rounded(self.limit))
    }

    /// Returns the figure and its verdict in words.
    pub fn verdict(&self) -> (String, &'static str) {
        (rounded(self.measured), if self.is_met() { "met" } else { "MISSED" })
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let (measured, verdict) = self.verdict();
        write!(f, "goal: {}: {}, measured {measured}: {verdict}", self.what, self.wanted())
    }
}
