//! Changes after a hook's first answer: an answer stays valid as long as everything that it depends on.

use std::process::{Child, Command};

use super::hooks::{SHELLS, Shell, now};
use super::options::with_tunnel;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;

/// A process that is there until it is killed.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        Self(Command::new(tool("sleep")).arg("600").spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns what `shell` prints when it runs `steps`. An empty step prints the answer of the hook.
fn said(shell: &Shell, sandbox: &Sandbox, steps: &[&str]) -> Vec<String> {
    let mut script = shell.load() + &shell.set("NO_COLOR", "1");
    for step in steps {
        script += &match *step {
            "" => format!("{}\necho \"[$SOONG_PROMPT]\"\n", shell.hook),
            step => format!("{}\n", step.trim_end()),
        };
    }
    let file = sandbox.path("script");
    sandbox.write(&file, script);
    let output = shell.run(sandbox, &[file.to_str().unwrap()]).unchecked();
    assert_eq!(output.code, 0, "{}: {output:#?}", shell.name);
    output.stdout.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

fn notices_every_change(shell: &Shell) {
    let sandbox = with_tunnel();
    let file = sandbox.path("run/soong/prompt").display().to_string();
    let (me, then, mut other) = (std::process::id(), now() + 70, Sleeper::start());
    let pid = other.0.id();
    let two = format!("soong1 {me} {then} 75 up dev - 8000\nsoong1 {pid} {then} 75 up other - 8001\n");
    sandbox.write(&sandbox.path("two"), two);
    sandbox.write(&sandbox.path("leased"), format!("soong1 {me} {then} 75 up dev {} 8000\n", now() + 650));
    let have = |name: &str| format!("cp '{}' '{file}'", sandbox.path(name).display());
    // The program of a killed process exists a moment longer.
    let killed = format!("sh -c 'kill -9 {pid}; while test -e /proc/{pid}/exe; do sleep 0.02; done'");
    let promised =
        format!("sh -c 'echo soong1 {me} $(($(date +%s) + 1)) 75 up dev - 8000 >\"$1\"' sh '{file}'");
    let expired = format!(
        "sh -c 'read -r _ _ end _ <\"$1\"; while test $(date +%s) -le $((end + 1)); do sleep 0.1; done' sh '{file}'"
    );
    let said = said(
        shell,
        &sandbox,
        &[
            "",
            "",
            &shell.set("SOONG_PROMPT_FORMAT", "<{text}{lease}>"),
            "",
            &have("two"),
            "",
            "",
            &killed,
            "",
            "",
            &have("leased"),
            "",
            &shell.set("SOONG_PROMPT_LEASE", "5"),
            "",
            &promised,
            "",
            &expired,
            "",
            "",
            &format!("cp /dev/null '{file}'"),
            "",
        ],
    );
    other.0.wait().unwrap();
    let mut expected = vec![
        "[= dev]",
        "[= dev]",
        "[<dev>]",
        "[<dev,other>]",
        "[<dev,other>]",
        "[<1/2 other down>]",
        "[<1/2 other down>]",
        "[<dev10m left>]",
        "[<dev>]",
        "[<dev>]",
        "[<dev down>]",
        "[<dev down>]",
        "[]",
    ];
    // On a busy machine, an answer that is valid for a second may have expired already.
    expected[9] =
        if said.get(9).is_some_and(|said| said == expected[10]) { expected[10] } else { expected[9] };
    assert_eq!(said, expected, "{}", shell.name);
}

#[test]
fn every_change_is_noticed_at_the_next_prompt() {
    std::thread::scope(|scope| {
        for shell in &SHELLS {
            scope.spawn(|| notices_every_change(shell));
        }
    });
}

fn notices_every_setting(shell: &Shell) {
    let sandbox = with_tunnel();
    let set = |name: &str, value: &str| shell.set(&format!("SOONG_PROMPT_{name}"), value);
    let steps = [
        String::new(),
        set("SYMBOL_UP", "-"),
        String::new(),
        set("FORMAT", "<{text}>1"),
        String::new(),
        // The same characters in the same order, but of one variable fewer in one and more in the other.
        set("FORMAT", "<{text}>") + &set("ASCII", "1"),
        String::new(),
    ];
    let said = said(shell, &sandbox, &steps.each_ref().map(String::as_str));
    assert_eq!(said, ["[= dev]", "[- dev]", "[<dev>1]", "[<dev>]"], "{}", shell.name);
}

#[test]
fn a_value_that_moves_to_the_next_setting_is_a_change() {
    for shell in &SHELLS {
        notices_every_setting(shell);
    }
}
