//! Beside what other people's shells have: VS Code's own scripts, direnv and zoxide, environments that put their name in front of the
//! prompt, and hooks that make a new prompt each time. The segment stands once, is right, and goes again.

use std::path::PathBuf;

use super::hooks::{BASH, FISH, SHELLS, Shell, ZSH, now};
use super::screen::Screen;
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;
use crate::support::wait;

/// Writes what the supervisor of `dev` says; nothing where it has ended.
fn say(sandbox: &Sandbox, state: Option<&str>) {
    let line =
        |state: &str| format!("soong2 {} {} 75 {state} dev - 8000 dev\n", std::process::id(), now() + 70);
    sandbox.write(&sandbox.path("run/soong/prompt"), state.map(line).unwrap_or_default());
}

/// Sets a variable of the shell.
fn set(shell: &Shell, name: &str, value: &str) -> String {
    match shell.name {
        "fish" => format!("set -g {name} {value}\n"),
        _ => format!("{name}='{value}'\n"),
    }
}

/// Returns changes that other tools make to a prompt. `{load}` stands for the line of `soong init`.
fn setups(shell: &Shell) -> &'static [&'static str] {
    match shell.name {
        "bash" => &[
            "PS1='$ '\n{load}",
            "PS1='\\n$ '\n{load}PS1=\"(venv) $PS1\"\n",
            "theme() { PS1='theme$ '; }\nPROMPT_COMMAND=theme\n{load}",
            "theme() { PS1='theme$ '; }\n{load}PROMPT_COMMAND=\"${PROMPT_COMMAND%;};theme\"\n",
            "theme() { PS1='theme$ '; }\nPROMPT_COMMAND=(theme)\n{load}",
            "precmd_functions=(theme)\ntheme() { PS1='theme$ '; }\nbash_preexec_imported=yes\nrun() { for one in \"${precmd_functions[@]}\"; do $one; done; }\n\
             PROMPT_COMMAND=$'run\\n__bp_interactive_mode'\n__bp_interactive_mode() { :; }\n{load}",
            "starship_precmd() { eval \"$STARSHIP_PROMPT_COMMAND\"; PS1='star$ '; }\nPROMPT_COMMAND=starship_precmd\n{load}",
            "{load}starship_precmd() { eval \"$STARSHIP_PROMPT_COMMAND\"; PS1='star$ '; }\n\
             STARSHIP_PROMPT_COMMAND=$PROMPT_COMMAND PROMPT_COMMAND=starship_precmd\n",
            "PS1='$ '\neval \"$(direnv hook bash)\"; eval \"$(zoxide init bash)\"\n{load}",
            "PS1='$ '\n{load}eval \"$(zoxide init bash)\"; eval \"$(direnv hook bash)\"\n",
        ],
        "zsh" => &[
            "PROMPT='$ '\n{load}",
            "PROMPT='$ '; RPS1=own\n{load}",
            "PROMPT='$ '\n{load}_soong_hook; PROMPT=\"(venv) $PROMPT\"\n",
            "PROMPT='$ '\n{load}theme() { PROMPT='theme$ ' RPROMPT=; }\nprecmd_functions+=(theme)\n",
            "theme() { PROMPT='theme$ ' RPROMPT=right; }\nprecmd_functions+=(theme)\nPROMPT='$ '\n{load}",
            "setopt promptsubst; PROMPT='$ '; starship_precmd() { :; }; precmd_functions+=(starship_precmd)\n{load}",
            "PROMPT='$ '\neval \"$(direnv hook zsh)\"; {load}eval \"$(zoxide init zsh)\"\n",
        ],
        _ => &[
            "function fish_prompt; echo -n '$ '; end\n{load}",
            "function fish_prompt; echo -n '$ '; end\nfunction fish_right_prompt; echo -n own; end\n{load}",
            "function fish_prompt; echo -n '$ '; end\n{load}functions -c fish_prompt _old_fish_prompt; functions -e fish_prompt\n\
             function fish_prompt; echo -n '(venv) '; _old_fish_prompt; end\n",
            "function fish_prompt; echo -n '$ '; end\ndirenv hook fish | source\n{load}zoxide init fish | source\n",
        ],
    }
}

#[test]
fn the_segment_stands_once_and_goes_again() {
    std::thread::scope(|scope| {
        for shell in &SHELLS {
            scope.spawn(move || {
                // In bash there is no other side.
                let sides: &[&str] = if shell.name == "bash" { &["left"] } else { &["left", "right"] };
                for (setup, side) in
                    setups(shell).iter().flat_map(|setup| sides.iter().map(move |side| (setup, side)))
                {
                    up_and_down(shell, side, setup);
                }
            });
        }
    });
}

/// Follows the segment of a shell with this setup while a tunnel comes up, reconnects, fails, ends and comes up again.
pub fn up_and_down(shell: &Shell, side: &str, setup: &str) {
    let sandbox = Sandbox::new();
    say(&sandbox, Some("up"));
    let script = set(shell, "SOONG_PROMPT_SIDE", side) + &setup.replace("{load}", &shell.load());
    sandbox.write(&sandbox.path("setup"), script);
    let command = shell.run(&sandbox, &[]).command();
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let screen = Screen::open(&sandbox, 80, &words.join(" "));
    screen.keys(&format!(". '{}'", sandbox.path("setup").display()));
    screen.keys("Enter");
    let mut step = 0;
    let mut shows = |state: Option<&str>, text: &str| {
        say(&sandbox, state);
        step += 1;
        // Whatever a theme has done at the prompt before, and behind a pipeline, a command and nothing.
        for line in ["true | true", "", &format!("echo step''{step}")] {
            screen.keys(line);
            screen.keys("Enter");
        }
        let label = format!("{}, {side}: {setup}: {text:?} once", shell.name);
        screen.wait_until(&label, |all| {
            let Some((_, prompt)) = all.rsplit_once(&format!("\nstep{step}\n")) else { return false };
            let own = !setup.contains("own") || prompt.contains("own");
            let once = prompt.matches("dev").count() == usize::from(!text.is_empty());
            prompt.contains(['$', '#', '%', '>', '➜', '❯']) && prompt.contains(text) && once && own
        });
    };
    shows(Some("up"), "= dev");
    shows(Some("reconnecting"), "~ dev reconnecting");
    shows(Some("failed"), "! dev failed");
    shows(None, "");
    shows(Some("up"), "= dev");
    screen.keys(&format!("clear; soong_unload; {}; echo left''over", traces(shell)));
    screen.keys("Enter");
    let label = format!("{}, {side}: {setup}: nothing of the hook after soong_unload", shell.name);
    screen.wait_until(&label, |all| {
        let Some((traces, prompt)) = all.rsplit_once("leftover\n") else { return false };
        !traces.contains("__soong")
            && !traces.contains("_soong_")
            && !traces.contains("SOONG")
            && !prompt.contains("dev")
    });
}

/// The command that lists what is left of the hook in functions, variables and prompts. Settings of the test stay.
fn traces(shell: &Shell) -> &'static str {
    match shell.name {
        "bash" => {
            "{ compgen -A function; compgen -v; declare -p PS1 PROMPT_COMMAND precmd_functions; } 2>&1 | grep -i soong | grep -vE '^SOONG_PROMPT_(SIDE|EXPORT)$'"
        }
        "zsh" => {
            "print -rl -- ${(k)functions} ${(k)parameters} $precmd_functions $PS1 $RPS1 | grep -i soong | grep -vE '^SOONG_PROMPT_(SIDE|EXPORT)$'"
        }
        _ => {
            "begin; functions -an; set -n; functions fish_prompt fish_right_prompt; end | string match -ie soong | string match -vr '^SOONG_PROMPT_(SIDE|EXPORT)$'"
        }
    }
}

/// The directory of VS Code's scripts: see `tests/install-requirements.sh`.
fn vscode() -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("vscode-4.100.3");
    assert!(
        directory.join("shellIntegration-bash.sh").is_file(),
        "VS Code's scripts are needed by this test; run tests/install-requirements.sh (make test does)"
    );
    directory
}

/// Returns true if a mark is about prompts and commands.
fn is_told(mark: &str) -> bool {
    mark.starts_with(['A', 'B', 'C', 'D', 'E']) && !mark.starts_with("Env")
}

/// The marks in order, as a shell with this startup file tells VS Code of its prompts and commands.
fn marks(shell: &Shell, startup: &str) -> Vec<String> {
    let sandbox = Sandbox::new();
    say(&sandbox, Some("up"));
    let scripts = vscode();
    let script = |name: &str| scripts.join(name).display().to_string();
    let run = match shell.name {
        "bash" => {
            sandbox.write(
                &sandbox.path("home/.bashrc"),
                startup.replace("{script}", &script("shellIntegration-bash.sh")),
            );
            let file = if startup.contains("{script}") { "home/.bashrc" } else { "init" };
            sandbox.write(
                &sandbox.path("init"),
                format!("VSCODE_INJECTION=1\n. '{}'\n", script("shellIntegration-bash.sh")),
            );
            let file = sandbox.path(file).display().to_string();
            Run::new(&sandbox, &shell.program(), ["--init-file", file.as_str(), "-i"])
        }
        "zsh" => {
            sandbox.write(&sandbox.path("home/.zshrc"), startup);
            let inject =
                format!("VSCODE_INJECTION=1 USER_ZDOTDIR=$HOME\n. '{}'\n", script("shellIntegration-rc.zsh"));
            sandbox.write(&sandbox.path("zdotdir/.zshrc"), inject);
            Run::new(&sandbox, &shell.program(), ["-i"]).env("ZDOTDIR", sandbox.path("zdotdir"))
        }
        _ => {
            sandbox.write(&sandbox.path("home/.config/fish/config.fish"), startup);
            let inject = format!(". '{}'", script("shellIntegration.fish"));
            Run::new(&sandbox, &shell.program(), ["--init-command", &inject, "-i"])
        }
    };
    let run = run.env("TERM", "xterm").env("TERM_PROGRAM", "vscode").env("HISTFILE", sandbox.path("history"));
    let mut terminal = Terminal::run(&run, 24, 80);
    let said = |terminal: &Terminal| -> Vec<String> {
        let all = terminal.screen();
        let parts = all.split("\x1b]633;").skip(1).filter_map(|part| part.split_once('\x07'));
        parts.map(|(mark, _)| mark.to_owned()).filter(|mark| is_told(mark)).collect()
    };
    for (index, line) in ["true", "", "false", "echo hi | cat", ""].into_iter().enumerate() {
        wait::until_true("a prompt", || count(&said(&terminal)) > index);
        terminal.type_text(&format!("{line}\r"));
    }
    let all = wait::until("the last prompt", || Some(said(&terminal)).filter(|all| count(all) > 5));
    let shown = terminal.screen().contains("= dev");
    assert_eq!(shown, startup.contains("soong"), "{}: {startup}\n{}", shell.name, terminal.screen());
    terminal.type_text("exit\r");
    terminal.finish();
    all
}

/// How many prompts have ended.
fn count(marks: &[String]) -> usize {
    marks.iter().filter(|mark| *mark == "B").count()
}

#[test]
fn vs_code_is_told_what_it_is_told_without_soong() {
    let fish = "function fish_greeting; end; function fish_prompt; echo -n '> '; end\n";
    let cases: &[(Shell, &[&str])] = &[
        (
            BASH,
            &[
                "PS1='$ '\n{load}",
                "PS1='$ '; PROMPT_COMMAND='history -a'\n{load}",
                "PS1='$ '; PROMPT_COMMAND=(true)\n{load}",
                "theme() { PS1='theme$ '; }; PROMPT_COMMAND=theme\n{load}",
                "{load}PS1='later$ '\n",
                "{load}PROMPT_COMMAND+=$'\\ntrue'\n",
                "PS1='$ '\n. '{script}'\n{load}",
                "PS1='$ '; PROMPT_COMMAND='history -a'\n. '{script}'\n{load}",
            ],
        ),
        (ZSH, &["PROMPT='$ '\n{load}", "PROMPT='$ '; SOONG_PROMPT_SIDE=left\n{load}"]),
        (FISH, &["{fish}{load}", "{fish}set -g SOONG_PROMPT_SIDE left\n{load}"]),
    ];
    std::thread::scope(|scope| {
        for (shell, startups) in cases {
            for startup in *startups {
                scope.spawn(move || {
                    let startup = startup.replace("{fish}", fish);
                    let without = marks(shell, &startup.replace("{load}", ""));
                    assert!(without.iter().any(|mark| mark == "D;1"), "{without:?}");
                    assert_eq!(
                        marks(shell, &startup.replace("{load}", &shell.load())),
                        without,
                        "{}: {startup}",
                        shell.name
                    );
                });
            }
        }
    });
}
