//! `edit`: the user's editor, and what comes of it. `sed -i` is as good an editor as any.

use std::fs;
use std::path::PathBuf;

use super::{WITH_CARE, home};
use crate::support::run::Run;
use crate::support::sandbox::Sandbox;
use crate::support::terminal::Terminal;

fn edit<'a>(sandbox: &'a Sandbox, editor: &str) -> Run<'a> {
    sandbox.conf(["edit"]).env("EDITOR", editor)
}

/// The drafts that were kept.
fn drafts(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut files = sandbox.files();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with("config-"));
    files
}

#[test]
fn what_was_edited_takes_the_place_of_the_config() {
    let sandbox = home(WITH_CARE);
    edit(&sandbox, "sed -i 's/  22 #/  2222 #/'").run();
    assert_eq!(sandbox.config_text(), WITH_CARE.replace("  22 #", "  2222 #"));
    edit(&sandbox, "true").stderr("no changes\n").run();
    edit(&sandbox, "sed -i s/2222/22/").env("VISUAL", "true").stderr("no changes\n").run();
    assert!(drafts(&sandbox).is_empty());
}

#[test]
fn what_cannot_be_read_is_kept_and_not_put_in_place() {
    let sandbox = home(WITH_CARE);
    edit(&sandbox, "sed -i 's/  22 #/ \"abc\" #/'")
        .fails(1, ["line 8: ssh.port: expected a port"])
        .hint("your version is kept in [ROOT]")
        .run();
    assert_eq!(sandbox.config_text(), WITH_CARE);
    let [draft] = drafts(&sandbox).try_into().unwrap();
    assert!(fs::read_to_string(draft).unwrap().contains("\"abc\""));
}

#[test]
fn an_editor_that_fails_or_is_not_there_changes_nothing() {
    let sandbox = home(WITH_CARE);
    edit(&sandbox, "false").fails(1, ["false failed"]).run();
    edit(&sandbox, "no-such-editor --wait").fails(127, ["no-such-editor is not installed"]).run();
    edit(&sandbox, "'").fails(1, ["cannot parse EDITOR"]).run();
    assert_eq!(sandbox.config_text(), WITH_CARE);
}

#[test]
fn a_change_that_was_made_meanwhile_is_not_lost() {
    let sandbox = home(WITH_CARE);
    let soong = env!("CARGO_BIN_EXE_soong");
    let script = format!("'{soong}' configure set ssh.user other && sed -i 's/  22 #/  2222 #/' \"$1\"");
    let editor = shell_words::join(["sh", "-c", &script, "editor"]);
    edit(&sandbox, &editor).fails(1, ["another command changed the config"]).hint("is kept in").run();
    assert_eq!(sandbox.config_text(), WITH_CARE.replace("\"me\"", "\"other\""));
}

#[test]
fn in_a_terminal_a_mistake_can_be_mended_at_once() {
    let sandbox = home("[ssh]\nport = 22\n");
    // The first time it breaks the file, the second time it mends it.
    let script = "if grep -q abc \"$1\"; then sed -i s/abc/2222/ \"$1\"; else sed -i s/22/abc/ \"$1\"; fi";
    let editor = shell_words::join(["sh", "-c", script, "editor"]);
    let mut terminal = Terminal::run(&edit(&sandbox, &editor), 24, 100);
    terminal.wait_for("Edit it again? [Y/n] ");
    assert_eq!(sandbox.config_text(), "[ssh]\nport = 22\n");
    terminal.type_text("y\r");
    assert_eq!(terminal.finish(), 0, "{}", terminal.screen());
    assert_eq!(sandbox.config_text(), "[ssh]\nport = 2222\n");
}
