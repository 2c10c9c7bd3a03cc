//! Lists and descriptions of extensions, made without running any of them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use super::{path_of, program, script, soong};
use crate::support::sandbox::Sandbox;

/// The entry of the extension `name` in what `soong ext list --json` prints.
#[track_caller]
fn entry(json: &str, name: &str) -> Value {
    let document: Value = serde_json::from_str(json).unwrap();
    assert_eq!(document["api"], 1);
    let entries = document["extensions"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == name);
    entry.unwrap_or_else(|| panic!("no {name} in {json}")).clone()
}

/// The warnings about the extension `name`, in one text.
#[track_caller]
fn warnings(json: &str, name: &str) -> String {
    entry(json, name)["warnings"].as_array().unwrap().iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_extension_is_listed_with_what_it_says_of_itself() {
    let sandbox = Sandbox::new();
    let file =
        script(&sandbox, "bin/soong-hello", "# soong:summary: Say hello\n# soong:complete: soong\nexit 9");
    script(&sandbox, "bin/soong-mute", "exit 9");
    let expected = format!(
        "hello  Say hello\n    {}\n    summary: header, completion: soong\nmute   (no description)\n    {}\n    no summary, completion: shell\n",
        sandbox.normalise(&file.display().to_string()),
        sandbox.normalise(&file.with_file_name("soong-mute").display().to_string()),
    );
    soong(&sandbox, ["ext", "list"]).stdout(expected).run();
    let json = soong(&sandbox, ["ext", "list", "--json"]).stdout_has("").run().stdout;
    let hello = entry(&json, "hello");
    assert_eq!(hello["summary"], "Say hello");
    assert_eq!(hello["summary_from"], "header");
    assert_eq!(hello["complete"], "soong");
    assert_eq!(hello["runs"], true);
    assert_eq!(hello["path"], file.to_str().unwrap());
    assert_eq!(entry(&json, "mute")["summary"], Value::Null);
}

#[test]
fn help_shows_extensions_apart_from_soongs_own() {
    let sandbox = Sandbox::new();
    script(&sandbox, "bin/soong-hello", "# soong:summary: Say hello");
    let long = format!("# soong:summary: {}", "very long ".repeat(15));
    script(&sandbox, "bin/soong-tale", &long);
    let help = soong(&sandbox, ["help"]).stdout_has("").run().stdout;
    let (own, others) = help.split_once("\nExtensions").unwrap();
    assert!(own.contains("  tunnel ") && others.contains("  hello      Say hello\n"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    let list = soong(&sandbox, ["--list"]).stdout_has("").run().stdout;
    let (own, others) = list.split_once("\n\n").unwrap();
    assert!(own.lines().all(|line| line.split('\t').count() == 2), "{list}");
    assert!(others.starts_with("hello\tSay hello\n"), "{list}");
}

#[test]
fn what_is_odd_about_an_extension_is_told() {
    let mut sandbox = Sandbox::new();
    sandbox.configure(|config| {
        config.set(["alias", "aliased"], "tunnel status");
    });
    for directory in ["bin", "second"] {
        script(&sandbox, &format!("{directory}/soong-twice"), "");
    }
    for name in ["status", "aliased"] {
        script(&sandbox, &format!("bin/soong-{name}"), "");
    }
    sandbox.write(&sandbox.path("bin/soong-text"), "");
    symlink("nowhere", sandbox.path("bin/soong-gone")).unwrap();
    script(&sandbox, "bin/soong-odd", "# soong:complete: zsh\n# soong:colour: red");
    script(&sandbox, "open/soong-open", "");
    fs::set_permissions(sandbox.path("open"), Permissions::from_mode(0o777)).unwrap();
    let path = path_of(&sandbox, &["bin", "second", "open"]);
    let run = |args: &[&str]| soong(&sandbox, args).env("PATH", &path).stdout_has("").run().stdout;
    let json = run(&["ext", "list", "--json"]);
    for (name, warning, runs) in [
        ("twice", "second/soong-twice is hidden", true),
        ("status", "soong ext exec status", false),
        ("aliased", "the alias aliased is hidden", true),
        ("text", "not executable", false),
        ("gone", "broken link", false),
        ("odd", "not one of soong, clap", true),
        ("odd", "colour", true),
        ("open", "is writable by everyone", true),
    ] {
        assert!(warnings(&json, name).contains(warning), "{name}: {}", warnings(&json, name));
        assert_eq!(entry(&json, name)["runs"], runs, "{name}");
    }
    assert_eq!(run(&["ext", "list"]).matches("warning: ").count(), 8);
    let help = run(&["help"]);
    assert!(!help.contains("  text") && !help.contains("  gone"), "{help}");
    soong(&sandbox, ["ext", "exec", "status"]).env("PATH", &path).run();
}

/// As where `/bin` is `/usr/bin`, or where each program is linked from its package.
#[test]
fn soongs_own_programs_are_no_extensions_under_another_path() {
    let sandbox = Sandbox::new();
    let own = Path::new(env!("CARGO_BIN_EXE_soong"));
    fs::create_dir(sandbox.path("links")).unwrap();
    for name in ["soong", "soong-status", "soong-complete", "soong-supervisor"] {
        symlink(own.with_file_name(name), sandbox.path("links").join(name)).unwrap();
    }
    symlink(own.parent().unwrap(), sandbox.path("same")).unwrap();
    script(&sandbox, "bin/soong-hello", "echo hello");
    symlink("bin", sandbox.path("again")).unwrap();
    let path = path_of(&sandbox, &["same", "links", "bin", "again"]);
    let list = soong(&sandbox, ["ext", "list"]).env("PATH", &path).stdout_has("hello").run().stdout;
    assert!(!list.contains("warning") && !list.contains("status"), "{list}");
    soong(&sandbox, ["ext", "exec", "status"]).env("PATH", &path).code(2).stderr_has("no extension").run();
    script(&sandbox, "bin/soong-status", "echo mine");
    soong(&sandbox, ["ext", "exec", "status"]).env("PATH", &path).stdout("mine\n").run();
}

#[test]
fn hostile_names_and_files_do_no_harm() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("bin/soong-directory")).unwrap();
    nix::unistd::mkfifo(&sandbox.path("bin/soong-pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    program(&sandbox, "bin/soong-\u{1b}[2Jname", "");
    program(&sandbox, "bin/soong-e", b"#!/bin/sh\n# soong:summary: \x1b]0;x\x07\xff\n");
    program(&sandbox, "bin/soong-elf", [b"\x7fELF\x02\x01".as_slice(), &[0xff; 300]].concat());
    let huge = program(&sandbox, "bin/soong-huge", "");
    fs::OpenOptions::new().write(true).open(&huge).unwrap().set_len(1 << 40).unwrap();
    symlink("/proc/self/mem", sandbox.path("bin/soong-mem")).unwrap();
    for args in [["ext", "list"].as_slice(), &["ext", "list", "--json"], &["help"], &["--list"]] {
        let output = soong(&sandbox, args).stdout_has("huge").run().stdout;
        assert!(!output.contains('\u{1b}'), "{output:?}");
        assert!(!output.contains("pipe") && !output.contains("directory\n"), "{output}");
    }
}

/// Thousands of programs on PATH and dozens of extensions, all of which would be noticed if they ran.
#[test]
#[cfg(target_os = "linux")]
fn no_extension_is_run_to_tell_what_it_does() {
    let sandbox = Sandbox::new();
    for index in 0..50 {
        script(
            &sandbox,
            &format!("bin/soong-x{index}"),
            &format!("# soong:summary: Number {index}\ntouch \"$RAN\""),
        );
    }
    for index in 0..3000 {
        sandbox.write(&sandbox.path(&format!("many/program{index}")), "");
    }
    let ran = sandbox.path("ran");
    for args in [["ext", "list"].as_slice(), &["ext", "list", "--json"], &["help"], &["--list"], &["x99"]] {
        let run = soong(&sandbox, args).env("PATH", path_of(&sandbox, &["bin", "many"])).env("RAN", &ran);
        let (stdout, programs) = super::executed(&sandbox, run);
        assert!(stdout.contains("Number 49") || args == ["x99"], "{stdout}");
        assert!(programs.iter().all(|name| matches!(name.as_str(), "soong" | "soong-ext")), "{programs:?}");
    }
    assert!(!ran.exists());
}
