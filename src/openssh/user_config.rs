//! Keywords in the user's `ssh_config`, as far as soong's own options depend on them.
//!
//! A keyword counts for every host, under any `Host` or `Match`. `ssh -G` would be exact, but takes a
//! twentieth of a start's time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::options;
use crate::system::name_service;
use crate::system::paths::Paths;

/// Keywords that a tunnel overrides, with the overriding options. Versions older than the one given fail on
/// them, so they are passed only if the user's files have them.
const OVERRIDES: [(&str, &str); 4] = [
    ("forkafterauthentication", "ForkAfterAuthentication=no"), // 8.7
    ("stdinnull", "StdinNull=no"),                             // 8.7
    ("logverbose", "LogVerbose=none"),                         // 8.5
    ("channeltimeout", "ChannelTimeout=none"),                 // 9.6
];

/// ssh's own limit of nested includes (`readconf.c`).
const DEPTH_MAX: usize = 16;
/// Limits on the number and size of files to read.
const FILES_MAX: usize = 200;
const SIZE_MAX: u64 = 1 << 20;

/// Keywords in the user's and the system's `ssh_config`.
#[derive(Debug, Default)]
pub struct UserConfig {
    /// In lower case.
    keywords: BTreeSet<String>,
    /// True if files were skipped; then any keyword may be set.
    incomplete: bool,
    files: usize,
    /// The files that ssh begins with, in order.
    roots: Vec<PathBuf>,
}

impl UserConfig {
    /// Reads the files that `program` will read with `options`.
    pub fn read(program: &Path, given: &[String], paths: &Paths) -> Self {
        let mut config = Self::default();
        // ssh uses the password database, not HOME.
        let own = name_service::own_home().unwrap_or_default().join(".ssh");
        // Our own file, with the ciphers that we prefer.
        let ours = paths.ssh_include();
        for option in options::read(given).unwrap_or_default() {
            config.keywords.extend(options::keyword(&option));
        }
        match config_file(given) {
            Some(file) if file == "none" => {}
            Some(file) => config.begin_with(Path::new(&file), &own, &ours),
            None => {
                config.begin_with(&own.join("config"), &own, &ours);
                for system in system_directories(program) {
                    config.begin_with(&system.join("ssh_config"), &system, &ours);
                }
            }
        }
        config
    }

    /// Returns the files that ssh begins with, in order; they may not exist.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    fn begin_with(&mut self, file: &Path, base: &Path, ours: &Path) {
        self.roots.extend(std::path::absolute(file));
        self.look_through(file, base, ours, 0);
    }

    /// Returns true if `keyword`, in lower case, is or may be set for some host.
    pub fn sets(&self, keyword: &str) -> bool {
        self.incomplete || self.keywords.contains(keyword)
    }

    /// Returns the options for `program` that override the user's settings.
    pub fn overrides(&self, program: &Path) -> Vec<String> {
        let set = OVERRIDES.iter().filter(|(keyword, _)| self.sets(keyword));
        set.map(|(_, option)| (*option).to_owned()).filter(|option| is_known(program, option)).collect()
    }

    /// Collects the keywords of `file` and its includes, relative to `base`.
    fn look_through(&mut self, file: &Path, base: &Path, ours: &Path, depth: usize) {
        let Ok(metadata) = fs::metadata(file) else { return };
        self.files += 1;
        if file == ours || metadata.is_dir() {
            return;
        }
        if depth > DEPTH_MAX || self.files > FILES_MAX || !metadata.is_file() || metadata.len() > SIZE_MAX {
            self.incomplete = true;
            return;
        }
        let text = fs::read(file).unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            let ends = |c: char| c == '=' || c.is_ascii_whitespace();
            let line = line.trim_start();
            let (keyword, value) = line.split_once(ends).unwrap_or((line, ""));
            let keyword = keyword.trim_matches('"').to_ascii_lowercase();
            if keyword == "include" {
                for pattern in shell_words::split(value.trim_start_matches(ends)).unwrap_or_default() {
                    self.include(&pattern, base, ours, depth);
                }
            } else if !keyword.starts_with('#') {
                self.keywords.insert(keyword);
            }
        }
    }

    /// A pattern stands for every file of its directory; reading too many does little harm.
    fn include(&mut self, pattern: &str, base: &Path, ours: &Path, depth: usize) {
        let home = || base.parent().map(Path::to_owned).unwrap_or_default();
        let path = match pattern.strip_prefix("~/") {
            Some(rest) => home().join(rest),
            None => base.join(pattern),
        };
        let is_pattern = |path: &Path| path.to_string_lossy().contains(['*', '?', '[']);
        let directory = path.parent().unwrap_or(base).to_owned();
        if pattern.starts_with('~') && !pattern.starts_with("~/")
            || pattern.contains(['%', '$'])
            || is_pattern(&directory)
        {
            self.incomplete = true;
        } else if is_pattern(&path) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                self.look_through(&entry.path(), base, ours, depth + 1);
            }
        } else {
            self.look_through(&path, base, ours, depth + 1);
        }
    }
}

/// Returns the last `-F`, which is the one that ssh uses.
fn config_file(given: &[String]) -> Option<String> {
    let options = options::read(given).ok()?;
    let file = options.iter().rfind(|option| option.letter == 'F')?.value?;
    Some(file.to_string_lossy().into_owned())
}

/// Returns the directories in which `program` may look for the system's files.
fn system_directories(program: &Path) -> Vec<PathBuf> {
    let prefix = fs::canonicalize(program).ok();
    let prefix = prefix.as_deref().and_then(Path::parent).and_then(Path::parent);
    let beside = prefix.map(|prefix| prefix.join("etc/ssh"));
    std::iter::once(PathBuf::from("/etc/ssh")).chain(beside).collect()
}

/// Returns true if `program` accepts `option`. This reads no file and connects to nothing.
fn is_known(program: &Path, option: &str) -> bool {
    let mut command = Command::new(program);
    command.args(["-F", "none", "-TG", "-o", option, "localhost"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> UserConfig {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join(".ssh");
        fs::create_dir_all(base.join("conf.d")).unwrap();
        for (name, text) in files {
            fs::write(base.join(name), text).unwrap();
        }
        let mut config = UserConfig::default();
        config.look_through(&base.join("config"), &base, &base.join("ours"), 0);
        config
    }

    #[test]
    fn a_keyword_is_found_wherever_it_stands() {
        for files in [
            &[("config", "Host *\n\tCiphers aes256-ctr\n")][..],
            &[("config", "ciphers=aes256-ctr")],
            &[("config", "Host a\nInclude conf.d/*\n"), ("conf.d/x", "Host b\nCIPHERS  a,b\r\n")],
            &[("config", "Include ~/.ssh/a \"b c\"\n"), ("b c", "Ciphers x")],
            &[("config", "Include a\n"), ("a", "Include b\n"), ("b", "Ciphers x")],
        ] {
            assert!(read(files).sets("ciphers"), "{files:?}");
        }
        for files in [
            &[("config", "# Ciphers x\nHost Ciphers\nCompression yes\n")][..],
            &[("config", "Include ours\n"), ("ours", "Ciphers x")],
            &[("config", "Include nowhere\n"), ("conf.d/x", "Ciphers x")],
            &[],
        ] {
            assert!(!read(files).sets("ciphers"), "{files:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_may_set_anything() {
        for text in
            ["Include %d/x", "Include ${HOME}/x", "Include ~other/x", "Include conf.*/x", "Include config"]
        {
            assert!(read(&[("config", text)]).sets("ciphers"), "{text}");
        }
    }

    #[test]
    fn the_last_file_that_is_named_is_read() {
        let words = |text: &str| shell_words::split(text).unwrap();
        assert_eq!(config_file(&words("-4 -F a -F none -o F=x")).as_deref(), Some("none"));
        assert_eq!(config_file(&words("-vFx")).as_deref(), Some("x"));
        assert_eq!(config_file(&words("-o B=x")), None);
    }
}
