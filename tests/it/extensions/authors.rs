//! Tools for authors of extensions: templates to start from, and checks that report what is missing.

use std::fs;
use std::path::Path;

use super::compiled::{self, Workshop};
use super::{complete, program, script, soong};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools::tool;

/// Writes the beginning of an extension `greet` into `directory`.
fn begin(language: &str, directory: &Path, sandbox: &Sandbox) {
    let args = ["ext", "new", "greet", "--lang", language, "--directory", directory.to_str().unwrap()];
    soong(sandbox, args).stdout_has("wrote ").stdout_has("Next:").run();
}

#[test]
fn what_is_begun_in_a_script_works_and_lacks_nothing() {
    for language in ["bash", "python"] {
        let sandbox = Sandbox::new();
        begin(language, &sandbox.path("bin"), &sandbox);
        soong(&sandbox, ["greet", "ann"]).stdout("hello, ann\n").run();
        soong(&sandbox, ["greet", "--help"]).stdout_has("soong greet").run();
        soong(&sandbox, ["greet", "--nonsense"]).code(2).stderr_has("--nonsense").run();
        let file = sandbox.path("bin/soong-greet");
        soong(&sandbox, ["ext", "check", file.to_str().unwrap()]).stdout_has("no problems found\n").run();
        Run::new(&sandbox, &sandbox.path("bin/test-soong-greet"), [""; 0])
            .stdout_has("")
            .stderr_has("")
            .run();
        let answer =
            Run::new(&sandbox, &file, ["--"]).env("SOONG_COMPLETE", "1").stdout_has("--shout\t").run();
        assert!(answer.stdout.ends_with("\n:4\n"), "{}", answer.stdout);
        let list = soong(&sandbox, ["--list"]).stdout_has("greet\t").run().stdout;
        assert_eq!(list.matches("greet").count(), 1, "the test is no command: {list}");
        if language == "bash" {
            for file in ["bin/soong-greet", "bin/test-soong-greet"] {
                Run::new(&sandbox, &tool("shellcheck"), [sandbox.path(file)]).run();
            }
        }
    }
}

#[test]
fn what_is_begun_in_rust_works_and_lacks_nothing() {
    let mut sandbox = Sandbox::new();
    sandbox.wait_for_candidates();
    let workshop = Workshop::open();
    begin("rust", workshop.directory(), &sandbox);
    compiled::run(workshop.cargo("soong-greet").arg("test"));
    let program = sandbox.path("bin/soong-greet");
    fs::copy(workshop.program("soong-greet"), &program).unwrap();
    soong(&sandbox, ["greet", "moon", "--shout"]).stdout("HELLO, MOON\n").run();
    soong(&sandbox, ["greet", "--help"]).stdout_has("soong greet").run();
    soong(&sandbox, ["greet", "--nonsense"]).code(2).stderr_has("--nonsense").run();
    soong(&sandbox, ["ext", "check", program.to_str().unwrap()]).stdout_has("no problems found\n").run();
    soong(&sandbox, ["ext", "list"])
        .stdout_has("greet  Say hello to whom you name\n")
        .stdout_has("summary: note, completion: clap\n")
        .run();
    complete(&sandbox, &["soong", "greet", "--s"]).stdout("--shout\tIn capital letters\n:4\n").run();
    complete(&sandbox, &["soong", "greet", ""]).stdout("world\nmoon\n:4\n").run();
}

#[test]
fn nothing_is_overwritten_and_no_name_of_soongs_own_taken() {
    let sandbox = Sandbox::new();
    let taken = sandbox.path("tmp/test-soong-greet");
    sandbox.write(&taken, "mine");
    soong(&sandbox, ["ext", "new", "greet"])
        .fails(1, ["test-soong-greet already exists"])
        .hint("choose another name or --directory")
        .run();
    assert_eq!(fs::read_to_string(&taken).unwrap(), "mine");
    assert!(!sandbox.path("tmp/soong-greet").exists());
    for name in ["tunnel", "../x", "provider-x", "-x", "a b", ""] {
        soong(&sandbox, ["ext", "new", "--", name]).code(2).stderr_has("soong-ext: ").run();
    }
    assert!(!sandbox.path("soong-x").exists());
}

#[test]
fn what_is_missing_is_told_without_running_anything() {
    let sandbox = Sandbox::new();
    let check = |file: &Path| soong(&sandbox, ["ext".as_ref(), "check".as_ref(), file.as_os_str()]);
    let ran = sandbox.path("tmp/ran");
    let quiet = script(&sandbox, "bin/soong-quiet", "touch ran");
    check(&quiet).stdout_has("soong:summary").stdout_has("soong:complete").run();
    for (path, text, fault) in [
        ("bin/hello.sh", "#!/bin/sh\n", "rename it to soong-hello"),
        ("bin/soong-tunnel", "#!/bin/sh\n", "soong ext exec tunnel"),
        ("bin/soong-complete", "#!/bin/sh\n", "helper"),
        ("bin/soong-supervisor", "#!/bin/sh\n", "helper"),
        ("bin/soong-b", "#!/nonexistent/sh\n", "not installed"),
        ("bin/soong-c", "#!/bin/sh\r\n", "carriage return"),
        ("bin/soong-d", "#!/usr/bin/env nonexistent-interpreter\n", "not on your PATH"),
        ("bin/soong-e", "#!/bin/sh\n# soong:complete: maybe\n", "\"maybe\""),
    ] {
        let file = program(&sandbox, path, text);
        check(&file).code(1).stdout_has("fault: ").stdout_has(fault).run();
    }
    let plain = program(&sandbox, "bin/soong-a", "touch ran\n");
    check(&plain).stdout_has("advice: no interpreter in the first line, so /bin/sh runs it").run();
    let text = sandbox.path("bin/soong-text");
    sandbox.write(&text, "#!/bin/sh\n");
    check(&text).code(1).stdout_has("chmod +x").run();
    check(&sandbox.path("bin")).fails(1, ["not a regular file"]).run();
    check(&sandbox.path("bin/missing")).fails(1, ["missing"]).run();
    assert!(!ran.exists());
}
