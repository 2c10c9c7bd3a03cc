//! The editors' programs and command lines.
//!
//! Sources: `code --help` (`--remote`), <https://code.visualstudio.com/docs/remote/troubleshooting>, and
//! <https://zed.dev/docs/remote-development> (`ssh://HOST/PATH`).

use std::path::PathBuf;

use clap::ValueEnum;

use super::arguments::Editor;
use crate::error::{Error, Result};
use crate::system::paths;

impl Editor {
    /// Returns the name of its program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::CodeInsiders => "code-insiders",
            Self::Cursor => "cursor",
            Self::Windsurf => "windsurf",
            Self::Codium => "codium",
            Self::Zed => "zed",
        }
    }

    /// Returns the arguments that open `directory`, an absolute path, on the ssh host `host`.
    pub fn arguments(self, host: &str, directory: Option<&str>) -> Vec<String> {
        if self == Self::Zed {
            return vec![format!("ssh://{host}{}", directory.map_or("/~".to_owned(), escaped))];
        }
        let mut arguments = vec!["--remote".to_owned(), format!("ssh-remote+{host}")];
        arguments.extend(directory.map(str::to_owned));
        arguments
    }
}

/// Returns `wanted`, or the first editor that is installed, with the path of its program.
pub(super) fn find(wanted: Option<Editor>) -> Result<(Editor, PathBuf)> {
    let installed = |editor: Editor| Some((editor, paths::find_program(editor.program())?));
    match wanted {
        Some(editor) => installed(editor).ok_or_else(|| {
            Error::failed(format!("{} is not on PATH", editor.program()))
                .with_hint("install its command: 'Shell Command: Install' in the editor's command palette")
        }),
        None => Editor::value_variants().iter().copied().find_map(installed).ok_or_else(|| {
            let names: Vec<&str> = Editor::value_variants().iter().map(|editor| editor.program()).collect();
            Error::failed(format!("no editor on PATH: {}", names.join(", "))).with_hint(
                "install an editor, or its command: 'Shell Command: Install' in the command palette",
            )
        }),
    }
}

/// Returns a path for a URL: bytes that have a meaning there become `%XX`.
fn escaped(path: &str) -> String {
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_editor_gets_the_host_and_the_directory() {
        let line = |editor: Editor, directory| editor.arguments("soong-dev", directory).join(" ");
        assert_eq!(line(Editor::Cursor, Some("/a b")), "--remote ssh-remote+soong-dev /a b");
        assert_eq!(line(Editor::Code, None), "--remote ssh-remote+soong-dev");
        assert_eq!(line(Editor::Zed, Some("/a b/ö?#")), "ssh://soong-dev/a%20b/%C3%B6%3F%23");
        assert_eq!(line(Editor::Zed, None), "ssh://soong-dev/~");
    }
}
