//! `soong NAME` runs `soong-NAME`: where it is looked for, what it is given, and what comes back.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::system_path;

/// Writes an executable `sh` script.
fn script(sandbox: &Sandbox, path: &str, body: &str) -> PathBuf {
    let file = sandbox.path(path);
    sandbox.write(&file, format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    file
}

/// `directories` and the system's as a PATH.
fn path_of<P: AsRef<Path>>(directories: impl IntoIterator<Item = P>) -> OsString {
    let mut path = OsString::new();
    for directory in directories {
        path.push(directory.as_ref());
        path.push(":");
    }
    path.push(system_path());
    path
}

/// `soong ARGS` with the sandbox's `bin` first in PATH.
fn soong<S: AsRef<OsStr>>(sandbox: &Sandbox, args: impl IntoIterator<Item = S>) -> Run<'_> {
    sandbox.soong(args).env("PATH", path_of([sandbox.path("bin")]))
}

#[test]
fn an_executable_on_the_path_is_a_command() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hello", "echo \"hello $1\"; echo oops >&2");
    soong(&sandbox, ["hello", "world"]).stdout("hello world\n").stderr("oops\n").run();
}

#[test]
fn what_belongs_to_soong_comes_before_the_path() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-tunnel", "echo impostor");
    soong(&sandbox, ["tunnel", "status"]).code(3).stdout("Tunnel is not running\n").run();
}

#[test]
fn a_link_to_soong_finds_what_belongs_to_it() {
    let sandbox = Sandbox::new();
    let link = sandbox.path("elsewhere");
    fs::create_dir(&link).unwrap();
    let link = link.join("soong");
    symlink(env!("CARGO_BIN_EXE_soong"), &link).unwrap();
    Run::new(&sandbox, &link, ["tunnel", "status"]).code(3).stdout("Tunnel is not running\n").run();
}

#[test]
fn the_first_on_the_path_wins() {
    let sandbox = Sandbox::new();
    for directory in ["one", "two"] {
        script(&sandbox, &format!("{directory}/soong-hello"), &format!("echo {directory}"));
    }
    let run = |first: &str, second: &str| {
        sandbox.soong(["hello"]).env("PATH", path_of([sandbox.path(first), sandbox.path(second)]))
    };
    run("one", "two").stdout("one\n").run();
    run("two", "one").stdout("two\n").run();
    run("missing", "two").stdout("two\n").run();
}

#[test]
fn what_can_not_be_executed_is_passed_over() {
    let sandbox = Sandbox::new();
    sandbox.write(&sandbox.path("file/soong-hello"), "#!/bin/sh\necho wrong\n");
    fs::create_dir_all(sandbox.path("directory/soong-hello")).unwrap();
    sandbox.write(&sandbox.path("notdir"), "");
    script(&sandbox, "bin/soong-hello", "echo right");
    let path = path_of(["file", "directory", "notdir", "bin"].map(|name| sandbox.path(name)));
    sandbox.soong(["hello"]).env("PATH", path).stdout("right\n").run();
}

/// An empty or relative entry means the working directory, where anybody may have put anything.
#[test]
fn only_absolute_directories_are_searched() {
    let sandbox = Sandbox::new();
    script(&sandbox, "tmp/soong-hello", "echo executed");
    script(&sandbox, "tmp/sub/soong-hello", "echo executed");
    for entry in ["", ".", "sub", "./sub", "../tmp"] {
        for path in [path_of([entry]), OsString::from(format!("{}:{entry}", system_path().display()))] {
            sandbox.soong(["hello"]).env("PATH", path).fails(2, ["hello"]).run();
        }
    }
    for path in ["", ":", "sub"] {
        sandbox.soong(["hello"]).env("PATH", path).fails(2, ["hello"]).run();
    }
    sandbox.soong(["hello"]).env_remove("PATH").fails(2, ["hello"]).run();
}

#[test]
fn arguments_arrive_untouched() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("tmp/arguments");
    script(&sandbox, "bin/soong-show", "printf '%s\\0' \"$@\" >\"$OUT\"");
    let arguments: Vec<OsString> = [
        b"--".as_slice(),
        b"",
        b"a b",
        b"*",
        b"$HOME",
        b"\xff\xfe",
        b"two\nlines",
        b"--help",
        b"-h",
        b"-V",
        b"--list",
        b"help",
        b"'\"\\",
        b"",
        b"--",
    ]
    .map(|bytes| OsString::from_vec(bytes.to_vec()))
    .into();
    soong(&sandbox, ["show"]).args(&arguments).env("OUT", &file).run();
    let mut expected = Vec::new();
    for argument in &arguments {
        expected.extend_from_slice(argument.as_bytes());
        expected.push(0);
    }
    assert_eq!(fs::read(&file).unwrap().escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn exit_codes_and_signals_are_the_commands_own() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-exit", "exit \"$1\"");
    script(&sandbox, "bin/soong-die", "kill -\"$1\" $$");
    for code in [0, 1, 2, 3, 42, 126, 127, 255] {
        soong(&sandbox, ["exit", &code.to_string()]).code(code).run();
    }
    for (name, number) in [("TERM", 15), ("INT", 2), ("KILL", 9)] {
        soong(&sandbox, ["die", name]).code(128 + number).run();
    }
}

#[test]
fn it_becomes_the_command() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-pid", "echo $$");
    let command = soong(&sandbox, ["pid"]).stdout_has("").spawn();
    let pid = command.pid();
    assert_eq!(command.finish().stdout, format!("{pid}\n"), "exec, not a child");
}

#[test]
fn the_command_learns_who_called_it() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-who", "echo \"$SOONG\"; echo \"$SOONG_API\"");
    let soong_itself = fs::canonicalize(env!("CARGO_BIN_EXE_soong")).unwrap();
    let expected = format!("{}\n1\n", soong_itself.display());
    soong(&sandbox, ["who"]).stdout(&expected).run();
    // Not what the environment happened to hold.
    soong(&sandbox, ["who"]).env("SOONG", "/bin/false").env("SOONG_API", "9").stdout(&expected).run();
}

/// One look per directory, by name: on a slow disk or with a PATH of thousands of programs it stays instant.
#[test]
#[cfg(target_os = "linux")]
fn a_name_is_resolved_without_reading_directories() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hello", "echo hello");
    let trace = sandbox.path("trace");
    let options = ["-f", "-e", "trace=getdents64,execve", "-o"].map(OsString::from);
    let options = options.into_iter().chain([trace.clone().into_os_string()]);
    let strace = crate::support::tools::tool("strace");
    soong(&sandbox, ["hello"]).through(&strace, options).stdout("hello\n").run();
    let trace = fs::read_to_string(&trace).unwrap();
    assert!(trace.contains("soong-hello"), "strace saw nothing: {trace}");
    assert!(!trace.contains("getdents"), "a directory was read:\n{trace}");
}

#[test]
fn an_unknown_command_is_told_with_what_it_may_have_meant() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hello", "echo hello");
    soong(&sandbox, ["tunel"]).fails(2, ["soong: ", "tunel"]).hint("tunnel").run();
    soong(&sandbox, ["hallo"]).fails(2, ["soong: ", "hallo"]).hint("hello").run();
    soong(&sandbox, ["qqq"]).fails(2, ["soong: ", "qqq"]).run();
    let output = soong(&sandbox, ["a\u{1b}[31m\nb"]).fails(2, [""]).run();
    assert!(!output.stderr.contains('\u{1b}'), "{:?}", output.stderr);
}

/// By similarity alone, `start` would be answered with `status`.
#[test]
fn start_and_stop_point_to_those_of_the_tunnel() {
    let sandbox = Sandbox::new();
    for (name, hint) in [
        ("start", "did you mean 'tunnel start' or 'launch'?"),
        ("stop", "did you mean 'tunnel stop' or 'terminate'?"),
    ] {
        soong(&sandbox, [name]).fails(2, [&format!("soong: no command '{name}'")[..]]).hint(hint).run();
        soong(&sandbox, [name, "dev"])
            .fails(2, [&format!("soong: no command '{name}'")[..]])
            .hint(hint)
            .run();
        soong(&sandbox, ["help", name])
            .fails(2, [&format!("soong: no command '{name}'")[..]])
            .hint(hint)
            .run();
    }
    script(&sandbox, "bin/soong-start", "echo mine");
    soong(&sandbox, ["start"]).stdout("mine\n").run();
}

#[test]
fn a_name_is_no_path() {
    let sandbox = Sandbox::new();
    let evil = script(&sandbox, "evil", "echo executed");
    fs::create_dir(sandbox.path("bin/soong-")).unwrap();
    fs::create_dir(sandbox.path("bin/soong-x")).unwrap();
    let absolute = evil.to_str().unwrap().to_owned();
    let names = ["../evil", "/../../evil", "x/../../evil", "./evil", "x/y", "", ".", "..", "-", &absolute];
    for name in names {
        soong(&sandbox, [name]).fails(2, [""]).run();
    }
    soong(&sandbox, [OsStr::from_bytes(b"\xff")]).fails(2, [""]).run();
    soong(&sandbox, ["x".repeat(5000)]).fails(2, [""]).run();
}

#[test]
fn a_command_that_can_not_be_run_is_told() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("bin/soong-broken");
    sandbox.write(&file, "#!/nonexistent/interpreter\n");
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    soong(&sandbox, ["broken"]).fails(127, ["soong: ", "soong-broken"]).run();
    sandbox.write(&file, b"\x7fELF but not really");
    soong(&sandbox, ["broken"]).fails(126, ["soong: ", "soong-broken"]).run();
}

/// A text without `#!` is run by `/bin/sh`, as every shell does it.
#[test]
fn a_script_without_a_line_for_its_interpreter_is_run_by_sh() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("bin/soong-plain");
    sandbox.write(&file, "echo \"${0##*/} $#: $1\"\nexit 7\n");
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    for words in [&["plain", "a b"][..], &["ext", "exec", "plain", "a b"]] {
        soong(&sandbox, words).stdout("soong-plain 1: a b\n").code(7).run();
    }
    let command = file.to_str().unwrap();
    soong(&sandbox, ["ext", "check", command]).stdout_has("/bin/sh runs it").run();
    sandbox.write(&file, "");
    soong(&sandbox, ["plain"]).run();
}

#[test]
fn a_carriage_return_in_the_first_line_is_named() {
    let sandbox = Sandbox::new();
    let file = sandbox.path("bin/soong-dos");
    for line in ["#!/bin/sh", "#!/usr/bin/env sh", "#! /usr/bin/env -S sh -e"] {
        sandbox.write(&file, format!("{line}\r\necho hello\r\n"));
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        soong(&sandbox, ["dos"])
            .fails(127, ["soong-dos: its first line ends in a carriage return"])
            .hint("convert it: perl -pi -e 's/\\r$//' [ROOT]/bin/soong-dos")
            .run();
    }
    let convert = [OsStr::new("-pi"), OsStr::new("-e"), OsStr::new("s/\\r$//"), file.as_os_str()];
    Run::new(&sandbox, &crate::support::tools::tool("perl"), convert).run();
    soong(&sandbox, ["dos"]).stdout("hello\n").run();
    sandbox.write(&file, "#!/no/such/interpreter -x\n");
    soong(&sandbox, ["dos"]).fails(127, ["its interpreter /no/such/interpreter is not installed"]).run();
}

#[test]
fn it_says_which_version_it_is() {
    let sandbox = Sandbox::new();
    let expected = format!("soong {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        sandbox.soong([flag]).stdout(&expected).run();
    }
    sandbox.tunnel(["--version"]).stdout(format!("soong-tunnel {}\n", env!("CARGO_PKG_VERSION"))).run();
}

#[test]
fn it_says_what_there_is() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hello", "echo executed >&2");
    sandbox.write(&sandbox.path("bin/soong-notes"), "not executable");
    let output = soong(&sandbox, ["--list"]).stdout_has("tunnel").stdout_has("hello").run();
    assert!(!output.stdout.contains("notes"), "{}", output.stdout);
    let directory = fs::canonicalize(env!("CARGO_BIN_EXE_soong")).unwrap();
    let directory = directory.parent().unwrap().display().to_string();
    sandbox.soong(["--exec-path"]).stdout(format!("{directory}\n")).run();
}

#[test]
fn it_helps() {
    let sandbox = Sandbox::new();
    let help = sandbox.soong(["--help"]).stdout_has("tunnel").run().stdout;
    for form in [["-h"].as_slice(), &["help"]] {
        assert_eq!(sandbox.soong(form).stdout_has("").run().stdout, help, "{form:?}");
    }
    let bare = sandbox.soong([""; 0]).stdout_has("").run().stdout;
    assert_eq!(bare, help);
    assert!(!help.contains("Get started"), "there is a config file: {help}");
    soong(&sandbox, ["--nothing"]).fails(2, ["--nothing"]).run();
    soong(&sandbox, ["help", "qqq"]).fails(2, ["qqq"]).run();
}

#[test]
fn help_for_a_command_is_its_man_page_or_its_own_help() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hello", "echo \"help of hello: $*\"");
    script(&sandbox, "bin/man", "exit 16");
    soong(&sandbox, ["help", "hello"]).stdout("help of hello: --help\n").run();
    soong(&sandbox, ["help", "tunnel"]).stdout_has("--help").stdout_has("start").run();
}

#[test]
fn the_first_run_shows_three_commands_to_type() {
    let sandbox = Sandbox::new();
    fs::remove_file(sandbox.config_file()).unwrap();
    let help = sandbox.soong([""; 0]).stdout_has("").run().stdout;
    let (start, _) = help.split_once("\nUsage:").unwrap();
    let steps: Vec<&str> = start.lines().filter(|line| line.starts_with("  soong ")).collect();
    assert_eq!(steps.len(), 3, "{help}");
    for (step, command) in steps.iter().zip(["configure", "tunnel start", "init --install"]) {
        assert!(step.starts_with(&format!("  soong {command} ")), "{help}");
    }
}

#[test]
fn help_for_a_subcommand_is_its_own_page() {
    let sandbox = Sandbox::new();
    script(
        &sandbox,
        "bin/man",
        "[ \"$1\" = -w ] && [ \"$3\" = soong-tunnel-start ] && exit 0\n[ \"$1\" = -w ] && exit 16\necho \"page $1\"",
    );
    soong(&sandbox, ["help", "tunnel", "start"]).stdout("page soong-tunnel-start\n").run();
    let own = sandbox.soong(["tunnel", "stop", "--help"]).stdout_has("Stop a tunnel").run().stdout;
    soong(&sandbox, ["help", "tunnel", "stop"]).stdout(own).run();
    soong(&sandbox, ["help", "tunnel", "strat"]).fails(2, ["strat"]).run();
}
