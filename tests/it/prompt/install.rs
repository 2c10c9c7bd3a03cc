//! `soong init --install`: one line in a file that is the user's.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::hooks::{BASH, FISH, Shell, ZSH};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;

#[test]
fn a_line_is_added_once_and_taken_out_to_the_last_byte() {
    let sandbox = Sandbox::new();
    let (file, link) = (sandbox.path("home/dotfiles/zshrc"), sandbox.path("home/.zshrc"));
    let before = b"# mine\nalias x=y\xff";
    sandbox.write(&file, before);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("dotfiles/zshrc", &link).unwrap();
    let init = |words: &[&str]| sandbox.soong(["init"]).args(words).env("SHELL", "/bin/zsh");
    init(&["--install"]).code(1).stdout_has("soong init").stderr_has("--yes").run();
    assert_eq!(fs::read(&file).unwrap(), before, "the question was not answered");
    init(&["--install", "--yes"]).stdout_has("Added to ").run();
    let added = fs::read(&file).unwrap();
    init(&["--install", "--yes"]).stdout_has("already").run();
    assert_eq!(fs::read(&file).unwrap(), added);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(link.is_symlink());
    init(&["--uninstall", "--yes"]).stdout_has("Removed from ").run();
    assert_eq!(fs::read(&file).unwrap(), before);
    init(&["--uninstall", "--yes"]).stdout_has("no line").run();
}

#[test]
fn a_file_goes_again_only_where_there_was_none() {
    let sandbox = Sandbox::new();
    let init = |shell: &str, flag: &str| {
        sandbox.soong(["init", shell, flag, "--yes"]).stdout_has("soong").run();
    };
    let both = |shell: &str| {
        init(shell, "--install");
        init(shell, "--uninstall");
    };
    let [bash, zsh, fish] =
        ["home/.bashrc", "home/.zshrc", "home/.config/fish/config.fish"].map(|file| sandbox.path(file));
    init("bash", "--install");
    sandbox.soong(["init", "bash", "--install", "--yes", "--no-prompt"]).stdout_has("Added").run();
    init("bash", "--uninstall");
    assert!(!bash.exists(), "no other command wrote into it");
    sandbox.write(&bash, "");
    both("bash");
    assert_eq!(fs::read(&bash).unwrap(), b"", "it was there before");
    init("fish", "--install");
    let mut text = fs::read_to_string(&fish).unwrap();
    text.push_str("set -g x y\n");
    sandbox.write(&fish, text);
    init("fish", "--uninstall");
    assert_eq!(fs::read_to_string(&fish).unwrap(), "set -g x y\n");
    std::os::unix::fs::symlink("dotfiles", &zsh).unwrap();
    both("zsh");
    assert!(zsh.is_symlink() && fs::read(&zsh).unwrap().is_empty(), "what a link leads to stays");
}

/// A framework that edits the startup file, as a script that does to `$RC` what the real one does.
struct Editor {
    shell: &'static str,
    rc: &'static str,
    /// Installs it, or repeats the installation.
    add: &'static str,
    /// Removes it.
    remove: &'static str,
}

const EDITORS: &[Editor] = &[
    // `conda init` and `conda init --reverse`: a block between two marks, replaced in place when repeated.
    Editor { shell: "bash", rc: "home/.bashrc", add: CONDA, remove: CONDA_REVERSE },
    Editor { shell: "zsh", rc: "home/.zshrc", add: CONDA, remove: CONDA_REVERSE },
    Editor { shell: "fish", rc: "home/.config/fish/config.fish", add: CONDA, remove: CONDA_REVERSE },
    // The installer of oh-my-zsh moves the file away, and its uninstaller puts it back.
    Editor {
        shell: "zsh",
        rc: "home/.zshrc",
        add: "[ -e \"$RC.pre-oh-my-zsh\" ] || { mv \"$RC\" \"$RC.pre-oh-my-zsh\"; echo 'source $ZSH/oh-my-zsh.sh' >\"$RC\"; }",
        remove: "rm \"$RC\"; mv \"$RC.pre-oh-my-zsh\" \"$RC\"",
    },
    // bash-it keeps a copy and writes another file in its place.
    Editor {
        shell: "bash",
        rc: "home/.bashrc",
        add: "[ -e \"$RC.bak\" ] || { cp \"$RC\" \"$RC.bak\"; echo 'source $BASH_IT/bash_it.sh' >\"$RC\"; }",
        remove: "mv \"$RC.bak\" \"$RC\"",
    },
];

const CONDA: &str = "if grep -q '^# >>> conda' \"$RC\"; then \
    sed -i 's/^eval conda.*/eval conda again/' \"$RC\"; \
    else printf '\\n# >>> conda initialize >>>\\neval conda\\n# <<< conda initialize <<<\\n' >>\"$RC\"; fi";
const CONDA_REVERSE: &str = "sed -i '/^# >>> conda/,/^# <<< conda/d' \"$RC\"";

#[test]
fn what_frameworks_do_to_the_file_leaves_no_trace_of_ours() {
    for editor in EDITORS {
        for order in ["+s +f +f -f -s", "+f +s -f -s", "+s +f -s -f", "+f +s +f -s -f", "+s +f +s -f -s"] {
            let alone: Vec<&str> = order.split(' ').filter(|step| step.ends_with('f')).collect();
            let with = order.split(' ').collect::<Vec<_>>();
            let [alone, with] = [alone, with].map(|steps| edited(editor, &steps));
            assert_eq!(with, alone, "{} {order} {}", editor.shell, editor.add);
        }
    }
}

/// Returns the startup file after `steps`: `+` adds and `-` removes `s`oong or the `f`ramework.
fn edited(editor: &Editor, steps: &[&str]) -> String {
    let sandbox = Sandbox::new();
    let rc = sandbox.path(editor.rc);
    sandbox.write(&rc, "# mine\n");
    for step in steps {
        let script = if step.starts_with('+') { editor.add } else { editor.remove };
        let flag = if step.starts_with('+') { "--install" } else { "--uninstall" };
        if step.ends_with('f') {
            let status = std::process::Command::new("sh").args(["-ec", script]).env("RC", &rc).status();
            assert!(status.unwrap().success(), "{script}");
        } else {
            sandbox.soong(["init", editor.shell, flag, "--yes"]).stdout_has("").run();
        }
    }
    fs::read_to_string(&rc).unwrap()
}

#[test]
fn a_disk_that_is_full_leaves_the_file() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("home/.bashrc");
    let before = format!("# {}\n", "x".repeat(20_000));
    sandbox.write(&file, &before);
    // Limits the length of files, in place of a full disk; a longer write fails with an error.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let words = ["-c", script, "sh", env!("CARGO_BIN_EXE_soong"), "init", "bash", "--install", "--yes"];
    let run = Run::new(&sandbox, &tool("sh"), words);
    run.code(1).stdout_has("This line").stderr_has("File too large\nhint: the file is unchanged").run();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let left: Vec<_> =
        fs::read_dir(sandbox.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".soong")), "{left:?}");
}

/// Before and after, whatever has a name with soong in it.
fn leaves_nothing(shell: &Shell, before: &str, names: &str) {
    let sandbox = Sandbox::new();
    let soong = env!("CARGO_BIN_EXE_soong");
    let load = match shell.name {
        "fish" => format!("'{soong}' init fish | source"),
        name => format!("eval \"$('{soong}' init {name})\""),
    };
    let hook = shell.hook;
    let file = sandbox.path("script");
    sandbox.write(
        &file,
        format!(
            "{before}\n{load}\n{hook}\n{names}\necho unloaded\n{hook}\nsoong_unload\n{names}\necho end\n"
        ),
    );
    let said = shell.run(&sandbox, &[file.to_str().unwrap()]).unchecked().stdout;
    let (loaded, left) = said.split_once("unloaded\n").unwrap();
    assert!(loaded.contains(hook) && loaded.contains("SOONG_STATE"), "{}: {loaded}", shell.name);
    assert_eq!(left, "end\n", "{}", shell.name);
}

#[test]
fn nothing_is_left_in_a_shell_that_unloads_it() {
    let names = "{ compgen -A function; compgen -v; complete -p; alias; } | grep -i soong";
    leaves_nothing(&BASH, "", names);
    let names = "print -l ${(k)functions} ${(k)parameters} ${(kv)_comps-} $precmd_functions | grep -i soong";
    leaves_nothing(&ZSH, "", names);
    leaves_nothing(&ZSH, "autoload -U compinit; compinit -u -D", names);
    leaves_nothing(&FISH, "", "begin; functions -an; set -n; complete; end | string match -ie soong");
}

#[test]
fn an_unknown_shell_is_asked_for() {
    let sandbox = Sandbox::new();
    let init = sandbox.soong(["init"]).env("SHELL", "/bin/tcsh");
    init.fails(2, ["determine your shell"]).hint("bash, zsh or fish").run();
}
