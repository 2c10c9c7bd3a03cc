//! Bar chart of figures: horizontal bars with their names, their values and the line of a goal. Written as
//! SVG whose colours follow the reader's choice of light or dark.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::statistics::rounded;

/// Bars that share a unit.
#[derive(Debug, Serialize, Deserialize)]
pub struct Chart {
    pub title: String,
    pub unit: String,
    pub bars: Vec<Bar>,
    /// Goal for soong's bars, and its label.
    pub goal: Option<(String, f64)>,
}

/// A figure and its owner.
#[derive(Debug, Serialize, Deserialize)]
pub struct Bar {
    pub name: String,
    pub value: f64,
}

const WIDTH: f64 = 760.0;
/// Start of the bars and length of the longest; its value is written after it.
const LEFT: f64 = 230.0;
const LONGEST: f64 = 430.0;
const TOP: f64 = 58.0;
const ROW: f64 = 26.0;
const THICK: f64 = 16.0;

const STYLE: &str = "\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1f2328}\
.title{font-weight:600;font-size:15px}.unit,.goal{fill:#59636e;font-size:12px}\
.name{text-anchor:end}.bar{fill:#8c959f}.ours{fill:#0969da}.line{stroke:#bc4c00;stroke-dasharray:4 3}\
.goal{fill:#bc4c00}.axis{stroke:#8c959f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.unit{fill:#9198a1}.bar{fill:#6e7681}\
.ours{fill:#4493f8}.line{stroke:#f0883e}.goal{fill:#f0883e}}";

impl Chart {
    /// Returns a chart without bars.
    pub fn new(title: impl Into<String>, unit: &str) -> Self {
        Self { title: title.into(), unit: unit.to_owned(), bars: Vec::new(), goal: None }
    }

    /// Adds a bar.
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        self.bars.push(Bar { name: name.into(), value });
    }

    /// Returns the picture.
    pub fn svg(&self) -> String {
        let goal = self.goal.as_ref().map(|(_, value)| *value);
        let largest = self.bars.iter().map(|bar| bar.value).chain(goal).fold(f64::MIN_POSITIVE, f64::max);
        let length = |value: f64| (value / largest * LONGEST).max(1.0);
        let bottom = self.bars.iter().fold(TOP, |y, _| y + ROW);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\"><title>{title}</title><style>{STYLE}</style>\n\
             <text class=\"title\" x=\"12\" y=\"24\">{title}</text>\n\
             <text class=\"unit\" x=\"12\" y=\"44\">{unit}</text>\n",
            height = bottom + if goal.is_some() { 28.0 } else { 12.0 },
            title = escaped(&self.title),
            unit = escaped(&self.unit),
        );
        let mut y = TOP;
        for bar in &self.bars {
            let class = if bar.name.starts_with("soong") { "bar ours" } else { "bar" };
            let (middle, end) = (y + THICK * 0.8, LEFT + length(bar.value));
            // Writing to a String cannot fail.
            let _ = writeln!(
                svg,
                "<text class=\"name\" x=\"{:.0}\" y=\"{middle:.1}\">{}</text>\
                 <rect class=\"{class}\" x=\"{LEFT:.0}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{THICK:.0}\" rx=\"2\"/>\
                 <text x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
                LEFT - 8.0,
                escaped(&bar.name),
                length(bar.value),
                end + 6.0,
                rounded(bar.value),
            );
            y += ROW;
        }
        let top = TOP - 6.0;
        let _ =
            writeln!(svg, "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{top}\" x2=\"{LEFT}\" y2=\"{bottom}\"/>");
        if let Some((name, value)) = &self.goal {
            let x = LEFT + length(*value);
            let _ = writeln!(
                svg,
                "<line class=\"line\" x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text class=\"goal\" x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"{}\">{} {}</text>",
                bottom + 16.0,
                if x > WIDTH / 2.0 { "end" } else { "start" },
                escaped(name),
                rounded(*value),
            );
        }
        svg + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
