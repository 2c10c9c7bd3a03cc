//! `CONTRIBUTING.md`: the table of dependencies.

use std::fs;

use super::path;

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
