//! The oldest shells that our scripts are for. With one of them at hand all tests run in it (CONTRIBUTING says
//! how); without, the scripts are looked through for what it lacks.

use std::fs;

/// Features that came with a shell version newer than the oldest supported one.
const YOUNGER: [(&[&str], &[&str]); 3] = [
    // bash 3.2: what it does not know ends the script or is an error at each prompt.
    (
        &["shell/soong.bash", "shell/placement.bash", "completions/soong.bash"],
        &[
            "declare -A",
            "declare -g",
            "local -A",
            "local -n",
            "declare -n",
            "typeset -A",
            "mapfile",
            "readarray",
            "coproc",
            "read -N",
            "read -i",
            "read -t 0.",
            "|&",
            "&>>",
            ";;&",
            ";&",
            "@Q}",
            "@P}",
            "@E}",
            "@A}",
            "^}",
            "^^",
            ",,",
            "[-1]",
            "BASHPID",
            "EPOCHREALTIME",
            "globstar",
            "lastpipe",
            "wait -n",
            "[[ -v",
            "complete -D",
            "complete -I",
        ],
    ),
    // zsh 5.8.
    (
        &["shell/soong.zsh", "completions/_soong", "shell/soong.plugin.zsh"],
        &["${|", "${ ", "typeset -n", "typeset -gn", "clobber_empty"],
    ),
    // fish 3.4, which reads nothing of a file that names a builtin it lacks.
    (
        &["shell/soong.fish", "completions/soong.fish"],
        &["builtin path", "string shorten", "--tokens-expanded", "--tokens-raw", "status list-files"],
    ),
];

/// Runs in young shells as well, so nothing else would say so.
#[test]
fn the_scripts_need_no_younger_shell() {
    for (files, missing) in YOUNGER {
        for file in files {
            let path = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
            let script = fs::read_to_string(path).unwrap();
            for (number, line) in
                script.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'))
            {
                let used = missing.iter().find(|word| line.contains(**word));
                assert_eq!(used, None, "{file}:{}: {line}", number + 1);
            }
        }
    }
}
