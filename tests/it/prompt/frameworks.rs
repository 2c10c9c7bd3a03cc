//! Prompt frameworks beside the hooks, loaded before and after them, loaded twice, and removed again. The segment stands
//! once, is right, and goes.
//!
//! `tests/install-requirements.sh` fetches those in [`FETCHED`]. `SOONG_TEST_FRAMEWORKS` is a directory with more of them,
//! in subdirectories with the names in [`OTHERS`]: a checkout, or the program.

use std::path::{Path, PathBuf};

use super::beside::up_and_down;
use super::hooks::{BASH, FISH, Shell, ZSH};

struct Framework {
    shell: Shell,
    /// The directory.
    name: &'static str,
    /// The lines that load it; `{dir}` stands for the directory.
    load: &'static str,
    /// The command that removes it, or nothing.
    unload: &'static str,
}

const fn framework(shell: Shell, name: &'static str, load: &'static str, unload: &'static str) -> Framework {
    Framework { shell, name, load, unload }
}

const FETCHED: &[Framework] = &[
    framework(BASH, "venv", "PS1='$ '; . {dir}/bin/activate", "deactivate"),
    framework(ZSH, "venv", "PS1='$ '; . {dir}/bin/activate", "deactivate"),
    framework(
        FISH,
        "venv",
        "function fish_prompt; echo -n '$ '; end; . {dir}/bin/activate.fish",
        "deactivate",
    ),
    framework(BASH, "atuin", "PS1='$ '; PATH={dir}:$PATH; eval \"$(atuin init bash)\"", ""),
    framework(ZSH, "atuin", "PS1='$ '; PATH={dir}:$PATH; eval \"$(atuin init zsh)\"", ""),
    framework(
        FISH,
        "atuin",
        "function fish_prompt; echo -n '$ '; end; set -x PATH {dir} $PATH; atuin init fish | source",
        "",
    ),
    framework(
        ZSH,
        "pure",
        "fpath+=({dir}); autoload -U promptinit; promptinit; prompt pure",
        "prompt off; PS1='$ '",
    ),
];

const OTHERS: &[Framework] = &[
    framework(BASH, "starship", "PATH={dir}:$PATH; eval \"$(starship init bash)\"", ""),
    framework(ZSH, "starship", "PATH={dir}:$PATH; eval \"$(starship init zsh)\"", ""),
    framework(FISH, "starship", "set -x PATH {dir} $PATH; starship init fish | source", ""),
    framework(BASH, "bash-preexec", "PS1='$ '; . {dir}/bash-preexec.sh", ""),
    framework(
        BASH,
        "ble.sh",
        "PS1='$ '; . {dir}/ble.sh --norc; bleopt accept_line_threshold=-1",
        "ble-detach",
    ),
    framework(BASH, "liquidprompt", ". {dir}/liquidprompt", "prompt_OFF"),
    framework(ZSH, "liquidprompt", ". {dir}/liquidprompt", "prompt_OFF"),
    framework(
        ZSH,
        "ohmyzsh",
        "ZSH={dir} ZSH_THEME=robbyrussell DISABLE_AUTO_UPDATE=true ZSH_DISABLE_COMPFIX=true; . $ZSH/oh-my-zsh.sh",
        "",
    ),
    framework(
        ZSH,
        "powerlevel10k",
        "POWERLEVEL9K_DISABLE_CONFIGURATION_WIZARD=true POWERLEVEL9K_DISABLE_GITSTATUS=true\n\
         . {dir}/powerlevel10k.zsh-theme\n\
         prompt_tunnels() {\n\
         [[ -n $SOONG_UP ]] && p10k segment -s UP -t \"= $SOONG_UP\"\n\
         [[ -n $SOONG_WAIT ]] && p10k segment -s WAIT -t \"~ $SOONG_WAIT\"\n\
         [[ -n $SOONG_DOWN ]] && p10k segment -s DOWN -t \"! $SOONG_DOWN\"\n\
         }; POWERLEVEL9K_LEFT_PROMPT_ELEMENTS=(prompt_char) POWERLEVEL9K_RIGHT_PROMPT_ELEMENTS=(tunnels)",
        "",
    ),
    framework(BASH, "oh-my-posh", ". {dir}/omp.bash", ""),
    framework(ZSH, "oh-my-posh", ". {dir}/omp.zsh", ""),
    framework(FISH, "oh-my-posh", ". {dir}/omp.fish", ""),
    framework(
        BASH,
        "conda",
        "PS1='$ '; eval \"$({dir}/bin/conda shell.bash hook)\"; conda activate base",
        "conda deactivate",
    ),
    framework(
        ZSH,
        "conda",
        "PS1='$ '; eval \"$({dir}/bin/conda shell.zsh hook)\"; conda activate base",
        "conda deactivate",
    ),
    framework(
        FISH,
        "conda",
        "function fish_prompt; echo -n '$ '; end\neval ({dir}/bin/conda shell.fish hook | string collect); conda activate base",
        "conda deactivate",
    ),
];

/// The orders in which the framework and the hook are loaded.
fn orders(framework: &Framework, dir: &Path) -> Vec<(&'static str, String)> {
    let (load, unload) = (framework.load.replace("{dir}", dir.to_str().unwrap()), framework.unload);
    let mut orders = vec![
        ("before", format!("{load}\n{{load}}")),
        ("after", format!("{{load}}{load}\n")),
        ("again", format!("{load}\n{{load}}{load}\n")),
    ];
    if !unload.is_empty() {
        orders.push(("removed", format!("{load}\n{{load}}{unload}\n")));
        orders.push(("added and removed", format!("{{load}}{load}\n{unload}\n")));
    }
    orders
}

fn keeps_one_segment(framework: &Framework, root: &Path) {
    let dir = root.join(framework.name);
    assert!(
        dir.exists(),
        "{} is needed by this test; run tests/install-requirements.sh (make test does)",
        dir.display()
    );
    // bash has no right prompt.
    let side = if framework.shell.name == "bash" { "left" } else { "right" };
    for (order, setup) in orders(framework, &dir) {
        up_and_down(&framework.shell, side, &setup);
        println!("{} {} {order}: ok", framework.shell.name, framework.name);
    }
}

#[test]
fn real_frameworks_keep_one_segment() {
    let fetched = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("frameworks");
    let more = std::env::var_os("SOONG_TEST_FRAMEWORKS").map(PathBuf::from);
    std::thread::scope(|scope| {
        for framework in FETCHED {
            let root = &fetched;
            scope.spawn(move || keeps_one_segment(framework, root));
        }
        if let Some(root) = &more {
            // One after the other: they take a processor each.
            scope.spawn(move || {
                let found = OTHERS.iter().filter(|other| root.join(other.name).exists());
                found.for_each(|other| keeps_one_segment(other, root));
            });
        }
    });
}
