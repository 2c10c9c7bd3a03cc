//! Other hooks, which draw a prompt of their own from what soong's says: whatever the order in which they
//! were loaded, they show what is true now.

use super::hooks::{BASH, SHELLS, Shell, now};
use super::options::with_tunnel;
use crate::support::sandbox::Sandbox;

/// Has a hook draw the prompt, loaded before others, after them, or ahead of them.
fn themes(shell: &Shell) -> Vec<String> {
    let load = shell.load();
    match shell.name {
        "bash" => {
            let theme = "theme() { PS1=\"<$SOONG_TEXT> \"; }\n";
            vec![
                format!("{theme}PROMPT_COMMAND=theme\n{load}"),
                format!("{load}{theme}PROMPT_COMMAND=\"$PROMPT_COMMAND;theme\"\n"),
                format!("{load}{theme}PROMPT_COMMAND+=(theme)\n"),
                format!("{load}{theme}PROMPT_COMMAND=(theme \"${{PROMPT_COMMAND[@]}}\")\n"),
            ]
        }
        "zsh" => {
            let theme = "theme() { PROMPT=\"<$SOONG_TEXT> \" RPROMPT=; }\n";
            vec![
                format!("{theme}precmd_functions=(theme)\n{load}"),
                format!("{load}{theme}precmd_functions+=(theme)\n"),
                format!("{load}{theme}precmd_functions=(theme $precmd_functions)\n"),
            ]
        }
        _ => vec![format!("{load}function fish_prompt; echo \"<$SOONG_TEXT> \"; end\n")],
    }
}

fn say(sandbox: &Sandbox, state: &str) {
    let line = format!("soong1 {} {} 75 {state} dev - 8000\n", std::process::id(), now() + 60);
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
