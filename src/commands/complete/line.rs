//! A partial command line, parsed like a shell: words, and the quote that is open at the cursor. bash passes
//! only the text, split at characters that mean nothing to the program (`:`, `=`), so the words must be found
//! again.

/// A line up to the cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Words without quotes and redirections; the last is at the cursor and may be empty.
    pub words: Vec<String>,
    /// True if the last word is the target of a redirection.
    pub is_target: bool,
    /// The quote that is open at the cursor.
    pub open: Option<char>,
    /// The part of the last word before the text that the shell replaces.
    pub head: String,
}

impl Line {
    /// Parses `text`. The shell replaces the text after the last unquoted character of `breaks`, or after the
    /// open quote.
    pub(super) fn read(text: &str, breaks: &str) -> Self {
        let mut line = Self { words: Vec::new(), is_target: false, open: None, head: String::new() };
        let (mut word, mut started) = (String::new(), false);
        let mut head_outside = String::new();
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            match (line.open, c) {
                (Some(open), c) if c == open => {
                    line.open = None;
                    line.head.clone_from(&head_outside);
                }
                (Some('"'), '\\') => match characters.next_if(|next| "$`\"\\".contains(*next)) {
                    Some(next) => word.push(next),
                    None => word.push('\\'),
                },
                (Some(_), c) => word.push(c),
                (None, '\\') => {
                    started = true;
                    word.extend(characters.next());
                }
                (None, '\'' | '"') => {
                    started = true;
                    line.open = Some(c);
                    head_outside = std::mem::replace(&mut line.head, word.clone());
                }
                (None, c) if c.is_ascii_whitespace() => {
                    if started {
                        line.end(std::mem::take(&mut word));
                    }
                    line.head.clear();
                    started = false;
                }
                (None, '<' | '>') => {
                    // A number, or both outputs.
                    let descriptor = word.bytes().all(|byte| byte.is_ascii_digit()) || word == "&";
                    if started && !descriptor {
                        line.end(std::mem::take(&mut word));
                    }
                    word.clear();
                    while characters.next_if(|next| "<>&|".contains(*next)).is_some() {}
                    line.head.clear();
                    line.is_target = true;
                    started = false;
                }
                (None, c) => {
                    started = true;
                    word.push(c);
                    if breaks.contains(c) {
                        line.head.clone_from(&word);
                    }
                }
            }
        }
        line.words.push(word);
        line
    }

    /// Ends a word that is not the last.
    fn end(&mut self, word: String) {
        if std::mem::take(&mut self.is_target) {
            return;
        }
        self.words.push(word);
    }

    /// Returns the words of the command itself, without variable assignments and without a program such as
    /// sudo before it.
    pub(super) fn command(&self) -> &[String] {
        let before = &self.words[..self.words.len() - 1];
        let settings = before.iter().take_while(|word| is_setting(word)).count();
        let is_runner = before.get(settings).is_some_and(|word| RUNNERS.contains(&base_name(word)));
        let ours = before.iter().position(
            |word| matches!(base_name(word), name if name == "soong" || name.starts_with("soong-")),
        );
        &self.words[ours.filter(|_| is_runner).unwrap_or(settings)..]
    }
}

/// Programs that run a command as another user, which bash alone cannot complete.
const RUNNERS: [&str; 2] = ["sudo", "doas"];

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}

/// Returns true if `word` sets a variable for the command after it.
fn is_setting(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| plain(c) && !c.is_ascii_digit()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKS: &str = " \t\n\"'@><=;|&(:";

    fn read(text: &str) -> (Vec<String>, Option<char>, String) {
        let Line { words, open, head, .. } = Line::read(text, BREAKS);
        (words, open, head)
    }

    #[test]
    fn words_are_read_as_a_shell_reads_them() {
        for (text, words, open, head) in [
            ("soong ", vec!["soong", ""], None, ""),
            ("soong tun", vec!["soong", "tun"], None, ""),
            ("soong a\\ b", vec!["soong", "a b"], None, ""),
            ("soong \"a b", vec!["soong", "a b"], Some('"'), ""),
            ("soong 'a \\", vec!["soong", "a \\"], Some('\''), ""),
            ("soong \"a \\\"\\x", vec!["soong", "a \"\\x"], Some('"'), ""),
            ("soong '' ''", vec!["soong", "", ""], None, ""),
            ("soong --port=com", vec!["soong", "--port=com"], None, "--port="),
            ("soong --key=\"a b", vec!["soong", "--key=a b"], Some('"'), "--key="),
            ("soong a:b:c", vec!["soong", "a:b:c"], None, "a:b:"),
            ("soong a\\:b", vec!["soong", "a:b"], None, ""),
            ("soong 'a:b'c", vec!["soong", "a:bc"], None, ""),
            ("soong x'a", vec!["soong", "xa"], Some('\''), "x"),
            ("soong x'a'b", vec!["soong", "xab"], None, ""),
            ("soong a=b c", vec!["soong", "a=b", "c"], None, ""),
            ("soong a\\", vec!["soong", "a"], None, ""),
            ("", vec![""], None, ""),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(read(text), (words, open, head.to_owned()), "{text}");
        }
    }

    #[test]
    fn redirections_are_no_words() {
        for (text, words, is_target) in [
            ("soong logs > /tmp/x", "soong logs /tmp/x", true),
            ("soong logs >/tmp/x", "soong logs /tmp/x", true),
            ("soong logs 2>>/tmp/x", "soong logs /tmp/x", true),
            ("soong logs &> ", "soong logs ", true),
            ("soong logs <\"a b", "soong logs a b", true),
            ("soong logs > x --fo", "soong logs --fo", false),
            ("soong logs>x 2>&1 --fo", "soong logs --fo", false),
            ("soong logs '>' x", "soong logs > x", false),
            ("soong logs \\> x", "soong logs > x", false),
        ] {
            let line = Line::read(text, BREAKS);
            assert_eq!((line.words.join(" ").as_str(), line.is_target), (words, is_target), "{text}");
        }
    }

    #[test]
    fn settings_of_variables_are_passed_over() {
        let command = |text: &str| Line::read(text, BREAKS).command().join(" ");
        assert_eq!(command("SOONG_CONFIG=/x A=1 soong tunnel "), "soong tunnel ");
        assert_eq!(command("sudo -u me /x/soong tu"), "/x/soong tu");
        assert_eq!(command("sudo ls soong"), "sudo ls soong");
        assert_eq!(command("A=1"), "A=1");
        assert_eq!(command("a-b=1 x"), "a-b=1 x");
    }
}
