//! Where on a line TAB works: behind `sudo`, with a path, behind an alias, in quotes, with `=` and `:`, in the
//! middle.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::sandbox;
use super::shell::{Kind, Shell, bash_version};
use crate::support::sandbox::Sandbox;

/// Typed lines, with a `|` before each TAB, and the words that result.
const LINES: &[(&str, &[&str])] = &[
    ("soong tunnel resta|", &["soong", "tunnel", "restart"]),
    ("soong-tunnel resta|", &["soong-tunnel", "restart"]),
    ("./soong tunnel resta|", &["./soong", "tunnel", "restart"]),
    ("/opt/x/soong-tunnel resta|", &["/opt/x/soong-tunnel", "restart"]),
    ("soong conf|set", &["soong", "configure", "set"]),
    ("soong help conf|", &["soong", "help", "configure"]),
    ("soong tunnel start --dry|", &["soong", "tunnel", "start", "--dry-run"]),
    ("soong tunnel start --instance-id my|", &["soong", "tunnel", "start", "--instance-id", "my box"]),
    ("soong tunnel start --instance-id my\\ b|", &["soong", "tunnel", "start", "--instance-id", "my box"]),
    ("soong tunnel start --instance-id \"my|", &["soong", "tunnel", "start", "--instance-id", "my box"]),
    ("soong tunnel start --instance-id 'my|", &["soong", "tunnel", "start", "--instance-id", "my box"]),
    ("soong tunnel start --instance-id=my|", &["soong", "tunnel", "start", "--instance-id=my box"]),
    ("soong tunnel start --instance-id=\"my|", &["soong", "tunnel", "start", "--instance-id=my box"]),
    ("soong tunnel start --port com|81", &["soong", "tunnel", "start", "--port", "comfyui=81"]),
    ("soong tunnel start --port com||81", &["soong", "tunnel", "start", "--port", "comfyui=81"]),
    ("soong tunnel start --port=com|81", &["soong", "tunnel", "start", "--port=comfyui=81"]),
    (
        "soong tunnel start --port sglang=1 --port com|81",
        &["soong", "tunnel", "start", "--port", "sglang=1", "--port", "comfyui=81"],
    ),
    ("soong tunnel start --forward=5432:db|", &["soong", "tunnel", "start", "--forward=5432:db:5432"]),
    ("soong tunnel url a:b:|x", &["soong", "tunnel", "url", "a:b:x"]),
    ("soong tunnel resta| --qui|", &["soong", "tunnel", "restart", "--quiet"]),
    ("soong configure --key pla|", &["soong", "configure", "--key", "plain file.txt"]),
    ("soong configure --key=pla|", &["soong", "configure", "--key=plain file.txt"]),
    (
        "soong tunnel run --instance-id my| -- soong-sta|",
        &["soong", "tunnel", "run", "--instance-id", "my box", "--", "soong-status"],
    ),
    (
        "soong tunnel run --auto| --port=com|1 -- soong-sta|",
        &["soong", "tunnel", "run", "--auto-ports", "--port=comfyui=1", "--", "soong-status"],
    ),
    ("soong tunnel run my| -- soong-sta|", &["soong", "tunnel", "run", "my box", "--", "soong-status"]),
    ("soong tunnel start my|", &["soong", "tunnel", "start", "my box"]),
    ("soong status my|", &["soong", "status", "my box"]),
    ("soong extend my| 2h", &["soong", "extend", "my box", "2h"]),
    ("soong keep 2h my|", &["soong", "keep", "2h", "my box"]),
    ("soong doctor \"my|", &["soong", "doctor", "my box"]),
    ("soong daemon logs my|", &["soong", "daemon", "logs", "my box"]),
    ("soong ssh my| -- ls", &["soong", "ssh", "my box", "--", "ls"]),
    ("soong ssh -- soong-sta|", &["soong", "ssh", "--", "soong-status"]),
    ("soong ssh -t --print -- ls pla|", &["soong", "ssh", "-t", "--print", "--", "ls", "plain file.txt"]),
    ("sudo soong tunnel resta|", &["sudo", "soong", "tunnel", "restart"]),
    ("st resta|", &["st", "restart"]),
    ("s tunnel resta|", &["s", "tunnel", "restart"]),
    // Two steps to the left: the cursor is behind `resta`.
    ("soong tunnel resta x\x1b[D\x1b[D|", &["soong", "tunnel", "restart", "x"]),
    ("soong tunnel logs 2>/dev/null --fol|", &["soong", "tunnel", "logs", "--follow"]),
    // Nothing fits, and nothing is offered in its place.
    ("soong tunnel stop pla|", &["soong", "tunnel", "stop", "pla"]),
    ("soong configure get zzq|", &["soong", "configure", "get", "zzq"]),
];

/// Behind an assignment, bash 3 takes the assigned value for the command and runs no completion.
const BEHIND_ASSIGNMENT: (&str, &[&str]) =
    ("SOONG_CONFIG=/x soong tunnel resta|", &["SOONG_CONFIG=/x", "soong", "tunnel", "restart"]);

fn check(kind: Kind) {
    let sandbox = sandbox();
    sudo(&sandbox);
    let mut shell = Shell::start(kind, &sandbox, "alias st='soong tunnel'\nalias s=soong");
    let old = kind == Kind::Bash && bash_version(&sandbox) < (4, 0);
    for (keys, words) in LINES.iter().chain(Some(&BEHIND_ASSIGNMENT).filter(|_| !old)) {
        assert_eq!(shell.words(&keys.replace('|', "\t")), *words, "{kind:?}: {keys}");
    }
    for redirection in ["> ", ">", "2>>", "< "] {
        shell.shows(&format!("soong tunnel logs {redirection}pla\t"), &["plain\\ file.txt"]);
    }
}

/// A `sudo` that may be missing on the machine: shells complete behind programs that are there.
fn sudo(sandbox: &Sandbox) {
    let file = sandbox.path("bin/sudo");
    sandbox.write(&file, "#!/bin/sh\nexec \"$@\"\n");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn bash_completes_everywhere_on_a_line() {
    check(Kind::Bash);
}

#[test]
fn zsh_completes_everywhere_on_a_line() {
    check(Kind::Zsh);
}

#[test]
fn fish_completes_everywhere_on_a_line() {
    check(Kind::Fish);
}

/// The name that the user chose, in the shell's own words: it stands for the path of the program.
#[test]
fn what_init_prints_completes_the_name_that_it_gives() {
    for kind in Kind::ALL {
        let sandbox = sandbox();
        let soong = env!("CARGO_BIN_EXE_soong");
        let load = match kind {
            Kind::Bash => format!("eval \"$('{soong}' init bash --cmd sg)\""),
            Kind::Zsh => {
                format!("autoload -U compinit; compinit -u -D; eval \"$('{soong}' init zsh --cmd sg)\"")
            }
            Kind::Fish => format!("'{soong}' init fish --cmd sg | source"),
        };
        for name in ["sg", "soong"] {
            // A shell each, so that each line is the first.
            let mut shell = Shell::run(kind, &sandbox, &load, &sandbox.path("bin"));
            assert_eq!(
                shell.words(&format!("{name} tunnel resta\t")),
                [name, "tunnel", "restart"],
                "{kind:?}"
            );
            shell.shows("sg tunnel st\t\t", &["Stop a tunnel"]);
        }
    }
}

/// At the first prompt of a startup file that goes on, and when one is made later.
#[test]
fn bash_completes_aliases_of_later() {
    let sandbox = sandbox();
    let startup =
        format!("eval \"$('{}' init bash)\"\nalias st='soong tunnel'\n", env!("CARGO_BIN_EXE_soong"));
    sandbox.write(&sandbox.path("home/startup"), startup);
    let mut shell = Shell::run(Kind::Bash, &sandbox, ". ~/startup", &sandbox.path("bin"));
    assert_eq!(shell.words("st resta\t"), ["st", "restart"]);
    // bash 3 cannot tell without a process whether there are more.
    if bash_version(&sandbox) < (4, 0) {
        return;
    }
    // Completions that the user defined stay.
    shell.command("alias s=soong other=soong; complete -W mine other");
    shell.command("alias more=soong");
    assert_eq!(shell.words("s tunnel resta\t"), ["s", "tunnel", "restart"]);
    assert_eq!(shell.words("other m\t"), ["other", "mine"]);
}

/// ble.sh shows candidates in its own menu and inserts the chosen one unchanged.
#[test]
fn nothing_is_described_in_the_menu_of_ble_sh() {
    let sandbox = sandbox();
    let mut shell = Shell::start(Kind::Bash, &sandbox, "");
    let complete =
        "COMP_WORDS=(soong tunnel st) COMP_CWORD=2 COMP_LINE='soong tunnel st' COMP_POINT=15 COMP_TYPE=9";
    let ask = "BLE_ATTACHED=1 _soong soong st tunnel 2>/dev/null; echo \"<${COMPREPLY[*]}>\"";
    shell.shows(&format!("{complete}; {ask}\r"), &["<start status stop>"]);
}

/// In a startup file, the line of init may stand above the one that starts zsh's completion.
#[test]
fn zsh_completes_whichever_comes_first() {
    let sandbox = sandbox();
    let soong = env!("CARGO_BIN_EXE_soong");
    let script = format!("eval \"$('{soong}' init zsh)\"\nautoload -U compinit; compinit -u -D\n");
    sandbox.write(&sandbox.path("home/startup"), &script);
    let mut shell = Shell::run(Kind::Zsh, &sandbox, ". ~/startup", &sandbox.path("bin"));
    assert_eq!(shell.words("soong tunnel resta\t"), ["soong", "tunnel", "restart"]);
}

/// Many a startup file never starts it, and some start it later on.
#[test]
fn zsh_completes_without_compinit_and_after_it() {
    let sandbox = sandbox();
    let script = format!("eval \"$('{}' init zsh)\"\n", env!("CARGO_BIN_EXE_soong"));
    sandbox.write(&sandbox.path("home/startup"), &script);
    let mut shell = Shell::run(
        Kind::Zsh,
        &sandbox,
        "later() { :; }; precmd_functions+=(later)\n. ~/startup; . ~/startup\n. ~/startup",
        &sandbox.path("bin"),
    );
    for options in ["", "setopt nounset noglob noclobber shwordsplit ksharrays"] {
        shell.command(options);
        for (keys, words) in [
            ("soong tunnel resta\t", &["soong", "tunnel", "restart"][..]),
            ("soong ssh --instance-id my\t", &["soong", "ssh", "--instance-id", "my box"]),
            ("soong ssh --instance-id \"my b\t", &["soong", "ssh", "--instance-id", "my box"]),
            ("soong ssh --instance-id=my\\ b\t", &["soong", "ssh", "--instance-id=my box"]),
            ("soong configure --key pla\t", &["soong", "configure", "--key", "plain file.txt"]),
            ("soong tunnel stop pla\tx", &["soong", "tunnel", "stop", "plax"]),
            // No space behind what goes on.
            ("soong tunnel start --port com\t81", &["soong", "tunnel", "start", "--port", "comfyui=81"]),
        ] {
            assert_eq!(shell.words(keys), words, "{options}: {keys}");
        }
        shell.shows("soong tunnel st\t", &["status", "Stop a tunnel"]);
        assert_eq!(shell.count("soong tunnel st\t", "Stop a tunnel"), 1, "{options}");
    }
    shell.command("unsetopt ksharrays; autoload -U compinit; compinit -u -D");
    shell.shows("echo \"hooks $precmd_functions.\"\r", &["hooks _soong_hook later _soong_last."]);
    assert_eq!(
        shell.words("soong tunnel start --port com\t81"),
        ["soong", "tunnel", "start", "--port", "comfyui=81"]
    );
    shell.command("soong_unload");
    shell.shows("soong tunnel resta\t", &["resta"]);
}

/// Options that are set before the line of init, which has to be read under them.
#[test]
fn zsh_reads_the_completion_under_any_option() {
    let sandbox = sandbox();
    let soong = env!("CARGO_BIN_EXE_soong");
    for options in ["setopt ksharrays", "emulate sh", "emulate ksh", "setopt nounset"] {
        for start in ["", "autoload -U compinit; compinit -u -D"] {
            let script = format!("{options}\n{start}\neval \"$('{soong}' init zsh)\" 2>&1\n");
            sandbox.write(&sandbox.path("home/startup"), &script);
            let setup = ". ~/startup >~/said\nemulate zsh";
            let mut shell = Shell::run(Kind::Zsh, &sandbox, setup, &sandbox.path("bin"));
            assert_eq!(
                shell.words("soong tunnel resta\t"),
                ["soong", "tunnel", "restart"],
                "{options} {start}"
            );
            let said = fs::read_to_string(sandbox.path("home/said")).unwrap();
            assert_eq!(said, "", "{options} {start}");
        }
    }
}

/// bash breaks words at other characters for those who tell it to.
#[test]
fn bash_completes_with_other_word_breaks() {
    let sandbox = sandbox();
    let mut shell = Shell::start(Kind::Bash, &sandbox, "COMP_WORDBREAKS=${COMP_WORDBREAKS//[=:]}");
    assert_eq!(
        shell.words("soong tunnel start --port=com\t81"),
        ["soong", "tunnel", "start", "--port=comfyui=81"]
    );
}

/// With menu completion bash puts one candidate after the other on the line: there is no place for descriptions.
#[test]
fn bash_inserts_no_descriptions() {
    let sandbox = sandbox();
    let mut shell = Shell::start(Kind::Bash, &sandbox, "bind 'TAB:menu-complete'");
    assert_eq!(shell.words("soong tunnel sta\t"), ["soong", "tunnel", "start"]);
    assert_eq!(shell.words("soong tunnel sta\t\t"), ["soong", "tunnel", "status"]);
}

#[test]
fn shell_options_do_no_harm() {
    for (kind, options) in [
        (Kind::Bash, "set -u; set -f; shopt -s failglob nullglob extglob; IFS=t"),
        (Kind::Bash, "set -o posix; set -o noclobber"),
        (Kind::Zsh, "setopt nounset noglob noclobber shwordsplit ksharrays"),
    ] {
        let sandbox = sandbox();
        let mut shell = Shell::start(kind, &sandbox, "");
        shell.command(options);
        assert_eq!(shell.words("soong tunnel resta\t"), ["soong", "tunnel", "restart"], "{options}");
        assert_eq!(
            shell.words("soong ssh --instance-id my\t"),
            ["soong", "ssh", "--instance-id", "my box"],
            "{options}"
        );
    }
}
