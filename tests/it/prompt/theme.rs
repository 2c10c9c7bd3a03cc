//! Other hooks, which draw a prompt of their own from what soong's says: whatever the order in which they
//! were loaded, they show what is true now.

use super::hooks::{BASH, SHELLS, Shell, now};
use super::options::with_tunnel;
use crate::support::sandbox::Sandbox;

/// Returns setups in which a hook draws the prompt, loaded before other hooks, after them, or ahead of them;
/// and one with a program that reads only the environment, like starship.
fn themes(shell: &Shell) -> Vec<String> {
    let load = shell.load();
    let program = "sh -c 'echo \"<$SOONG_TEXT> \"'";
    match shell.name {
        "bash" => {
            let theme = "theme() { PS1=\"<$SOONG_TEXT> \"; }\n";
            // Arrays are run by bash 5.1 and later.
            let array = |set: &str, older: &str| {
                format!(
                    "{load}{theme}if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)); then {set}; else {older}; fi\n"
                )
            };
            let before = "PROMPT_COMMAND=\"theme;$PROMPT_COMMAND\"";
            let after = "PROMPT_COMMAND=\"$PROMPT_COMMAND;theme\"";
            // Runs in its own hook what it found there.
            let around = format!(
                "theme() {{ eval \"$found\"; PS1=\"$({program})\"; }}\nfound=${{PROMPT_COMMAND-}}\nPROMPT_COMMAND=theme\n"
            );
            vec![
                format!("{theme}PROMPT_COMMAND=theme\n{load}"),
                format!("{load}{theme}{after}\n"),
                format!("{load}{theme}{before}\n"),
                array("PROMPT_COMMAND+=(theme)", after),
                array("PROMPT_COMMAND=(theme \"${PROMPT_COMMAND[@]}\")", before),
                format!("SOONG_PROMPT_EXPORT=1\n{load}{around}"),
                format!("SOONG_PROMPT_EXPORT=1\n{around}{load}"),
            ]
        }
        "zsh" => {
            let theme = "theme() { PROMPT=\"<$SOONG_TEXT> \" RPROMPT=; }\n";
            // Runs while the prompt is shown, after all hooks.
            let late = format!(
                "theme() {{ :; }}\nautoload -Uz add-zsh-hook; add-zsh-hook precmd theme\n\
                 setopt promptsubst; PROMPT='$({})'\n",
                program.replace('\'', "'\\''")
            );
            vec![
                format!("{theme}precmd_functions=(theme)\n{load}"),
                format!("{load}{theme}precmd_functions+=(theme)\n"),
                format!("{load}{theme}precmd_functions=(theme $precmd_functions)\n"),
                format!("SOONG_PROMPT_EXPORT=1\n{load}{late}"),
                format!("SOONG_PROMPT_EXPORT=1\n{late}{load}"),
            ]
        }
        _ => {
            let late = format!("function fish_prompt; {program}; end\nfunction fish_right_prompt; end\n");
            vec![
                format!("{load}function fish_prompt; echo \"<$SOONG_TEXT> \"; end\n"),
                format!("set -g SOONG_PROMPT_EXPORT 1\n{load}{late}"),
                format!("set -g SOONG_PROMPT_EXPORT 1\n{late}{load}"),
            ]
        }
    }
}

fn say(sandbox: &Sandbox, state: &str) {
    let line = format!("soong2 {} {} 75 {state} dev - 8000 dev\n", std::process::id(), now() + 60);
    sandbox.write(&sandbox.path("run/soong/prompt"), line);
}

#[test]
fn a_theme_shows_what_is_true_now() {
    for shell in &SHELLS {
        for theme in themes(shell) {
            let sandbox = with_tunnel();
            let mut terminal = shell.open(&sandbox);
            sandbox.write(&sandbox.path("theme"), &theme);
            terminal.type_text(&format!(". '{}'\r", sandbox.path("theme").display()));
            terminal.wait_for("<dev> ");
            // One that puts itself ahead of others stays there for the prompt that is being made.
            terminal.type_text("\r");
            say(&sandbox, "reconnecting");
            terminal.type_text("echo ne''xt\r");
            terminal.wait_for("next\r\n");
            terminal.wait_for("<dev reconnecting> ");
            let screen = terminal.screen();
            let after = screen.rsplit_once("next\r\n").unwrap().1;
            assert!(!after.contains("<dev> "), "{}: {theme}\n{screen}", shell.name);
        }
    }
}

#[test]
fn bash_preexec_runs_the_hook() {
    let sandbox = with_tunnel();
    // As bash-preexec does it: functions are called, and PROMPT_COMMAND is its own.
    let preexec = "bash_preexec_imported=defined\nprecmd_functions=(theme)\ntheme() { PS1=\"<$SOONG_TEXT> \"; }\n\
                   run() { for one in \"${precmd_functions[@]}\"; do \"$one\"; done; }\nPROMPT_COMMAND=run\n";
    let mut terminal = BASH.open(&sandbox);
    sandbox.write(&sandbox.path("theme"), format!("{preexec}{}", BASH.load()));
    terminal.type_text(&format!(". '{}'\r", sandbox.path("theme").display()));
    terminal.wait_for("<dev> ");
    say(&sandbox, "failed");
    terminal.type_text("\r");
    terminal.wait_for("<dev failed> ");
}
