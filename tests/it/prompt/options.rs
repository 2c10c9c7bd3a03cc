//! The hooks in shells that are set up in every way available: they work, and leave everything as it was.

use super::hooks::{BASH, FISH, SHELLS, Shell, ZSH, now};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::{self, tool};

/// A sandbox in which a tunnel seems to be up.
pub fn with_tunnel() -> Sandbox {
    let sandbox = Sandbox::new();
    let line = format!("soong2 {} {} 75 up dev - 8000 dev\n", std::process::id(), now() + 60);
    sandbox.write(&sandbox.path("run/soong/prompt"), line);
    sandbox
}

/// Returns what `shell` prints when it runs `script`.
#[track_caller]
pub fn said(shell: &Shell, sandbox: &Sandbox, script: &str) -> String {
    let file = sandbox.path("script");
    sandbox.write(&file, script);
    let output = shell.run(sandbox, &[file.to_str().unwrap()]).unchecked();
    assert_eq!(output.code, 0, "{output:#?}\n{script}");
    let lines = output.stdout.lines().filter(|line| line.starts_with('['));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn bash_keeps_its_options_and_statuses() {
    let sandbox = with_tunnel();
    let options = [
        "set -u",
        "set -e",
        "set -euo pipefail",
        "set -o posix",
        "set -f",
        "shopt -s failglob",
        "shopt -s nullglob extglob nocasematch",
        "IFS=up",
        "IFS=",
        "set -C",
        "set -x",
        "set -o pipefail",
        "shopt -s extdebug",
        "set -a",
        "read() { echo no; }; kill() { echo no; }; printf() { echo no; }; unset() { echo no; }; test() { echo no; }",
        "shopt -s expand_aliases; alias read=no kill=no printf=no export=no return=no",
    ];
    for option in options {
        let script = format!(
            "{option}\n{load}{load}{load}was=$-$(shopt)$IFS\n\
             ! (exit 3); __soong_hook; one=$?; (exit 0); __soong_hook\n\
             builtin echo \"[$SOONG_TEXT $SOONG_STATE $one ${{PROMPT_COMMAND[*]}}]\"\n\
             if [[ $was = $-$(shopt)$IFS ]]; then builtin echo '[same]'; fi\n",
            load = BASH.load()
        );
        assert_eq!(said(&BASH, &sandbox, &script), "[dev up 0 __soong_hook]\n[same]\n", "{option}");
    }
    let script = format!("{}(exit 7); __soong_hook; echo \"[$?]\"\n", BASH.load());
    assert_eq!(said(&BASH, &sandbox, &script), "[7]\n");
}

#[test]
fn zsh_keeps_its_options() {
    let sandbox = with_tunnel();
    let options = [
        "setopt no_unset",
        "setopt err_exit",
        "setopt no_glob",
        "setopt ksh_arrays",
        "setopt sh_word_split glob_subst",
        "IFS=up",
        "IFS=",
        "setopt no_clobber",
        "setopt xtrace",
        "setopt prompt_subst",
        "setopt warn_create_global",
        "setopt extended_glob null_glob",
        "setopt all_export",
        "emulate sh",
        "emulate ksh",
        "read() { echo no; }; kill() { echo no; }; typeset() { echo no; }",
        "alias read=no kill=no typeset=no emulate=no return=no unset=no",
    ];
    for option in options {
        let script = format!(
            "{option}\n{load}{load}{load}was=\"$(set -o)$IFS\"\n_soong_hook\n\
             builtin echo \"[$SOONG_TEXT $SOONG_STATE ${{#precmd_functions}} $RPROMPT]\"\n\
             if [ \"$was\" = \"$(set -o)$IFS\" ]; then builtin echo '[same]'; fi\n",
            load = ZSH.load()
        );
        let said = said(&ZSH, &sandbox, &script);
        assert!(said.starts_with("[dev up 1"), "{option}: {said}");
        assert_eq!(said.matches("= dev").count(), 1, "{option}: {said}");
        assert!(said.ends_with("[same]\n"), "{option}: {said}");
    }
}

#[test]
fn what_ran_before_a_prompt_still_runs_in_bash() {
    let sandbox = with_tunnel();
    let load = BASH.load();
    for (before, after) in [
        ("PROMPT_COMMAND='mine'", "[declare --]\n[mine dev]\n"),
        ("PROMPT_COMMAND='mine; # not yours'", "[declare --]\n[mine dev]\n"),
        ("PROMPT_COMMAND=:", "[declare --]\n"),
        ("PROMPT_COMMAND='mine;'", "[declare --]\n[mine dev]\n"),
        ("PROMPT_COMMAND=(mine)", "[declare -a]\n[mine dev]\n"),
        ("PROMPT_COMMAND=(mine yours)", "[declare -a]\n[mine dev]\n[yours]\n"),
        ("PROMPT_COMMAND=", "[declare --]\n"),
        (":", "[declare --]\n"),
    ] {
        let script = format!(
            "mine() {{ echo \"[mine $SOONG_TEXT]\"; }}; yours() {{ echo '[yours]'; }}\n\
             {before}\nwas=$(declare -p PROMPT_COMMAND 2>/dev/null); ps1=$PS1\n{load}{load}\n\
             now=$(declare -p PROMPT_COMMAND); echo \"[${{now:0:10}}]\"\n\
             for one in \"${{PROMPT_COMMAND[@]}}\"; do eval \"$one\"; done\n{load}__soong_hook\n\
             [[ ${{PROMPT_COMMAND[*]}} == *__soong_hook* ]] || echo '[not in it]'\nsoong_unload\n\
             if [[ $was = \"$(declare -p PROMPT_COMMAND 2>/dev/null)\" && $PS1 = \"$ps1\" ]]; then echo '[restored]'; fi\n\
             echo \"[$(set | grep -i '^[a-z_]*soong' ; declare -F | grep soong)]\"\n"
        );
        assert_eq!(said(&BASH, &sandbox, &script), format!("{after}[restored]\n[]\n"), "{before}");
    }
}

/// A user's hook finds the status of a command, and then the statuses of a pipeline.
#[test]
fn hooks_find_the_statuses_of_the_last_command_in_bash() {
    let sandbox = with_tunnel();
    let load = BASH.load();
    for before in ["PROMPT_COMMAND=mine", "TERM_PROGRAM=vscode; PROMPT_COMMAND=(mine)"] {
        let script = format!(
            "mine() {{ echo \"[$? ${{PIPESTATUS[*]}}]\"; }}\n{before}\n{load}\n\
             (exit 3); eval \"$PROMPT_COMMAND\"\ntrue | (exit 4) | (exit 5); eval \"$PROMPT_COMMAND\"; echo \"[$SOONG_TEXT]\"\n"
        );
        // Before bash 4 nothing can be in front of a hook and leave it these.
        let old = said(&BASH, &sandbox, "echo \"[$BASH_VERSION]\"\n").starts_with("[3.");
        let pipe = if old { "[5 5]" } else { "[5 0 4 5]" };
        assert_eq!(said(&BASH, &sandbox, &script), format!("[3 3]\n{pipe}\n[dev]\n"), "{before}");
    }
}

#[test]
fn bash_says_in_one_line_why_it_cannot_show_tunnels() {
    let sandbox = with_tunnel();
    let said = |arguments: &[&str], script: &str| {
        let file = sandbox.path("script");
        sandbox.write(&file, script);
        let arguments = [arguments, &[file.to_str().unwrap()]].concat();
        let programs = std::path::Path::new(env!("CARGO_BIN_EXE_soong")).parent().unwrap();
        let output = BASH.run(&sandbox, &arguments).env("PATH", programs).unchecked();
        let ours =
            |text: &str| text.lines().filter(|line| line.contains("soong")).map(str::to_owned).collect();
        let lines: [Vec<String>; 2] = [ours(&output.stdout), ours(&output.stderr)];
        assert_eq!(lines[1], Vec::<String>::new());
        lines[0].clone()
    };
    let (load, line) = (BASH.load(), "soong: cannot show tunnels in this prompt:");
    let hook = "eval \"${PROMPT_COMMAND-}\"; echo \"after $? <${PS1@P}>\"\n";
    assert_eq!(
        said(
            &[],
            &format!("mine() {{ :; }}; readonly PROMPT_COMMAND=mine\n{load}{load}{hook}{hook}soong_unload\n")
        ),
        [format!("{line} PROMPT_COMMAND is read-only")]
    );
    assert_eq!(
        said(&[], &format!("shopt -u promptvars\n{load}{hook}{hook}{load}soong_unload\n")),
        [format!("{line} shopt promptvars is off")]
    );
    assert_eq!(
        said(&["-r"], &format!("eval \"$(soong init bash)\"\n{hook}{hook}complete -p\n")),
        [format!("{line} the shell is restricted")]
    );
    // Made read-only, or switched off, when all is in place already.
    assert_eq!(said(&[], &format!("{load}readonly PROMPT_COMMAND PS1\n{hook}{hook}")), [""; 0]);
    let later = format!("PS1='$ '\n{load}{hook}shopt -u promptvars\n{hook}{hook}");
    assert_eq!(said(&[], &later), [format!("{line} shopt promptvars is off")]);
}

#[test]
fn bash_forgets_the_hook_in_a_string_of_others() {
    let sandbox = with_tunnel();
    let load = BASH.load();
    for (before, after) in [
        ("PROMPT_COMMAND='mine'; {load}PROMPT_COMMAND=\"theme;$PROMPT_COMMAND\"", "theme;mine"),
        ("{load}PROMPT_COMMAND=\"theme; $PROMPT_COMMAND\"", "theme"),
        ("{load}PROMPT_COMMAND=\"theme; $PROMPT_COMMAND; mine\"", "theme; :; mine"),
    ] {
        let script = format!(
            "{before}\n__soong_hook; __soong_hook; __soong_hook\nsoong_unload\nIFS='|'; now=\"${{PROMPT_COMMAND[*]}}\"; echo \"[${{now//$'\\n'/|}}]\"\n",
            before = before.replace("{load}", &load)
        );
        assert_eq!(said(&BASH, &sandbox, &script), format!("[{after}]\n"), "{before}");
    }
}

#[test]
fn zsh_and_fish_are_left_as_they_were() {
    let sandbox = with_tunnel();
    let script = format!(
        "mine() {{ :; }}; precmd_functions=(mine); RPROMPT=right; PROMPT='%# '\n{load}{load}\n\
         echo \"[$precmd_functions]\"; _soong_hook; _soong_hook; echo \"[$RPROMPT]\"; RPROMPT=new; _soong_hook\n\
         echo \"[$RPROMPT]\"; soong_unload; echo \"[$precmd_functions $RPROMPT $PROMPT]\"\n\
         echo \"[$(set | grep -a '^[A-Za-z_]*soong' ; print -l ${{(k)functions}} | grep soong)]\"\n",
        load = ZSH.load()
    );
    let segment = "%(7001?..)%{\x1b[32m%}= dev%{\x1b[0m%} %(7002?..)";
    let expected =
        format!("[_soong_hook mine _soong_last]\n[{segment}right]\n[{segment}new]\n[mine new %# ]\n[]\n");
    assert_eq!(said(&ZSH, &sandbox, &script), expected);

    let script = format!(
        "function fish_right_prompt; echo -n \"status $status $pipestatus\"; end\n{load}{load}\n\
         __soong_hook; __soong_hook; false | true | false; echo \"[\"(fish_right_prompt)\"]\"\n\
         soong_unload; true | false; echo \"[\"(fish_right_prompt)\"]\"\n\
         echo \"[\"(set --names | string match '*soong*')(functions -a | string match '*soong*')\"]\"\n",
        load = FISH.load()
    );
    let expected = "[status 1 1 0 1 \x1b[32m= dev\x1b[0m]\n[status 1 0 1]\n";
    let said = said(&FISH, &sandbox, &script);
    // A list that is empty makes the whole word empty.
    assert_eq!(said, expected);
}

#[test]
fn the_side_can_be_changed_at_any_time_in_fish() {
    let sandbox = with_tunnel();
    let mut script = format!(
        "set -g NO_COLOR 1; function fish_prompt; echo -n mine; end; function fish_right_prompt; echo -n own; end\n{}",
        FISH.load()
    );
    for side in ["", "left", "right", "off", "left", "left", ""] {
        let set = format!("set -g SOONG_PROMPT_SIDE {side}\n__soong_hook\n");
        script += &set;
        script += "echo \"[\"(fish_prompt)\"]\" \"[\"(fish_right_prompt)\"]\"\n";
    }
    script += "soong_unload\necho \"[\"(fish_prompt)\"]\" \"[\"(fish_right_prompt)\"]\"\n";
    let (left, right, off) = ("[= dev mine] [own]\n", "[mine] [own = dev]\n", "[mine] [own]\n");
    assert_eq!(said(&FISH, &sandbox, &script), [right, left, right, off, left, left, right, off].concat());
}

#[test]
fn nothing_happens_where_nobody_sees_a_prompt() {
    let sandbox = with_tunnel();
    for shell in &SHELLS {
        let check = match shell.name {
            "fish" => "set -q SOONG_STATE; and echo loaded",
            _ => "[ -z \"${SOONG_STATE+x}${PROMPT_COMMAND-}${precmd_functions-}\" ] || echo loaded",
        };
        let script = format!("{}{check}\ntrue\n", shell.load());
        Run::new(&sandbox, &shell.program(), ["-c", &script]).env("TERM", "xterm").run();
        let dumb = shell.run(&sandbox, &["-c", &script]).env("TERM", "dumb").unchecked();
        assert_eq!((dumb.stdout.as_str(), dumb.code), ("", 0), "{}: {dumb:#?}", shell.name);
    }
}

#[test]
fn the_prompt_is_what_the_user_wants_it_to_be() {
    let sandbox = with_tunnel();
    for (settings, expected) in [
        (&[][..], "\x1b[32m= dev\x1b[0m"),
        (&[("NO_COLOR", "1")], "= dev"),
        (&[("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1")], "⇄ dev"),
        (&[("LC_ALL", "C.UTF-8"), ("NO_COLOR", "1"), ("SOONG_PROMPT_ASCII", "1")], "= dev"),
        (&[("NO_COLOR", "1"), ("SOONG_PROMPT_FORMAT", "<{symbol}{text}>")], "<=dev>"),
        (&[("SOONG_PROMPT_COLOR_UP", "1;35"), ("SOONG_PROMPT_SYMBOL_UP", "")], "\x1b[1;35mdev\x1b[0m"),
        (&[("SOONG_PROMPT_COLOR_UP", "x")], "= dev"),
    ] {
        for shell in &SHELLS {
            let mut script: String = settings.iter().map(|(name, value)| shell.set(name, value)).collect();
            script += &format!("{}{}\necho \"[$SOONG_PROMPT]\"\n", shell.load(), shell.hook);
            let said = said(shell, &sandbox, &script).replace(['\x01', '\x02'], "");
            let said = said.replace("%{", "").replace("%}", "");
            assert_eq!(said, format!("[{expected}]\n"), "{}: {settings:?}", shell.name);
        }
    }
}

#[test]
fn the_scripts_are_clean() {
    let sandbox = Sandbox::new();
    let [bash, zsh, fish] =
        ["bash", "zsh", "fish"].map(|name| format!("{}/shell/soong.{name}", env!("CARGO_MANIFEST_DIR")));
    let placement = bash.replace("soong.bash", "placement.bash");
    for (program, arguments) in [
        (tool("shellcheck"), vec![bash.as_str(), &placement]),
        (tools::shell("bash"), vec!["-n", &bash]),
        (tools::shell("bash"), vec!["-n", &placement]),
        (tools::shell("zsh"), vec!["-n", &zsh]),
        (tools::shell("fish"), vec!["--no-execute", &fish]),
        (tool("fish_indent"), vec!["--check", &fish]),
    ] {
        Run::new(&sandbox, &program, arguments).run();
    }
}
