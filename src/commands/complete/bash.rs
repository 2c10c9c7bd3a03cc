//! Answers for bash: filtered, quoted like the line, without the part of the word that bash keeps, and with
//! descriptions in columns, which bash itself does not support.

use super::line::Line;
use crate::completion::{Answer, Candidate, Directive};
use crate::terminal::printable;

/// The request from bash.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// Width of the terminal.
    pub columns: usize,
    /// `COMP_TYPE`: the code of the character that selects the kind of completion.
    pub kind: &'a str,
    /// `COMP_WORDBREAKS`.
    pub breaks: &'a str,
    /// Expansion of the first word, if it is an alias.
    pub alias: &'a str,
    /// The line up to the cursor.
    pub line: &'a str,
}

/// True if candidates are put on the line one after the other (`%`) or all at once (`*`).
const INSERTING: [&str; 2] = ["37", "42"];
/// Narrowest useful column of descriptions.
const DESCRIPTION_MIN: usize = 12;

/// Returns the lines for bash: candidates to insert or show, and the directive.
pub(super) fn reply(request: &Request<'_>, answer: impl FnOnce(&[&str]) -> Answer) -> String {
    let line = Line::read(request.line, request.breaks);
    if line.is_target {
        return Answer::files().render();
    }
    let alias = Line::read(request.alias, request.breaks);
    let mut words: Vec<&str> = Vec::new();
    let typed = line.command().iter().map(String::as_str);
    if !request.alias.is_empty() && line.command().len() > 1 {
        words.extend(alias.words.iter().map(String::as_str));
        words.extend(typed.skip(1));
    } else {
        words.extend(typed);
    }
    let last = words.last().copied().unwrap_or_default();
    let mut answer = answer(&words);
    if answer.directive.contains(Directive::COMMAND) {
        return answer.render();
    }
    answer.candidates.retain(|candidate| candidate.value.starts_with(last));
    let mut candidates: Vec<Candidate> = answer
        .candidates
        .iter()
        .filter_map(|candidate| {
            let rest = quoted(candidate.value.strip_prefix(&line.head)?, line.open)?;
            Some(Candidate::new(rest, candidate.description.clone()))
        })
        .filter(|candidate| printable(&candidate.value) == candidate.value)
        .collect();
    candidates.sort();
    candidates.dedup_by(|a, b| a.value == b.value);
    let listed = candidates.len() > 1 && line.open.is_none() && !INSERTING.contains(&request.kind);
    let mut text = if listed { columns(&candidates, request.columns) } else { plain(&candidates) };
    text.push_str(&format!(":{}\n", answer.directive.bits()));
    text
}

fn plain(candidates: &[Candidate]) -> String {
    candidates.iter().map(|candidate| format!("{}\n", candidate.value)).collect()
}

/// Returns one line per candidate with its description. The first is wide enough to make bash show one per
/// line.
fn columns(candidates: &[Candidate], width: usize) -> String {
    let longest = candidates.iter().map(|candidate| size(&candidate.value)).max().unwrap_or_default();
    let room = width.saturating_sub(longest + "  ()".len() + 1);
    if room < DESCRIPTION_MIN || candidates.iter().all(|candidate| candidate.description.is_empty()) {
        return plain(candidates);
    }
    let mut text = String::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let Candidate { value, description } = candidate;
        let mut shown = value.clone();
        if !description.is_empty() {
            let description = printable(description);
            let description = console::truncate_str(&description, room, "...");
            shown.push_str(&format!("{}  ({description})", " ".repeat(longest - size(value))));
        }
        if index == 0 {
            let half = width / 2 + 1;
            shown.push_str(&" ".repeat(half.saturating_sub(size(&shown))));
        }
        text.push_str(&format!("{shown}\n"));
    }
    text
}

fn size(text: &str) -> usize {
    console::measure_text_width(text)
}

/// Returns `value` as written inside the open quote `open`; `None` if that is impossible.
fn quoted(value: &str, open: Option<char>) -> Option<String> {
    match open {
        None => {
            let plain = |c: char| c.is_alphanumeric() || "_./:=@%+,-".contains(c);
            let escaped = |c: char| if plain(c) { c.to_string() } else { format!("\\{c}") };
            Some(value.chars().map(escaped).collect())
        }
        Some('\'') => Some(value.replace('\'', "'\\''")),
        // Between double quotes nothing protects `!` from history expansion.
        Some(_) if value.contains('!') => None,
        Some(_) => {
            let escaped = |c: char| if "$`\"\\".contains(c) { format!("\\{c}") } else { c.to_string() };
            Some(value.chars().map(escaped).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str, candidates: &[(&str, &str)]) -> String {
        let request = Request { columns: 40, kind: "9", breaks: " \t\n\"'@><=;|&(:", alias: "", line };
        let candidates = candidates.iter().map(|(value, description)| Candidate::new(*value, *description));
        reply(&request, |_| Answer::words(candidates.collect()))
    }

    #[test]
    fn several_are_described_in_columns_and_one_is_not() {
        let two = [("start", "Start a tunnel in the background"), ("stop", "Stop")];
        let expected = "start  (Start a tunnel in the backg...)\nstop   (Stop)\n:4\n";
        assert_eq!(ask("soong ", &two).replace("  \n", "\n"), expected.replace("  \n", "\n"));
        assert_eq!(ask("soong sto", &two), "stop\n:4\n");
        assert_eq!(ask("soong x", &two), ":4\n");
        assert_eq!(ask("soong \"st", &two), "start\nstop\n:4\n", "no descriptions within quotes");
    }

    #[test]
    fn what_is_inserted_is_quoted_as_the_line_is() {
        let hostile = "$(touch pwned) 'it'";
        for (line, expected) in [
            ("soong ", "\\$\\(touch\\ pwned\\)\\ \\'it\\'"),
            ("soong \\$", "\\$\\(touch\\ pwned\\)\\ \\'it\\'"),
            ("soong '", "$(touch pwned) '\\''it'\\''"),
            ("soong \"", "\\$(touch pwned) 'it'"),
        ] {
            assert_eq!(ask(line, &[(hostile, "")]), format!("{expected}\n:4\n"), "{line}");
        }
        assert_eq!(ask("soong \"", &[("a!b", "")]), ":4\n");
        assert_eq!(ask("soong ", &[("a\nb", ""), ("\u{1b}[2J", "")]), ":4\n");
    }

    #[test]
    fn what_bash_keeps_of_the_word_is_not_said_again() {
        assert_eq!(ask("soong --port=c", &[("--port=comfyui=", "")]), "comfyui=\n:4\n");
        assert_eq!(ask("soong --port=comfyui=", &[("--port=comfyui=8", "")]), "8\n:4\n");
        assert_eq!(ask("soong a:", &[("a:b", "")]), "b\n:4\n");
    }

    #[test]
    fn an_alias_stands_for_words() {
        let request = Request { columns: 80, kind: "9", breaks: " ", alias: "soong tunnel", line: "st st" };
        reply(&request, |words| {
            assert_eq!(words, ["soong", "tunnel", "st"]);
            Answer::nothing()
        });
    }
}
