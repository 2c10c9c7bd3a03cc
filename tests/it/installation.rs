//! `make install` into a fresh prefix: each file is where the shells and `man` look for it, and `make uninstall`
//! leaves none.

use std::fs;
use std::path::{Path, PathBuf};

use crate::completion::shell::{Kind, Shell, own_directory};
use crate::support::instance::Instance;
use crate::support::run::{Output, Run};
use crate::support::sandbox::{Sandbox, pid_in};
#[cfg(target_os = "linux")]
use crate::support::statusd;
use crate::support::tools;

/// `make TARGET` with the prefix `usr` of the sandbox and the programs that were built for the tests.
pub fn make(sandbox: &Sandbox, target: &str) -> Output {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    #[cfg(target_os = "linux")]
    statusd::program();
    let prefix = format!("PREFIX={}", sandbox.path("usr").display());
    let built = format!("BINDIR={}", own_directory().display());
    let run = Run::new(sandbox, &tools::tool("make"), [target, prefix.as_str(), built.as_str()]);
    run.current_dir(repository).stdout_has("").stderr_has("").run()
}

fn installed() -> Sandbox {
    let sandbox = Sandbox::new();
    make(&sandbox, "install-files");
    sandbox
}

/// Everything below `directory` that is no directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(Result::unwrap);
    let below = entries.flat_map(|entry| {
        if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { vec![entry.path()] }
    });
    below.collect()
}

#[test]
fn each_file_is_where_it_is_looked_for() {
    let sandbox = installed();
    for name in [
        "bin/soong",
        "bin/soong-tunnel",
        "bin/soong-complete",
        "bin/soong-supervisor",
        "share/bash-completion/completions/soong.bash",
        "share/bash-completion/completions/soong-tunnel.bash",
        "share/zsh/site-functions/_soong",
        "share/fish/vendor_completions.d/soong-tunnel.fish",
        "share/fish/vendor_conf.d/soong.fish",
        "share/soong/shell/soong.bash",
        "share/soong/shell/placement.bash",
        "share/man/man1/soong-tunnel.1",
        "share/man/man5/soong-config.5",
        "share/licenses/soong/LICENSE-MIT",
        "share/doc/soong/docs/getting-started.md",
        "share/doc/soong/examples/soong-provider-static",
        "share/doc/soong/examples/hooks/notify",
        "share/soong/uninstall.sh",
    ] {
        // Through links, which must lead somewhere.
        assert!(sandbox.path("usr").join(name).is_file(), "no {name}");
    }
    assert_eq!(sandbox.path("usr/lib/soong/soong-statusd").is_file(), cfg!(target_os = "linux"));
    let soong = sandbox.path("usr/bin/soong");
    Run::new(&sandbox, &soong, ["--version"]).stdout_has(env!("CARGO_PKG_VERSION")).run();
    Run::new(&sandbox, &soong, ["tunnel", "--help"]).stdout_has("soong tunnel").run();
}

/// bash makes a path of it, other shells do not.
#[test]
fn a_prefix_at_home_may_be_written_with_a_tilde() {
    let sandbox = Sandbox::new();
    #[cfg(target_os = "linux")]
    statusd::program();
    let built = format!("BINDIR={}", own_directory().display());
    let arguments = ["install-files", "PREFIX=~/.local", built.as_str()];
    let run = Run::new(&sandbox, &tools::tool("make"), arguments);
    run.current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).stdout_has("").stderr_has("").run();
    for name in ["bin/soong", "share/man/man1/soong.1", "share/zsh/site-functions/_soong"] {
        assert!(sandbox.path("home/.local").join(name).is_file(), "no {name}");
    }
}

#[test]
fn installing_ends_with_three_steps() {
    let sandbox = Sandbox::new();
    let bin = sandbox.path("usr/bin");
    let last = |shell: &str, path: &str, more: &[&str]| -> Vec<String> {
        let prefix = format!("PREFIX={}", sandbox.path("usr").display());
        let built = format!("BINDIR={}", own_directory().display());
        // Nothing has to be built.
        let arguments = ["install", "CARGO=true", &prefix, &built];
        let run = Run::new(&sandbox, &tools::tool("make"), arguments).args(more).env("SHELL", shell);
        let path = format!("{path}{}", tools::system_path().display());
        let run = run.env("PATH", path).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")));
        let stdout = run.stdout_has("").stderr_has("").run().stdout;
        let lines: Vec<String> = stdout.lines().map(str::to_owned).collect();
        lines[lines.len() - 3..].to_vec()
    };
    #[cfg(target_os = "linux")]
    statusd::program();
    let steps = |path: String| {
        let rest =
            ["2. Completion and prompt:  soong init --install", "3. Your instances:         soong configure"];
        let all = [format!("1. Your PATH:              {path}"), rest[0].to_owned(), rest[1].to_owned()];
        all.to_vec()
    };
    let bin = bin.display();
    let add = |file: &str| format!("echo 'export PATH=\"{bin}:$PATH\"' >>~/{file}; . ~/{file}");
    let of_bash = if cfg!(target_os = "macos") { ".bash_profile" } else { ".bashrc" };
    assert_eq!(last("/bin/bash", "", &[]), steps(add(of_bash)));
    assert_eq!(last("/bin/sh", "", &[]), steps(add(".profile")));
    let fish = format!("fish_add_path '{bin}'");
    for (shell, command) in [("bash", add(of_bash)), ("zsh", add(".zshrc")), ("fish", fish)] {
        let shell = tools::shell(shell);
        assert_eq!(last(shell.to_str().unwrap(), "", &[]), steps(command.clone()));
        // After that step, new shells find soong.
        let path = tools::system_path();
        Run::new(&sandbox, &shell, ["-c", &command]).env("PATH", &path).stderr_has("").run();
        let new = if command.contains(".bash_profile") { "-lic" } else { "-ic" };
        let found = Run::new(&sandbox, &shell, [new, "command -v soong"]).env("PATH", &path).stderr_has("");
        found.stdout("[ROOT]/usr/bin/soong\n").run();
    }
    assert_eq!(last("/bin/bash", &format!("{bin}:"), &[]), steps(format!("{bin} is on it")));
    // A package is not installed yet.
    let staged = last("/bin/bash", "", &[&format!("DESTDIR={}", sandbox.path("stage").display())]);
    assert!(!staged.iter().any(|line| line.contains("soong configure")), "{staged:?}");
}

#[test]
fn uninstalling_stops_the_tunnels_and_names_what_is_left() {
    let instance = Instance::start();
    let sandbox = Sandbox::with(&instance);
    make(&sandbox, "install-files");
    let soong = sandbox.path("usr/bin/soong");
    let start = Run::new(&sandbox, &soong, ["tunnel", "start"]);
    let pid = pid_in(&start.stdout(sandbox.started(&instance)).run().stdout);
    // The tunnel of another installation is not ours to end.
    let other = Sandbox::with(&instance);
    other.start(&instance);
    sandbox.write(&sandbox.home().join(".config/fish/config.fish"), "soong init fish | source\n");
    let said = make(&sandbox, "uninstall").stdout;
    assert!(said.contains(&format!("Stopped tunnel (PID: {pid})\n")), "{said}");
    let home = sandbox.home();
    let home = home.display();
    for left in [
        format!("  {home}/.config/soong  (config, API keys, hooks)\n"),
        format!("  {home}/.local/state/soong  (logs, host keys, what instances cost)\n"),
        format!("  {home}/.config/fish/config.fish  (has a line for soong)\n"),
    ] {
        assert!(said.contains(&left), "{left} is missing: {said}");
    }
    assert!(!said.contains("bashrc"), "{said}");
    assert_eq!(files(&sandbox.path("usr")), Vec::<PathBuf>::new());
    sandbox.assert_idle();
    assert_eq!(other.supervisors().len(), 1);
}

#[test]
fn removing_a_package_names_the_units_of_users() {
    let sandbox = Sandbox::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/uninstall.sh");
    let units = || {
        let run = Run::new(&sandbox, &tools::tool("sh"), [script.to_str().unwrap(), "units"]);
        run.stdout_has("").run().stdout
    };
    let home = sandbox.home();
    assert!(!units().contains(home.to_str().unwrap()));
    let unit = home.join(".config/systemd/user/soong-dev.service");
    sandbox.write(&unit, "[Service]\n");
    sandbox.write(&unit.with_file_name("other.service"), "[Service]\n");
    sandbox.write(&unit.with_file_name("soong-\u{1b}[2J\u{9b}.service"), "[Service]\n");
    let said = units();
    assert!(said.starts_with("These units start tunnels at login"), "{said}");
    assert!(said.contains(&format!("  {}\n", unit.display())) && !said.contains("other.service"), "{said}");
    assert!(said.contains("soong-[2J.service\n"), "{said:?}");
}

#[test]
fn uninstalling_leaves_no_file() {
    let sandbox = installed();
    make(&sandbox, "uninstall");
    assert_eq!(files(&sandbox.path("usr")), Vec::<PathBuf>::new());
    make(&sandbox, "uninstall");
}

#[test]
fn a_shell_that_looks_there_completes_without_an_rc_file() {
    let sandbox = installed();
    let share = sandbox.path("usr/share");
    let share = share.display();
    // zsh has the directory in fpath when it is of the same prefix; the rest is what any rc file does.
    let zsh = format!("fpath=('{share}/zsh/site-functions' $fpath)\nautoload -U compinit\ncompinit -u -D");
    // Does what the bash-completion package does at the first TAB behind an unknown command. Before 4.1 bash
    // has no such mechanism: the package reads all files, as any rc file can.
    let bash = format!(
        "load() {{ . '{share}/bash-completion/completions/'\"${{1##*/}}\".bash 2>/dev/null && return 124; }}\n\
        complete -D -F load 2>/dev/null || . '{share}/bash-completion/completions/soong.bash'"
    );
    let fish = format!("set -p fish_complete_path '{share}/fish/vendor_completions.d'");
    for (kind, setup) in [(Kind::Zsh, zsh), (Kind::Bash, bash), (Kind::Fish, fish)] {
        for (line, words) in [
            ("soong-tunnel resta\t", vec!["soong-tunnel", "restart"]),
            ("soong tunnel resta\t", vec!["soong", "tunnel", "restart"]),
        ] {
            // A shell each, so that each line is the first.
            let mut shell = Shell::run(kind, &sandbox, &setup, &sandbox.path("usr/bin"));
            assert_eq!(shell.words(line), words, "{kind:?}");
        }
    }
}

#[test]
fn man_finds_the_pages() {
    let sandbox = installed();
    let pages = sandbox.path("usr/share/man");
    for page in ["soong", "soong-tunnel", "soong-config"] {
        let arguments = ["-M".as_ref(), pages.as_os_str(), "-w".as_ref(), page.as_ref()];
        Run::new(&sandbox, &tools::tool("man"), arguments).stdout_has(format!("/{page}.")).run();
    }
}

#[test]
fn soong_init_installs_the_manual_pages_that_cargo_install_leaves_out() {
    let sandbox = installed();
    let pages = sandbox.path("usr/share/man");
    let from_make = files(&pages);
    let texts = |files: &[PathBuf]| files.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let expected = texts(&from_make);
    fs::remove_dir_all(&pages).unwrap();
    let soong = sandbox.path("usr/bin/soong");
    let message = format!("Installed {} manual pages in ", from_make.len());
    Run::new(&sandbox, &soong, ["init", "--man-pages"]).stdout_has(message).run();
    assert_eq!(texts(&from_make), expected);
    assert_eq!(files(&pages).len(), from_make.len());
    Run::new(&sandbox, &soong, ["init", "--man-pages"]).stdout_has("Try: man soong\n").run();
}
