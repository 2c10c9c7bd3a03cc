//! The user's own settings stay: prompts that are copied, saved, wrapped and restored, and hooks that are
//! added and replaced later on.

use super::hooks::{BASH, FISH, ZSH};
use super::options::{said, with_tunnel};
use super::screen::Screen;

#[test]
fn fish_saves_the_users_own_prompt() {
    let sandbox = with_tunnel();
    let config = format!(
        "function fish_greeting; end\nfunction fish_prompt; echo -n '$ '; end\n\
         function fish_right_prompt; echo -n own; end\n{}",
        FISH.load()
    );
    sandbox.write(&sandbox.path("home/.config/fish/config.fish"), config);
    let screen = Screen::open(&sandbox, 80, &format!("{} -i", FISH.program().display()));
    let mut step = 0;
    let mut run = |line: &str, prompt: &str| {
        step += 1;
        screen.keys(&format!("{line}; clear; echo step''{step}"));
        screen.keys("Enter");
        let expected = format!("step{step} {prompt}");
        screen.wait_until(&expected, |text| text.split_whitespace().eq(expected.split_whitespace()));
    };
    run("true", "$ own = dev");
    run("funcsave fish_prompt fish_right_prompt", "$ own = dev");
    let saved = |name: &str| {
        std::fs::read_to_string(sandbox.path(&format!("home/.config/fish/functions/{name}.fish"))).unwrap()
    };
    assert!(saved("fish_right_prompt").contains("echo -n own"), "{}", saved("fish_right_prompt"));
    // A command that redefines the prompt gets it with the segment.
    run("function fish_right_prompt; echo -n new; end", "$ new = dev");
    run("functions -e fish_right_prompt", "$ = dev");
    run("cd /; fish_config prompt choose minimalist", "/ ) = dev");
    run("source ~/.config/fish/config.fish", "$ own = dev");
    // An environment that wraps what it finds, and gives it back when nothing of ours is there.
    run("functions -c fish_right_prompt old; functions -e fish_right_prompt", "$ = dev");
    run("function fish_right_prompt; echo -n '(venv) '; old; end", "$ (venv) own = dev");
    run("soong_unload", "$ (venv) own");
    run("functions -e fish_right_prompt; functions -c old fish_right_prompt", "$ own");
    assert!(!(saved("fish_prompt") + &saved("fish_right_prompt")).contains("soong"));
}

#[test]
fn zsh_knows_every_segment_that_it_has_placed() {
    let sandbox = with_tunnel();
    let prompt = "for one in $precmd_functions; do $one; done; print -r -- \"[$PROMPT|$RPS1]\"\n";
    let file = sandbox.path("run/soong/prompt").display().to_string();
    let script = format!(
        "NO_COLOR=1; PROMPT='%# '; RPS1=own; other() {{ :; }}; precmd_functions=(other)\n{load}{prompt}\
         SOONG_PROMPT_SIDE=left; {prompt}saved=$PROMPT; PROMPT=\"(venv) $PROMPT\"\n{prompt}\
         SOONG_PROMPT_FORMAT='<{{text}}>'; {prompt}PROMPT=\"$saved$PROMPT\"; {prompt}\
         saved=$PROMPT; : >'{file}'; {prompt}PROMPT=$saved; {prompt}PROMPT=$saved; soong_unload\n\
         print -r -- \"[$PROMPT|$RPS1|$saved]\"\n",
        load = ZSH.load()
    );
    let segment = |text: &str| format!("%(7001?..){text}%(7002?..)");
    let (first, second) = (segment("= dev "), segment("<dev> "));
    let expected = [
        format!("[%# |{}own]", segment("= dev ")),
        format!("[{first}%# |own]"),
        format!("[(venv) {first}%# |own]"),
        format!("[(venv) {second}%# |own]"),
        format!("[{second}%# (venv) %# |own]"),
        "[%# (venv) %# |own]".to_owned(),
        "[%# (venv) %# |own]".to_owned(),
        "[%# (venv) %# |own|%# (venv) %# ]".to_owned(),
    ];
    assert_eq!(said(&ZSH, &sandbox, &script).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn hooks_of_later_run_in_their_order_in_bash() {
    let sandbox = with_tunnel();
    let load = BASH.load();
    for (change, ran) in [
        ("PROMPT_COMMAND+=$'\\nmark'", "[old]\n[mark]\n"),
        ("PROMPT_COMMAND=\"mark;$PROMPT_COMMAND\"", "[mark]\n[old]\n"),
        ("PROMPT_COMMAND=mark", "[mark]\n"),
    ] {
        let script = format!(
            "old() {{ echo '[old]'; }}; mark() {{ echo '[mark]'; }}\nPROMPT_COMMAND=old\n{load}{change}\n\
             prompt() {{ for one in \"${{PROMPT_COMMAND[@]}}\"; do eval \"$one\"; done; }}\nprompt; prompt\n"
        );
        assert_eq!(said(&BASH, &sandbox, &script), [ran, ran].concat(), "{change}");
    }
}

/// Other tools look for these elements before they add them again.
#[test]
fn elements_of_others_stay_what_they_are_in_bash() {
    let sandbox = with_tunnel();
    let script = format!(
        "((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501)) || {{ echo '[3 theme]'; exit; }}\n\
         PROMPT_COMMAND=(theme)\n{load}{load}echo \"[${{#PROMPT_COMMAND[@]}} ${{PROMPT_COMMAND[1]}}]\"\n",
        load = BASH.load()
    );
    assert_eq!(said(&BASH, &sandbox, &script), "[3 theme]\n");
}

/// Setting PROMPT_COMMAND anew ends the hook, and its last segment does not stay in the prompt.
#[test]
fn a_segment_that_nothing_looks_after_goes_in_bash() {
    let sandbox = with_tunnel();
    let script = format!(
        "PS1='$ '; NO_COLOR=1\n{}__soong_hook\nPROMPT_COMMAND=\n\
         if ((BASH_VERSINFO[0] < 5)); then echo '[= dev $ ]'; echo '[$ ]'; exit; fi\n\
         echo \"[${{PS1@P}}]\"; now=$EPOCHSECONDS; unset EPOCHSECONDS; EPOCHSECONDS=$((now + 200)); echo \"[${{PS1@P}}]\"\n",
        BASH.load()
    );
    // Older ones have no clock to ask.
    assert_eq!(said(&BASH, &sandbox, &script), "[= dev $ ]\n[$ ]\n");
}
