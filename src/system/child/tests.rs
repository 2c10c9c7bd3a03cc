use crate::system::child::*;

const LIMITS: Limits = Limits { time: Duration::from_secs(20), output: 1 << 20 };

fn sh(script: &str, limits: Limits) -> Result<Outcome, Fault> {
    run(Command::new("sh").args(["-c", script]), limits, &watch())
}

/// The tests of one process share its signals; these tests need none.
fn watch() -> Watch {
    Watch::new().unwrap()
}

#[test]
fn output_complaint_and_status_are_brought_back() {
    let outcome = sh("echo out; echo err >&2; exit 7", LIMITS).unwrap();
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_str()), (&b"out\n"[..], "err\n"));
    assert_eq!(outcome.status.code(), Some(7));
}

#[test]
fn input_is_written_in_full_whether_it_is_read_or_not() {
    let sh = |script: &str, input: Vec<u8>| {
        run_with(Command::new("sh").args(["-c", script]), Some(input), LIMITS, &watch()).unwrap()
    };
    // More than a pipe holds.
    assert_eq!(sh("wc -c", vec![b'x'; 1 << 20]).stdout.trim_ascii(), b"1048576");
    assert_eq!(sh("echo unread", vec![b'x'; 1 << 20]).stdout, b"unread\n");
    assert_eq!(sh("cat", Vec::new()).stdout, b"");
}

#[test]
fn what_hangs_is_ended_with_all_it_started() {
    let begun = Instant::now();
    let short = Limits { time: Duration::from_millis(200), ..LIMITS };
    let fault = sh("echo why >&2; trap '' TERM; sleep 600 & wait; sleep 600", short).unwrap_err();
    assert!(matches!(&fault, Fault::TooLong(said) if said == "why\n"), "{fault:?}");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_child_left_behind_does_not_hold_things_up() {
    let begun = Instant::now();
    let outcome = sh("sleep 600 & echo done", LIMITS).unwrap();
    assert_eq!(outcome.stdout, b"done\n");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_flood_is_cut_off_and_complaints_are_clipped() {
    assert!(matches!(sh("yes", LIMITS), Err(Fault::TooMuch)));
    let outcome = sh("head -c 1000000 /dev/zero >&2", LIMITS).unwrap();
    assert_eq!(outcome.stderr.len(), COMPLAINT_MAX);
}

#[test]
fn there_is_no_terminal_and_no_line_for_the_interpreter_is_needed() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    let text = "if (: >/dev/tty) 2>/dev/null; then echo terminal; else echo none; fi\n";
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = run(&mut Command::new(&script), LIMITS, &watch()).unwrap();
    assert_eq!(outcome.stdout, b"none\n");
}

#[test]
fn what_cannot_be_started_says_so() {
    let fault = run(&mut Command::new("/nonexistent"), LIMITS, &watch()).unwrap_err();
    assert_eq!(fault.to_string(), "No such file or directory");
}
