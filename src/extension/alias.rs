//! Aliases: the user's own commands, in `[alias]` of the config.
//!
//! Built-in commands and programs on `PATH` take precedence, so that running them never reads the config, and
//! no alias changes what a script gets from `soong NAME`.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::terminal::printable;
use crate::toml_text::typed_key;

/// Meaning of an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// Shell command; `None` if the words are a soong command.
    pub shell: Option<String>,
    /// Words of the soong command, or arguments of the shell command.
    pub words: Vec<String>,
}

/// Expands `name` alias by alias until it is a command that `is_command` knows, a shell command, or not an
/// alias. Returns `None` if `name` is not an alias.
pub fn expand(
    aliases: &BTreeMap<String, String>,
    name: &str,
    is_command: impl Fn(&str) -> bool,
) -> Result<Option<Expansion>> {
    let mut words = vec![name.to_owned()];
    let mut way: Vec<String> = Vec::new();
    loop {
        let first = words[0].clone();
        if way.contains(&first) {
            way.push(first);
            return Err(Error::failed(format!(
                "the alias '{}' refers to itself: {}",
                way[0],
                way.join(" → ")
            ))
            .with_hint(format!(
                "change one of them: soong configure set {} COMMAND",
                typed_key(&["alias", &way[0]])
            )));
        }
        let text = aliases.get(&first).filter(|_| way.is_empty() || !is_command(&first));
        let Some(text) = text else { break };
        way.push(first);
        if let Some(command) = text.strip_prefix('!') {
            return Ok(Some(Expansion { shell: Some(command.to_owned()), words: words.split_off(1) }));
        }
        let mut expanded = split(&way[way.len() - 1], text)?;
        expanded.extend(words.drain(1..));
        words = expanded;
    }
    Ok((!way.is_empty()).then_some(Expansion { shell: None, words }))
}

fn split(name: &str, text: &str) -> Result<Vec<String>> {
    match shell_words::split(text) {
        Ok(words) if words.first().is_some_and(|word| !word.is_empty()) => Ok(words),
        _ => Err(Error::failed(format!("the alias '{name}' is malformed: {}", printable(text)))
            .with_hint("check its quotes; it is split into words as in a shell")),
    }
}

/// Returns the shell script for a command: appends `"$@"` unless the command uses its arguments itself.
pub fn script(command: &str) -> String {
    if takes_arguments(command) { command.to_owned() } else { format!("{command} \"$@\"") }
}

/// Returns true if `command` uses `$@`, `$*`, `$#` or `$1` to `$9`, with or without braces.
fn takes_arguments(command: &str) -> bool {
    command.split('$').skip(1).any(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        rest.starts_with(|c: char| matches!(c, '@' | '*' | '#' | '1'..='9'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn expanded(entries: &[(&str, &str)], name: &str) -> Result<Option<Expansion>> {
        expand(&aliases(entries), name, |name| matches!(name, "tunnel" | "hello"))
    }

    #[allow(clippy::unnecessary_wraps, reason = "compared with what may be none")]
    fn words(words: &[&str]) -> Option<Expansion> {
        Some(Expansion { shell: None, words: words.iter().map(|word| (*word).to_owned()).collect() })
    }

    #[test]
    fn words_take_the_place_of_an_alias() {
        let up = ("up", "tunnel start --sglang-port 8001");
        assert_eq!(expanded(&[up], "up").unwrap(), words(&["tunnel", "start", "--sglang-port", "8001"]));
        assert_eq!(expanded(&[up], "down").unwrap(), None);
        let quoted = ("q", r#"hello 'a b' "c\"d" e\ f"#);
        assert_eq!(expanded(&[quoted], "q").unwrap(), words(&["hello", "a b", "c\"d", "e f"]));
        let chain = [("a", "b 2"), ("b", "c 1"), ("c", "nothing 0")];
        assert_eq!(expanded(&chain, "a").unwrap(), words(&["nothing", "0", "1", "2"]));
        // A program takes precedence over an alias of its name, also during expansion.
        assert_eq!(expanded(&[("a", "hello"), ("hello", "tunnel")], "a").unwrap(), words(&["hello"]));
    }

    #[test]
    fn the_shell_gets_its_command_and_the_rest_as_arguments() {
        let expansion = expanded(&[("a", "b x 'y z'"), ("b", "!echo hi")], "a").unwrap().unwrap();
        assert_eq!(expansion.shell.as_deref(), Some("echo hi"));
        assert_eq!(expansion.words, ["x", "y z"]);
        assert_eq!(script("echo hi"), "echo hi \"$@\"");
        for text in ["echo $1", "f() { echo \"${@}\"; }; f", "echo $#", "echo ${1%x}", "set -- $*"] {
            assert_eq!(script(text), text);
        }
        for text in ["echo $HOME", "echo $$", "echo ${HOME}", "echo $"] {
            assert!(script(text).ends_with(" \"$@\""), "{text}");
        }
    }

    #[test]
    fn loops_are_caught() {
        for (entries, shown) in [
            (vec![("a", "a x")], "a → a"),
            (vec![("a", "b"), ("b", "c 1"), ("c", "a")], "a → b → c → a"),
            (vec![("a", "b"), ("b", "b")], "a → b → b"),
        ] {
            let error = expanded(&entries, "a").unwrap_err().to_string();
            assert!(error.contains(shown), "{error}");
        }
    }
}
