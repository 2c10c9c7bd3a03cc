//! `packaging/`: what a release consists of, made with stand-ins for the programs; and `install.sh`, against a server.
//!
//! `make packages` installs the real packages.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::installation::files;
use crate::support::http::{Reply, Server};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::tools;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes stand-ins for all programs, which print their name, into `built` of the sandbox.
fn build_stand_ins(sandbox: &Sandbox) -> PathBuf {
    let built = sandbox.path("built");
    let sources = fs::read_dir(repository().join("src/bin")).unwrap().map(|entry| entry.unwrap().path());
    let programs = sources.map(|source| source.file_stem().unwrap().to_str().unwrap().to_owned());
    for name in programs.chain(["soong-statusd".to_owned()]) {
        let file = built.join(&name);
        sandbox.write(&file, format!("#!/bin/sh\necho {name} 1\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    built
}

/// A release in `dist` of the sandbox, at `url`.
fn release(sandbox: &Sandbox, url: &str) -> PathBuf {
    let dist = sandbox.path("dist");
    let built = build_stand_ins(sandbox);
    let script = repository().join("packaging/dist.sh");
    let words = [script.to_str().unwrap(), "archive", "source", "fill", "sums"];
    let run = Run::new(sandbox, &tools::tool("sh"), words).env("DIST", &dist).env("BINDIR", built);
    let run = run.env("RELEASE_URL", url).env("HOMEPAGE", "https://github.com/kim/soong");
    run.env("MAINTAINER", "Kim Example <kim@example.org>").run();
    dist
}

/// Name of the archive with programs that `kind` compressed: `xz` or `gz`.
fn archive(kind: &str) -> String {
    let (version, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    format!("soong-{version}-{arch}-unknown-linux-musl.tar.{kind}")
}

/// Serves the files of `directory`; returns the server and what it does to each file before it sends it.
fn serve(directory: Arc<Mutex<PathBuf>>, change: fn(Vec<u8>) -> Vec<u8>) -> Server {
    Server::start(move |request| {
        let name = request.line.strip_prefix("GET /").unwrap_or_default().to_owned();
        match fs::read(directory.lock().unwrap().join(name)) {
            Ok(bytes) => {
                let bytes = change(bytes);
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    bytes.len()
                );
                Reply::Raw([head.into_bytes(), bytes].concat())
            }
            Err(_) => Reply::error("404 Not Found", ""),
        }
    })
}

fn installer<'a>(sandbox: &'a Sandbox, dist: &Path, words: &[&str]) -> Run<'a> {
    let script = dist.join("install.sh");
    Run::new(sandbox, &tools::tool("sh"), [&[script.to_str().unwrap()], words].concat())
}

/// Returns the files below `directory`, by their path in it.
fn below(directory: &Path) -> Vec<String> {
    let found = files(directory);
    let mut names: Vec<String> =
        found.iter().map(|file| file.strip_prefix(directory).unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_packages_hold_what_make_installs() {
    let sandbox = Sandbox::new();
    let stage = sandbox.path("stage");
    let words = [
        "install-files".to_owned(),
        "PREFIX=/usr".to_owned(),
        format!("DESTDIR={}", stage.display()),
        format!("BINDIR={}", build_stand_ins(&sandbox).display()),
    ];
    let run = Run::new(&sandbox, &tools::tool("make"), words);
    run.current_dir(repository()).stdout_has("").stderr_has("").run();
    let manifest: toml::Table = fs::read_to_string(repository().join("Cargo.toml")).unwrap().parse().unwrap();
    let metadata = &manifest["package"]["metadata"];
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let deb = metadata["deb"]["assets"].as_array().unwrap();
    let deb: Vec<_> =
        deb.iter().map(|asset| (text(&asset[0]), format!("/{}", text(&asset[1])), text(&asset[2]))).collect();
    let rpm = metadata["generate-rpm"]["assets"].as_array().unwrap();
    let rpm: Vec<_> = rpm
        .iter()
        .map(|asset| (text(&asset["source"]), text(&asset["dest"]), text(&asset["mode"])))
        .collect();
    for (stage_of, assets) in [("deb", deb), ("rpm", rpm)] {
        for name in below(&stage) {
            let matching: Vec<_> =
                assets.iter().filter(|(source, ..)| covers(source, stage_of, &name)).collect();
            let [(source, target, mode)] = matching[..] else { panic!("{name} in {stage_of}: {matching:?}") };
            let directory = source.split(['*', '[']).next().unwrap();
            let directory = directory.strip_prefix(&format!("target/dist/stage/{stage_of}")).unwrap();
            assert_eq!(directory, target, "{source}");
            let file = stage.join(&name);
            let is_program = file.metadata().unwrap().permissions().mode() & 0o111 != 0;
            assert_eq!(mode, if is_program { "755" } else { "644" }, "{name} in {stage_of}");
        }
    }
}

/// Returns true if the pattern `source` of a package stands for the file `name` of its stage.
fn covers(source: &str, stage: &str, name: &str) -> bool {
    let pattern = source.strip_prefix(&format!("target/dist/stage/{stage}/")).unwrap();
    if let Some((directory, rest)) = pattern.split_once("[!") {
        let letters = rest.strip_suffix("]*/**/*").unwrap();
        let rest = name.strip_prefix(directory);
        return rest.is_some_and(|rest| {
            rest.contains('/') && !rest.starts_with(|first: char| letters.contains(first))
        });
    }
    let (directory, names) = pattern.split_once('*').unwrap();
    let rest = name.strip_prefix(directory);
    rest.is_some_and(|rest| rest.split('/').count() == names.matches('*').count() + 1)
}

#[test]
fn a_release_has_no_placeholder_and_its_checksums_are_right() {
    let sandbox = Sandbox::new();
    let dist = release(&sandbox, "https://example.org/v1");
    let run = Run::new(&sandbox, &tools::tool("sha256sum"), ["--check", "--strict", "SHA256SUMS"]);
    let run = run.current_dir(&dist).stdout_has(format!("{}: OK\n", archive("xz")));
    let checked = run.stdout_has(format!("{}: OK\n", archive("gz"))).run().stdout;
    for name in ["install.sh", "soong.rb", "PKGBUILD"] {
        assert!(checked.contains(&format!("{name}: OK\n")), "{checked}");
        let text = fs::read_to_string(dist.join(name)).unwrap();
        assert!(text.contains("https://example.org/v1"), "{text}");
        // dist.sh fails for a placeholder that it does not know.
        assert!(!text.contains("@RELEASE_URL@") && !text.contains("@VERSION@"), "{text}");
    }
    let sums = fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    let source = format!("soong-{}.tar.gz", env!("CARGO_PKG_VERSION"));
    let sum = sums.lines().find_map(|line| line.strip_suffix(&format!("  {source}"))).unwrap();
    for name in ["soong.rb", "PKGBUILD"] {
        assert!(fs::read_to_string(dist.join(name)).unwrap().contains(sum), "{name}");
    }
    let name = archive("gz").replace(".tar.gz", "/share/doc/soong/docs/installation.md");
    let words = ["-xOf", dist.join(archive("gz")).to_str().unwrap(), &name].map(str::to_owned);
    let run = Run::new(&sandbox, &tools::tool("tar"), words);
    let page =
        run.stdout_has("https://github.com/kim/soong/releases/latest/download/install.sh").run().stdout;
    assert!(
        page.contains("--repo kim/soong ") && !page.contains("RELEASES") && !page.contains("OWNER"),
        "{page}"
    );
    // The same commit gives the same bytes.
    let archives = || ["xz", "gz"].map(|kind| fs::read(dist.join(archive(kind))).unwrap());
    let first = archives();
    release(&sandbox, "https://example.org/v1");
    assert!(archives() == first);
}

#[test]
fn cargo_binstall_finds_the_archive_and_the_programs_in_it() {
    let sandbox = Sandbox::new();
    let dist = release(&sandbox, "https://example.org/v1");
    let words = ["--list", "--file", dist.join(archive("xz")).to_str().unwrap()].map(str::to_owned);
    let files = Run::new(&sandbox, &tools::tool("tar"), words).stdout_has("").run().stdout;
    let manifest: toml::Table = fs::read_to_string(repository().join("Cargo.toml")).unwrap().parse().unwrap();
    let metadata = &manifest["package"]["metadata"]["binstall"];
    let expand = |key: &str, bin: &str| {
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let values = [("{ repo }", "R"), ("{ version }", env!("CARGO_PKG_VERSION")), ("{ target }", &target)];
        let values = values.into_iter().chain([("{ bin }", bin)]);
        values
            .fold(metadata[key].as_str().unwrap().to_owned(), |text, (name, value)| text.replace(name, value))
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(expand("pkg-url", ""), format!("R/releases/download/v{version}/{}", archive("xz")));
    for bin in manifest["bin"].as_array().unwrap() {
        let file = expand("bin-dir", bin["name"].as_str().unwrap());
        assert!(files.lines().any(|name| name == file), "{file} in {files}");
    }
}

#[test]
fn the_changelog_has_the_version_to_release() {
    let changelog = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let heading = format!("\n## [{}]", env!("CARGO_PKG_VERSION"));
    assert!(changelog.contains(&heading), "CHANGELOG.md has no heading{heading}");
}

/// Copies the scripts, and the files that name the version, into `copy` of the sandbox.
fn copy_versioned_files(sandbox: &Sandbox) -> PathBuf {
    let copy = sandbox.path("copy");
    let single = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "crates/soong-statusd/Cargo.toml",
        "docs/installation.md",
        "tests/generated/man/roff.rs",
    ];
    let single = single.map(|name| repository().join(name)).into_iter();
    for file in single.chain(["man", "packaging"].iter().flat_map(|name| files(&repository().join(name)))) {
        let name = file.strip_prefix(repository()).unwrap();
        sandbox.write(&copy.join(name), fs::read_to_string(&file).unwrap());
    }
    copy
}

#[test]
fn one_command_sets_the_version_of_a_release_everywhere() {
    let sandbox = Sandbox::new();
    let copy = copy_versioned_files(&sandbox);
    let script = |name: &str, version: &str| {
        let file = copy.join("packaging").join(name).to_str().unwrap().to_owned();
        Run::new(&sandbox, &tools::tool("sh"), [file, version.to_owned()])
    };
    let changelog = |text: &str| sandbox.write(&copy.join("CHANGELOG.md"), text);
    changelog("# Changelog\n\n## [0.0.1] - 2026-01-01\n\n- Old.\n");
    script("set-version.sh", "9.8.7").code(1).stderr_has("no heading '## [Unreleased]'").run();
    changelog("# Changelog\n\n## [Unreleased]\n\n- New.\n\n## [0.0.1] - 2026-01-01\n\n- Old.\n");
    script("set-version.sh", "9.8").code(1).stderr_has("usage: set-version.sh MAJOR.MINOR.PATCH").run();
    script("set-version.sh", "9.8.7").stdout_has(" -> 9.8.7. Next: make test").run();
    script("check-version.sh", "v9.8.7").run();
    assert_eq!(fs::read_to_string(copy.join("target/release-notes.md")).unwrap().trim(), "- New.");
    // Each file of another version is found.
    for name in
        ["Cargo.toml", "Cargo.lock", "crates/soong-statusd/Cargo.toml", "man/soong.1", "docs/installation.md"]
    {
        let file = copy.join(name);
        let new = fs::read_to_string(&file).unwrap();
        sandbox.write(&file, fs::read_to_string(repository().join(name)).unwrap());
        let run = script("check-version.sh", "v9.8.7").code(1);
        run.stderr_has(format!("check-version: {name} ")).stderr_has("set-version.sh 9.8.7\n").run();
        sandbox.write(&file, new);
    }
    script("check-version.sh", "v9.8.7").run();
}

#[test]
fn the_installer_installs_upgrades_and_removes() {
    let sandbox = Sandbox::new();
    let directory = Arc::new(Mutex::new(PathBuf::new()));
    let server = serve(Arc::clone(&directory), |bytes| bytes);
    let dist = release(&sandbox, &server.url());
    directory.lock().unwrap().clone_from(&dist);
    let installed = sandbox.path("home/.local");
    installer(&sandbox, &dist, &[])
        .stdout_has("Installed soong ")
        .stdout_has("export PATH=")
        .stdout_has("/bin/soong init --install\n")
        .stdout_has("/bin/soong configure\n")
        .run();
    let soong = installed.join("bin/soong");
    Run::new(&sandbox, &soong, [""; 0]).stdout("soong 1\n").run();
    let first = below(&installed);
    for name in ["lib/soong/soong-statusd", "share/man/man1/soong.1", "share/soong/shell/soong.bash"] {
        assert!(first.iter().any(|file| file == name), "{name}: {first:?}");
    }
    // A file of an old version goes with the upgrade; the user's own stay.
    let list = installed.join("share/soong/installed-files");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text + "share/soong/old/file\n").unwrap();
    sandbox.write(&installed.join("share/soong/old/file"), "");
    sandbox.write(&installed.join("share/soong/own"), "");
    let path = format!("{}:{}", installed.join("bin").display(), tools::system_path().display());
    let again = installer(&sandbox, &dist, &["--prefix", installed.to_str().unwrap()]).env("PATH", path);
    again.stdout_has("  Completion and prompt:  soong init --install\n").run();
    assert_eq!(below(&installed), {
        let mut expected = first.clone();
        expected.push("share/soong/own".to_owned());
        expected.sort();
        expected
    });
    installer(&sandbox, &dist, &["--uninstall"]).stdout_has("Removed soong from ").run();
    assert_eq!(below(&installed), ["share/soong/own"]);
    assert!(!installed.join("bin").exists() && !installed.join("share/man").exists());
    installer(&sandbox, &dist, &["--uninstall"]).code(1).stderr_has("no soong from install.sh in ").run();
    assert_eq!(server.count(&format!("GET /{}", archive("xz"))), 2);
}

#[test]
fn the_installer_needs_no_xz() {
    let sandbox = Sandbox::new();
    let directory = Arc::new(Mutex::new(PathBuf::new()));
    let server = serve(Arc::clone(&directory), |bytes| bytes);
    let dist = release(&sandbox, &server.url());
    directory.lock().unwrap().clone_from(&dist);
    let path = sandbox.path("few-tools");
    fs::create_dir(&path).unwrap();
    let tools =
        "cat cp curl cut dirname find grep gzip mkdir mktemp mv rm rmdir sed sha256sum sort tar uname";
    for name in tools.split(' ') {
        std::os::unix::fs::symlink(tools::tool(name), path.join(name)).unwrap();
    }
    installer(&sandbox, &dist, &[]).env("PATH", path).stdout_has("Installed soong ").run();
    let soong = sandbox.path("home/.local/bin/soong");
    Run::new(&sandbox, &soong, [""; 0]).stdout("soong 1\n").run();
    assert_eq!(server.count(&format!("GET /{}", archive("gz"))), 1);
    assert_eq!(server.count(&format!("GET /{}", archive("xz"))), 0);
}

#[test]
fn the_installer_installs_nothing_that_is_not_of_the_release() {
    let sandbox = Sandbox::new();
    let dist = release(&sandbox, "http://127.0.0.1:1");
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let other = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let directory = Arc::new(Mutex::new(dist.clone()));
    for change in [cut as fn(Vec<u8>) -> Vec<u8>, other] {
        let server = serve(Arc::clone(&directory), change);
        let run = installer(&sandbox, &dist, &[]).env("SOONG_RELEASE_URL", server.url());
        run.code(1).stderr_has("the checksum of ").stderr_has("nothing was installed").run();
    }
    let server = serve(Arc::new(Mutex::new(sandbox.path("nowhere"))), |bytes| bytes);
    let run = installer(&sandbox, &dist, &[]).env("SOONG_RELEASE_URL", server.url());
    run.code(1).stderr_has("cannot download http://127.0.0.1:").run();
    let text = fs::read_to_string(dist.join("install.sh")).unwrap();
    // Of a script that was cut off, nothing runs: its last line does everything.
    let lines: Vec<&str> = text.lines().collect();
    fs::write(dist.join("install.sh"), lines[..lines.len() - 1].join("\n")).unwrap();
    installer(&sandbox, &dist, &[]).run();
    let foreign = text.replace(&format!("-{}-unknown", std::env::consts::ARCH), "-riscv64-unknown");
    fs::write(dist.join("install.sh"), foreign).unwrap();
    let run = installer(&sandbox, &dist, &[]).code(1).stderr_has("install.sh: no programs for Linux on ");
    run.stderr_has("hint: build them: ").run();
    for name in ["bin", "lib", "share/soong"] {
        assert!(!sandbox.path("home/.local").join(name).exists(), "{name}");
    }
}
