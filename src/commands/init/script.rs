//! The script for a shell: completions and hook of this version, and the path of its programs.

use std::path::Path;

use super::arguments::{Arguments, Shell};

struct Parts {
    completions: &'static str,
    hook: &'static str,
    /// Code around the completions, for interactive shells only.
    condition: [&'static str; 2],
}

const fn parts(shell: Shell) -> Parts {
    const CASE: [&str; 2] = ["case $- in *i*)\n", "\n;; esac\n"];
    match shell {
        Shell::Bash => Parts {
            completions: include_str!("../../../completions/soong.bash"),
            hook: concat!(
                include_str!("../../../shell/placement.bash"),
                include_str!("../../../shell/soong.bash")
            ),
            condition: CASE,
        },
        Shell::Zsh => Parts {
            completions: include_str!("../../../completions/_soong"),
            hook: include_str!("../../../shell/soong.zsh"),
            condition: CASE,
        },
        Shell::Fish => Parts {
            completions: include_str!("../../../completions/soong.fish"),
            hook: include_str!("../../../shell/soong.fish"),
            condition: ["if status is-interactive\n", "\nend\n"],
        },
    }
}

/// Returns the script for `arguments`. `soong` is the dispatcher; the other programs are beside it.
pub fn script(shell: Shell, arguments: &Arguments, soong: &Path) -> String {
    let mut script = format!("# soong {}\n", env!("CARGO_PKG_VERSION"));
    let parts = parts(shell);
    if let Some(alias) = &arguments.cmd {
        script.push_str(&match shell {
            Shell::Bash | Shell::Zsh => format!("__soong_alias={alias}\nalias {alias}={}\n", twice(soong)),
            Shell::Fish => {
                let soong = quote(shell, soong);
                format!(
                    "set -g __soong_alias {alias}\nfunction {alias} --wraps soong\n    {soong} $argv\nend\n"
                )
            }
        });
        if shell == Shell::Zsh {
            script = script.replace("__soong_alias=", "_soong_alias=");
        }
    }
    if !arguments.no_completions {
        let completer = quote(shell, &soong.with_file_name("soong-complete"));
        script.push_str(&match shell {
            Shell::Bash | Shell::Zsh => format!("_soong_completer={completer}\n"),
            Shell::Fish => format!("set -g _soong_completer {completer}\n"),
        });
        let [before, after] = parts.condition;
        script.push_str(&format!("{before}{}{after}", parts.completions));
    }
    if !arguments.no_prompt {
        script.push_str(parts.hook);
    }
    script
}

/// Quotes an alias's value, which the shell parses twice: as a word, and as a command.
fn twice(path: &Path) -> String {
    let once = shell_words::quote(&path.to_string_lossy()).into_owned();
    shell_words::quote(&once).into_owned()
}

/// Returns `path` as one word of `shell`.
pub fn quote(shell: Shell, path: &Path) -> String {
    let text = path.to_string_lossy();
    match shell {
        Shell::Bash | Shell::Zsh => shell_words::quote(&text).into_owned(),
        Shell::Fish => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_whatever_is_in_it() {
        let path = Path::new("/a b/it's/$x\\");
        assert_eq!(quote(Shell::Fish, path), r"'/a b/it\'s/$x\\'");
        assert_eq!(quote(Shell::Bash, path), r"'/a b/it'\''s/$x\'");
        assert_eq!(twice(Path::new("/a b")), r"''\''/a b'\'''");
    }
}
