//! Text as man(7) wants it.

/// A manual page that is being written.
pub struct Page {
    text: String,
}

impl Page {
    /// A page with its NAME.
    pub fn new(name: &str, section: u8, summary: &str) -> Self {
        /// Fixed, so that a page changes only when its text does.
        const DATE: &str = "2026-11-22";
        let version = env!("CARGO_PKG_VERSION");
        let title = escape(&name.to_uppercase());
        let mut page = Self {
            text: format!(
                ".\\\" Made by 'make generate'; changes are lost.\n\
                .TH {title} {section} {DATE} \"soong {version}\" \"soong Manual\"\n"
            ),
        };
        page.section("NAME");
        let mut letters = summary.chars();
        let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
        let acronym = letters.clone().next().is_some_and(char::is_uppercase);
        let summary = if acronym { summary.to_owned() } else { first + letters.as_str() };
        page.line(&format!("{} \\- {}", escape(name), escape(&summary)));
        page
    }

    pub fn section(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    pub fn subsection(&mut self, title: &str) {
        self.line(&format!(".SS {}", escape(title)));
    }

    /// Paragraphs, with empty lines between them.
    pub fn paragraphs(&mut self, text: &str) {
        for (index, paragraph) in text.split("\n\n").filter(|text| !text.trim().is_empty()).enumerate() {
            if index > 0 {
                self.line(".PP");
            }
            let lines: Vec<&str> = paragraph.lines().collect();
            for run in lines.chunk_by(|one, next| one.starts_with(' ') == next.starts_with(' ')) {
                if run[0].starts_with(' ') {
                    self.example(&run.join("\n"));
                } else {
                    for line in run {
                        self.prose(line);
                    }
                }
            }
        }
    }

    /// A paragraph behind what was written before in the same section.
    pub fn paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.paragraphs(text);
    }

    /// Lines that stay as they are.
    pub fn example(&mut self, text: &str) {
        self.line(".EX");
        for line in text.lines().map(protected) {
            self.line(&line);
        }
        self.line(".EE");
    }

    /// A term in bold and what it means.
    pub fn term(&mut self, term: &str, meaning: &str) {
        self.marked(&format!("\\fB{}\\fR", escape(term)), meaning);
    }

    /// A term with its own fonts, and what it means.
    pub fn marked(&mut self, term: &str, meaning: &str) {
        self.line(".TP");
        self.line(term);
        for line in meaning.lines() {
            self.prose(line);
        }
    }

    /// A line of text, in lines of the length that roff's readers ask for.
    fn prose(&mut self, line: &str) {
        const LONGEST: usize = 76;
        let mut wrapped = String::new();
        for word in line.split_whitespace() {
            if !wrapped.is_empty() && escape(&wrapped).len() + escape(word).len() >= LONGEST {
                self.line(&protected(&std::mem::take(&mut wrapped)));
            }
            if !wrapped.is_empty() {
                wrapped.push(' ');
            }
            wrapped.push_str(word);
        }
        self.line(&protected(&wrapped));
    }

    /// A line of roff.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// `text` without what roff would act on within a line.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...").replace('–', "\\-").replace('→', "\\->")
}

/// A whole line, which roff could take for a request.
fn protected(line: &str) -> String {
    let escaped = escape(line);
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}
