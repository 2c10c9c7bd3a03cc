//! Import circles between files: none may exist.
//!
//! A file imports the file that defines the item a path leads to, behind re-exports. A file that declares a module
//! (`mod x;`) imports it. Tests are left out: they use what they test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{collect, usages};

/// Circles that are still to be broken: the beginnings of their files' names.
const KNOWN: &[&str] = &[];

/// Module paths of files, and what each re-exports: names and the paths behind them.
type Modules = BTreeMap<Vec<String>, BTreeMap<String, Vec<String>>>;
/// Names of files below `src`, and their texts.
type Sources<'a> = &'a [(&'a str, &'a str)];
/// The files that a file imports.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

#[test]
fn no_files_import_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let sources = files.iter().filter_map(|file| {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let is_test = name.ends_with("tests.rs") || name.starts_with("bin/");
        (!is_test).then(|| (name, fs::read_to_string(file).unwrap()))
    });
    let sources: Vec<(String, String)> = sources.collect();
    let imports = imports(&sources);
    let circles: Vec<String> =
        circles(&imports).iter().filter(|circle| !is_known(circle)).map(|circle| shown(circle)).collect();
    assert!(circles.is_empty(), "move what both need to a file of its own:\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let table: [(Sources, &[&str]); 6] = [
        (&[("a.rs", "use crate::b::B;"), ("b.rs", "use crate::a::A;")], &["a b"]),
        (&[("a/mod.rs", "mod b;\npub struct A;"), ("a/b.rs", "use super::A;")], &["a a::b"]),
        (
            &[
                ("a/mod.rs", "mod b;\nmod c;\npub use self::c::C;"),
                ("a/b.rs", "use super::C;"),
                ("a/c.rs", ""),
            ],
            &[],
        ),
        (&[("a/mod.rs", "mod b;\npub struct A;"), ("a/b.rs", "mod c {\n    use super::A;\n}")], &[]),
        (&[("a.rs", "use crate::b;\n#[cfg(test)]\nmod tests {\n"), ("b.rs", "// crate::a")], &[]),
        (
            &[
                ("a.rs", "fn f() { crate::b::f() }"),
                ("b.rs", "use crate::c::C;"),
                ("c.rs", "use super::a::A;"),
            ],
            &["a b c"],
        ),
    ];
    for (sources, expected) in table {
        let sources: Vec<(String, String)> =
            sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let found: Vec<String> = circles(&imports(&sources)).iter().map(|circle| shown(circle)).collect();
        assert_eq!(found, expected, "{sources:?}");
    }
}

fn is_known(circle: &[Vec<String>]) -> bool {
    let is_listed = |known: &str, module: &[String]| {
        let name = module.join("/") + "/";
        known.split(' ').any(|start| name.starts_with(start))
    };
    KNOWN.iter().any(|known| circle.iter().all(|module| is_listed(known, module)))
}

fn shown(circle: &[Vec<String>]) -> String {
    circle.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(" ")
}

/// Returns the imports of each file. `sources` are names below `src`, and texts.
fn imports(sources: &[(String, String)]) -> Imports {
    let mut modules = Modules::new();
    let mut used = Vec::new();
    for (name, text) in sources {
        let module = module_of(name);
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let code = with_absolute_paths(code, &module);
        let exports = modules.entry(module.clone()).or_default();
        // A re-export is followed where it is used; it does not count as an import.
        let is_export = |statement: &str| statement.trim_start().starts_with("pub use ");
        let (exported, own): (Vec<&str>, Vec<&str>) = code.split_inclusive(';').partition(|it| {
            it.lines().any(|line| is_export(line) || line.trim_start().starts_with("pub(crate) use "))
        });
        for usage in
            usages(name, &exported.concat().replace("self::", &format!("crate::{}::", module.join("::"))))
        {
            exports.extend(usage.path.last().cloned().map(|item| (item, usage.path.clone())));
        }
        let own = own.concat();
        let declared = own.split(';').filter_map(|statement| statement.trim_end().rsplit_once("mod "));
        let children = declared.map(|(_, name)| [module.as_slice(), &[name.to_owned()]].concat());
        let paths = usages(name, &own).into_iter().map(|usage| usage.path);
        used.push((module.clone(), children.chain(paths).collect::<Vec<_>>()));
    }
    let target = |path: &[String]| defining(path, &modules);
    let import = |(module, paths): (Vec<String>, Vec<Vec<String>>)| {
        let imported = paths.iter().filter_map(|path| target(path)).filter(|to| *to != module);
        let imported = imported.collect();
        (module, imported)
    };
    used.into_iter().map(import).collect()
}

/// Returns `code` with `super` replaced in modules that stand in braces, where it means the file itself.
fn with_absolute_paths(code: &str, module: &[String]) -> String {
    let own = format!("crate::{}::", module.join("::"));
    let mut is_inside = false;
    let line = |line: &str| {
        is_inside = match line {
            "}" => false,
            line => is_inside || line.trim_start_matches("pub ").starts_with("mod ") && line.ends_with('{'),
        };
        if is_inside { line.replace("super::", &own) + "\n" } else { line.to_owned() + "\n" }
    };
    code.lines().map(line).collect()
}

fn module_of(name: &str) -> Vec<String> {
    let mut module: Vec<String> = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    module
}

/// Returns the module of the file that defines what `path` leads to.
fn defining(path: &[String], modules: &Modules) -> Option<Vec<String>> {
    let length = (1..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let (module, rest) = path.split_at(length);
    let exported = rest.first().and_then(|item| modules[module].get(item));
    match exported.filter(|behind| *behind != path) {
        Some(behind) => defining(behind, modules),
        None => Some(module.to_vec()),
    }
}

/// Returns the circles, each with its files in alphabetical order: files that reach each other.
fn circles(imports: &Imports) -> Vec<Vec<Vec<String>>> {
    let reached: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> =
        imports.keys().map(|from| (from, reachable(from, imports))).collect();
    let mut circles = BTreeSet::new();
    for (from, reached_from) in &reached {
        let is_mutual = |to: &&&Vec<String>| reached.get(**to).is_some_and(|back| back.contains(from));
        let circle: Vec<Vec<String>> =
            reached_from.iter().filter(is_mutual).map(|module| (*module).clone()).collect();
        circles.extend((!circle.is_empty()).then_some(circle));
    }
    circles.into_iter().collect()
}

fn reachable<'a>(from: &Vec<String>, imports: &'a Imports) -> BTreeSet<&'a Vec<String>> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&Vec<String>> = imports.get(from).into_iter().flatten().collect();
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(imports.get(module).into_iter().flatten());
        }
    }
    found
}
