//! `docs/prompts.svg`: what each shell shows of tunnels, drawn from what it does show.

use std::fmt::Write as _;
use std::path::Path;

use super::hooks::{SHELLS, Shell, now};
use super::screen::Screen;
use crate::support::sandbox::Sandbox;

const COLUMNS: u16 = 64;
/// Size of a character and of a line.
const CELL: (usize, usize) = (8, 22);

/// States of tunnels, each with its name and the seconds that its lease has left.
const STATES: [&[(&str, &str, Option<u64>)]; 8] = [
    &[("up", "dev", None)],
    &[("idle", "dev", None)],
    &[("up", "dev", Some(10 * 60 + 45))],
    &[("reconnecting", "dev", None)],
    &[("failed", "dev", None)],
    &[("up", "dev", None), ("failed", "training", None)],
    &[("up", "llama-70b-fi..ment-3", None), ("up", "llama-70b-fi..ment-4", None), ("up", "dev", None)],
    &[],
];

/// The last line of the screen for each of the states, with the sequences that set colours.
fn lines(shell: &Shell) -> Vec<String> {
    let sandbox = Sandbox::new();
    let prompt = match shell.name {
        "bash" => "PS1='~/work $ '\n",
        "zsh" => "PROMPT='~/work %% '\n",
        _ => "function fish_prompt; echo -n '~/work> '; end\n",
    };
    sandbox.write(&sandbox.path("setup"), prompt.to_owned() + &shell.load());
    let command = shell.run(&sandbox, &[]).command();
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let screen = Screen::open(&sandbox, COLUMNS, &format!("LC_ALL=C.UTF-8 exec {}", words.join(" ")));
    screen.keys(&format!(". '{}'", sandbox.path("setup").display()));
    screen.keys("Enter");
    let shown = STATES.iter().enumerate().map(|(step, tunnels)| {
        let line = |(state, name, lease): &(&str, &str, Option<u64>)| {
            let end = lease.map_or_else(|| "-".to_owned(), |left| (now() + left).to_string());
            format!("soong2 {} {} 75 {state} {name} {end} 8000 {name}\n", std::process::id(), now() + 70)
        };
        sandbox.write(&sandbox.path("run/soong/prompt"), tunnels.iter().map(line).collect::<String>());
        screen.keys(&format!("clear; echo step''{step}"));
        screen.keys("Enter");
        let symbol = ["⇄", "◦", "⇄", "↻", "✗", "✗", "⇄", "~/work"][step];
        screen.wait_until("the prompt", |text| {
            text.starts_with(&format!("step{step}\n")) && text.contains("~/work") && text.contains(symbol)
        });
        screen.tmux(["capture-pane", "-e", "-p"]).lines().nth(1).unwrap().to_owned()
    });
    shown.collect()
}

/// `line` as SVG: coloured parts, each at its place.
fn drawn(line: &str, row: usize) -> String {
    let (mut svg, mut column, mut color) = (String::new(), 0, "#c8c8c8");
    for (index, part) in line.split('\x1b').enumerate() {
        let text = match part.strip_prefix('[').and_then(|rest| rest.split_once('m')).filter(|_| index > 0) {
            Some((codes, text)) => {
                color = match codes.rsplit(';').next() {
                    Some("2") => "#7c7f80",
                    Some("31") => "#f2777a",
                    Some("32") => "#6fc36f",
                    Some("33") => "#e5c14b",
                    _ => "#c8c8c8",
                };
                text
            }
            None => part,
        };
        let blank = text.chars().take_while(|c| *c == ' ').count();
        let shown = text.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        if !shown.is_empty() {
            let (x, y) = (12 + (column + blank) * CELL.0, row * CELL.1);
            writeln!(svg, r#"<text x="{x}" y="{y}" fill="{color}">{shown}</text>"#).unwrap();
        }
        column += text.chars().count();
    }
    svg
}

#[test]
fn the_page_of_pictures_is_what_the_shells_show() {
    let mut body = String::new();
    let mut row = 0;
    for shell in &SHELLS {
        row += 1;
        writeln!(body, r##"<text x="12" y="{}" fill="#7f9fbf">{}</text>"##, row * CELL.1, shell.name)
            .unwrap();
        for line in lines(shell) {
            row += 1;
            body += &drawn(&line, row);
        }
    }
    let (width, height) = (usize::from(COLUMNS) * CELL.0 + 24, (row + 1) * CELL.1);
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#1d1f21\"/>\n{body}</svg>\n"
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/prompts.svg");
    if std::env::var_os("SOONG_GENERATE").is_some() {
        std::fs::write(&file, &svg).unwrap();
    }
    let drawn = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(drawn, svg, "docs/prompts.svg is stale: SOONG_GENERATE=1 cargo test --test it -- pictures");
}
