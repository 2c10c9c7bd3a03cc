//! `Cargo.toml`: the Debian package, whose list has to name all files there are, and the dependencies.

use std::fs;

use super::{path, programs};

/// Returns the sources of the package's files and their targets.
fn assets() -> Vec<(String, String)> {
    let manifest: toml::Table = fs::read_to_string(path("Cargo.toml")).unwrap().parse().unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    assets
        .iter()
        .map(|asset| (asset[0].as_str().unwrap().to_owned(), asset[1].as_str().unwrap().to_owned()))
        .collect()
}

/// Returns true if the package puts `source` at `target`. A pattern may cover `source`.
fn takes(source: &str, target: &str) -> bool {
    assets().iter().any(|(from, to)| {
        let covered = match from.split_once('*') {
            Some((before, after)) => source.starts_with(before) && source.ends_with(after),
            None => source == from,
        };
        let name = source.rsplit('/').next().unwrap();
        covered && (to == target || to.ends_with('/') && format!("{to}{name}") == target)
    })
}

fn files(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(path(directory)).unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn every_program_is_packaged() {
    let sources = files("src/bin");
    let programs: Vec<&str> = sources.iter().filter_map(|name| name.strip_suffix(".rs")).collect();
    assert!(programs.contains(&"soong"));
    for name in programs {
        assert!(takes(&format!("target/release/{name}"), &format!("usr/bin/{name}")), "{name}");
    }
    // Where soong daemon install looks for the program for instances.
    assert!(takes("target/release/soong-statusd", "usr/lib/soong/soong-statusd"));
}

#[test]
fn every_program_completes_where_the_package_is_installed() {
    assert!(takes("completions/_soong", "usr/share/zsh/vendor-completions/_soong"));
    for name in programs() {
        let bash = format!("usr/share/bash-completion/completions/{name}");
        assert!(takes("completions/soong.bash", &bash), "{bash}");
        let fish = format!("usr/share/fish/vendor_completions.d/{name}.fish");
        assert!(takes("completions/soong.fish", &fish), "{fish}");
    }
}

#[test]
fn every_page_and_example_is_packaged() {
    for name in files("man") {
        let section = name.rsplit('.').next().unwrap();
        assert!(takes(&format!("man/{name}"), &format!("usr/share/man/man{section}/{name}")), "{name}");
    }
    for name in files("docs") {
        assert!(takes(&format!("docs/{name}"), &format!("usr/share/doc/soong/docs/{name}")), "{name}");
    }
    for name in files("examples").into_iter().filter(|name| name.starts_with("soong-")) {
        assert!(
            takes(&format!("examples/{name}"), &format!("usr/share/doc/soong/examples/{name}")),
            "{name}"
        );
    }
}

#[test]
fn nothing_is_packaged_that_is_not_there() {
    for (source, _) in assets() {
        let built = source.strip_prefix("target/release/").map(|name| match name {
            "soong-statusd" => "crates/soong-statusd/src/main.rs".to_owned(),
            name => format!("src/bin/{name}.rs"),
        });
        let there = match source.split_once('*') {
            Some((directory, ending)) => files(directory).iter().any(|name| name.ends_with(ending)),
            None => path(&built.unwrap_or(source.clone())).is_file(),
        };
        assert!(there, "{source}");
    }
}

#[test]
fn contributing_says_what_each_dependency_is_for() {
    let manifest: toml::Table = fs::read_to_string(path("Cargo.toml")).unwrap().parse().unwrap();
    let text = fs::read_to_string(path("CONTRIBUTING.md")).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    for name in manifest["dependencies"].as_table().unwrap().keys() {
        let cell = format!("`{name}`");
        assert!(rows.iter().any(|row| row.split('|').nth(1).unwrap().contains(&cell)), "{name}");
    }
}
