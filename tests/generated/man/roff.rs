//! A small writer of man(7) text, for the sections that clap_mangen does not make.

/// Date in the title line; set by `packaging/set-version.sh`, so that a page changes only when its text or the version does.
pub const DATE: &str = "2026-11-27";
/// Name of the manual in the title line.
pub const MANUAL: &str = "soong Manual";
const NOTICE: &str = ".\\\" Made by 'make generate'; changes are lost.\n";

/// Returns the program and version for the title line.
pub fn source() -> String {
    format!("soong {}", env!("CARGO_PKG_VERSION"))
}

/// Manual page under construction.
pub struct Page {
    text: String,
}

impl Page {
    /// Begins a page with its title and NAME.
    pub fn new(name: &str, section: u8, summary: &str) -> Self {
        let title = escape(&name.to_uppercase());
        let mut page =
            Self { text: format!("{NOTICE}.TH {title} {section} {DATE} \"{}\" \"{MANUAL}\"\n", source()) };
        page.section("NAME");
        page.line(&format!("{} \\- {}", escape(name), escape(summary)));
        page
    }

    /// Continues the sections that clap_mangen has rendered one by one.
    pub fn from_rendered(sections: &str) -> Self {
        let mut text = NOTICE.to_owned();
        // Each section begins with roff's definition of the apostrophe.
        let is_definition = |line: &&str| line.starts_with(".ie ") || line.starts_with(".el ");
        text.extend(sections.lines().take_while(is_definition).map(|line| format!("{line}\n")));
        let (mut is_filled, mut is_term) = (true, false);
        for line in sections.lines().filter(|line| !is_definition(line)) {
            match line {
                ".nf" | ".EX" => is_filled = false,
                ".fi" | ".EE" => is_filled = true,
                _ => {}
            }
            let line = line.trim_end().replace('…', "...");
            let is_text = is_filled && !is_term && !line.starts_with(['.', '\'']);
            // An empty line within an option's paragraph; a bare one is bad style in man(7).
            text.push_str(&if line.is_empty() {
                ".sp".to_owned()
            } else if is_text {
                folded(&line)
            } else {
                line.clone()
            });
            text.push('\n');
            is_term = line == ".TP";
        }
        Self { text }
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.line(&format!(".SH {title}"));
    }

    /// Adds paragraphs, which empty lines separate; indented lines stay as they are.
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

    /// Adds lines that stay as they are.
    pub fn example(&mut self, text: &str) {
        self.line(".EX");
        for line in text.lines().map(protected) {
            self.line(&line);
        }
        self.line(".EE");
    }

    /// Adds a term in bold and its description, in paragraphs.
    pub fn term(&mut self, term: &str, description: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escape(term)));
        for (index, paragraph) in description.split("\n\n").enumerate() {
            if index > 0 {
                self.line(".sp");
            }
            for line in paragraph.lines() {
                self.prose(line);
            }
        }
    }

    /// Adds a line of text, wrapped to the length that roff's style asks for.
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

    /// Adds a line of roff.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Returns the page.
    pub fn finish(self) -> String {
        self.text
    }
}

/// Longest line of text, as `mandoc -T lint` asks for.
const LINE_MAX: usize = 80;

/// Returns a line of roff text in lines that are not too long; roff fills them again. None of them begins like a
/// request.
fn folded(line: &str) -> String {
    let (mut text, mut length) = (String::new(), 0);
    for word in line.split(' ') {
        let ends_in_escape = text.ends_with('\\');
        if length > 0
            && length + 1 + word.len() > LINE_MAX
            && !word.starts_with(['.', '\''])
            && !ends_in_escape
        {
            text.push('\n');
            length = 0;
        } else if !text.is_empty() {
            text.push(' ');
            length += 1;
        }
        text.push_str(word);
        length += word.len();
    }
    text
}

/// Returns `text` with the characters escaped that roff interprets within a line.
pub fn escape(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('…', "...").replace('–', "\\-").replace('→', "\\->")
}

/// Returns a line escaped so that roff does not take it for a request.
fn protected(line: &str) -> String {
    let escaped = escape(line);
    if escaped.starts_with(['.', '\'']) { format!("\\&{escaped}") } else { escaped }
}
