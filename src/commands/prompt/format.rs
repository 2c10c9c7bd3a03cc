//! Renders a segment for a program that shows it: escapes its special characters, and marks colours as
//! zero-width.

use super::segment::{Segment, Severity};

/// Program that shows the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Plain text.
    Plain,
    /// starship's custom modules.
    Starship,
    /// tmux, which expands the output of `#()`.
    Tmux,
    /// `$(…)` in zsh's `PROMPT`.
    Zsh,
    /// `$(…)` in bash's `PS1`.
    Bash,
    /// JSON for programs.
    Json,
}

impl Format {
    /// All formats, by name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("plain", Self::Plain),
        ("starship", Self::Starship),
        ("tmux", Self::Tmux),
        ("zsh", Self::Zsh),
        ("bash", Self::Bash),
        ("json", Self::Json),
    ];

    /// Returns the format called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }
}

/// The user's settings; see `soong init --help`.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Template.
    pub template: Option<String>,
    /// Symbol for each state.
    pub symbols: [Option<String>; 4],
    /// SGR parameters for each state, `32`.
    pub colors: [Option<String>; 4],
    /// True for ASCII only.
    pub ascii: bool,
    /// True for colour.
    pub colored: bool,
}

/// Renders the segment in `format`.
pub fn render(segment: &Segment, format: Format, style: &Style) -> String {
    let severity = match segment.severity {
        Severity::Idle => 0,
        Severity::Up => 1,
        Severity::Waiting => 2,
        Severity::Down => 3,
    };
    let symbol = style.symbols[severity].as_deref().unwrap_or(if style.ascii {
        ["-", "=", "~", "!"][severity]
    } else {
        ["◦", "⇄", "↻", "✗"][severity]
    });
    let dots = if style.ascii { ".." } else { "…" };
    let text = escape(&fill(style.template.as_deref(), symbol, segment, dots), format);
    // A tunnel that is up gets the colour of a waiting one while its lease ends.
    let severity = if severity == 1 && segment.lease.is_some() { 2 } else { severity };
    let color = style.colors[severity].as_deref().unwrap_or(["2", "32", "33", "31"][severity]);
    let legal = !color.is_empty() && color.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
    if !style.colored || !legal {
        return text;
    }
    match format {
        Format::Plain | Format::Json => text,
        // starship finds zero-width characters itself.
        Format::Starship => format!("\x1b[{color}m{text}\x1b[0m"),
        Format::Zsh => format!("%{{\x1b[{color}m%}}{text}%{{\x1b[0m%}}"),
        // Readline ignores the width of text between 001 and 002.
        Format::Bash => format!("\x01\x1b[{color}m\x02{text}\x01\x1b[0m\x02"),
        Format::Tmux => match tmux_color(color) {
            Some(style) => format!("#[{style}]{text}#[default]"),
            None => text,
        },
    }
}

/// Fills in the template. An empty part also removes a space beside it. Placeholders inside values are not
/// expanded.
fn fill(template: Option<&str>, symbol: &str, segment: &Segment, dots: &str) -> String {
    let Some(template) = template.filter(|template| !template.is_empty()) else {
        let gap = if symbol.is_empty() { "" } else { " " };
        return format!("{symbol}{gap}{}", segment.full_text().replace("..", dots));
    };
    let text = segment.text.replace("..", dots);
    let lease = segment.lease.as_deref().unwrap_or_default();
    [("{symbol}", symbol), ("{text}", &text), ("{lease}", lease)].into_iter().fold(
        template.to_owned(),
        |all, (mark, value)| {
            let spaced = [format!(" {mark}"), format!("{mark} ")];
            let empty = spaced.iter().find(|spaced| value.is_empty() && all.contains(spaced.as_str()));
            all.replacen(empty.map_or(mark, String::as_str), value, 1)
        },
    )
}

/// Names need no escapes; the user's symbols and template may.
fn escape(text: &str, format: Format) -> String {
    match format {
        Format::Tmux => text.replace('#', "##"),
        Format::Zsh => text.replace('%', "%%"),
        _ => text.to_owned(),
    }
}

/// Returns tmux's style for an SGR colour, or for dim text.
fn tmux_color(sgr: &str) -> Option<String> {
    const NAMES: [&str; 8] = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
    if let Some(number) = sgr.strip_prefix("38;5;") {
        return number.parse::<u8>().ok().map(|number| format!("fg=colour{number}"));
    }
    let code: usize = sgr.rsplit(';').next()?.parse().ok()?;
    match code {
        2 => Some("dim".to_owned()),
        30..=37 => Some(format!("fg={}", NAMES[code - 30])),
        90..=97 => Some(format!("fg=bright{}", NAMES[code - 90])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        Segment {
            severity: Severity::Waiting,
            word: "starting".into(),
            text: "dev starting".into(),
            lease: Some("5m left".into()),
        }
    }

    #[test]
    fn each_format_has_colour_without_width() {
        let style = Style { colored: true, ..Style::default() };
        let said = |format| render(&segment(), format, &style);
        assert_eq!(said(Format::Plain), "↻ dev starting 5m left");
        assert_eq!(said(Format::Starship), "\x1b[33m↻ dev starting 5m left\x1b[0m");
        assert_eq!(said(Format::Tmux), "#[fg=yellow]↻ dev starting 5m left#[default]");
        assert_eq!(said(Format::Zsh), "%{\x1b[33m%}↻ dev starting 5m left%{\x1b[0m%}");
        assert_eq!(said(Format::Bash), "\x01\x1b[33m\x02↻ dev starting 5m left\x01\x1b[0m\x02");
    }

    #[test]
    fn what_a_user_writes_is_shown_and_not_expanded() {
        let style = Style {
            template: Some("{symbol}[{text}] {lease}".into()),
            symbols: [None, None, Some("%#".into()), None],
            colors: [None, None, Some("x".into()), None],
            colored: true,
            ..Style::default()
        };
        assert_eq!(render(&segment(), Format::Tmux, &style), "%##[dev starting] 5m left");
        assert_eq!(render(&segment(), Format::Zsh, &style), "%%#[dev starting] 5m left");
        assert_eq!(render(&segment(), Format::Plain, &style), "%#[dev starting] 5m left");
    }

    #[test]
    fn an_empty_part_leaves_no_space() {
        let style = |template: &str, symbol: Option<&str>| Style {
            template: Some(template.into()),
            symbols: [const { None }; 4].map(|_: Option<String>| symbol.map(str::to_owned)),
            ..Style::default()
        };
        let up = Segment {
            severity: Severity::Up,
            word: "up".into(),
            text: "llama-70b-fi..ment-3".into(),
            lease: None,
        };
        for (template, symbol, expected) in [
            ("[{symbol} {text} {lease}]", None, "[⇄ llama-70b-fi…ment-3]"),
            ("[{lease} {symbol} {text}]", Some(""), "[llama-70b-fi…ment-3]"),
            ("[{symbol}{text}]{lease}", Some(""), "[llama-70b-fi…ment-3]"),
        ] {
            assert_eq!(render(&up, Format::Plain, &style(template, symbol)), expected, "{template}");
        }
        assert_eq!(
            render(&segment(), Format::Plain, &style("[{symbol} {text} {lease}]", Some(""))),
            "[dev starting 5m left]"
        );
    }

    #[test]
    fn what_is_up_is_yellow_when_its_lease_ends() {
        let style = Style { colored: true, ..Style::default() };
        let up = Segment {
            severity: Severity::Up,
            word: "up".into(),
            text: "dev".into(),
            lease: Some("5m left".into()),
        };
        assert_eq!(render(&up, Format::Tmux, &style), "#[fg=yellow]⇄ dev 5m left#[default]");
        assert_eq!(
            render(&Segment { lease: None, ..up }, Format::Tmux, &style),
            "#[fg=green]⇄ dev#[default]"
        );
    }

    #[test]
    fn colours_have_names_in_tmux() {
        for (sgr, name) in [
            ("32", Some("fg=green")),
            ("1;91", Some("fg=brightred")),
            ("38;5;208", Some("fg=colour208")),
            ("2", Some("dim")),
            ("1", None),
        ] {
            assert_eq!(tmux_color(sgr).as_deref(), name, "{sgr}");
        }
    }
}
