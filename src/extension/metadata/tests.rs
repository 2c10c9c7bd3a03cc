use std::fs::{create_dir_all, write};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::*;

/// Creates a prefix with `bin/soong-x`.
fn installed(program: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let prefix = tempfile::tempdir().unwrap();
    let file = prefix.path().join("bin/soong-x");
    create_dir_all(file.parent().unwrap()).unwrap();
    write(&file, program).unwrap();
    (prefix, file)
}

fn read_of(program: impl AsRef<[u8]>) -> Metadata {
    let (_prefix, file) = installed(program);
    Metadata::read("x", &file)
}

fn put(prefix: &TempDir, path: &str, text: impl AsRef<[u8]>) {
    let file = prefix.path().join("share").join(path);
    create_dir_all(file.parent().unwrap()).unwrap();
    write(file, text).unwrap();
}

#[allow(clippy::unnecessary_wraps, reason = "compared with what may be none")]
fn summary(text: &str, origin: Origin) -> Option<(String, Origin)> {
    Some((text.to_owned(), origin))
}

#[test]
fn comments_of_many_languages_are_read() {
    for sign in ["#", "##", "//", "--", ";", ";;", "  # ", "//\t"] {
        let metadata =
            read_of(format!("#!/x\n\n{sign} soong:summary:  Say hello \n{sign}soong:complete: soong\r\n"));
        assert_eq!(metadata.summary, summary("Say hello", Origin::Header), "{sign}");
        assert_eq!(metadata.completion, Some((Completion::Soong, Origin::Header)), "{sign}");
        assert!(metadata.faults.is_empty(), "{:?}", metadata.faults);
    }
}

#[test]
fn what_is_no_comment_says_nothing() {
    for text in [
        "soong:summary: x",
        "echo '# soong:summary: x'",
        "# see soong:summary: x",
        "/* soong:summary: x */",
        "",
    ] {
        assert_eq!(read_of(format!("#!/bin/sh\n{text}\n")), Metadata::default(), "{text}");
    }
}

#[test]
fn only_the_top_of_a_script_is_read() {
    let line = "# soong:summary: far down\n";
    let filler = |size: usize| format!("#!/bin/sh\n{}\n", "#".repeat(size - 11));
    assert_eq!(read_of(filler(HEADER_SIZE) + line).summary, None);
    // An incomplete line could have another meaning.
    assert_eq!(read_of(filler(HEADER_SIZE - 20) + line).summary, None);
    assert!(read_of(filler(HEADER_SIZE - 80) + line).summary.is_some());
}

#[test]
fn malformed_entries_are_told_and_passed_over() {
    for (line, fault) in [
        ("complete: zsh", "complete in its header is \"zsh\""),
        ("sumary: x", "\"sumary\""),
        ("summary:", "empty summary"),
        ("man: ../x", "not a page name"),
        ("summary: a\n# soong:summary: b", "appears twice"),
    ] {
        let metadata = read_of(format!("#!/bin/sh\n# soong:{line}\n"));
        assert_eq!(metadata.faults.len(), 1, "{metadata:?}");
        assert!(metadata.faults[0].contains(fault), "{:?}", metadata.faults);
        assert_eq!(metadata.kind(), Completion::Shell);
    }
}

#[test]
fn what_is_shown_is_short_and_harmless() {
    let metadata = read_of(b"#!/bin/sh\n# soong:summary: \x1b[2J\xff\x07 a\n# soong:complete: \x1b[2J\n");
    let (text, _) = metadata.summary.unwrap();
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(!metadata.faults[0].chars().any(char::is_control), "{:?}", metadata.faults);
    let metadata = read_of(format!("# soong:summary: {}\n", "x".repeat(1000)));
    assert_eq!(metadata.summary.unwrap().0.chars().count(), SUMMARY_MAX + 1);
}

#[test]
fn a_sidecar_comes_first_and_the_manual_last() {
    let (prefix, file) = installed("#!/bin/sh\n# soong:complete: none\n");
    put(&prefix, "man/man1/soong-x.1", ".SH NAME\nsoong-x \\- from the page\n");
    let read = || Metadata::read("x", &file);
    assert_eq!(read().summary, summary("from the page", Origin::Manual));
    put(&prefix, "soong/extensions/x.toml", "summary = 'from the sidecar'\n");
    assert_eq!(read().summary, summary("from the sidecar", Origin::Sidecar));
    // The header supplies what the sidecar lacks.
    assert_eq!(read().completion, Some((Completion::None, Origin::Header)));
    for (text, fault) in [
        ("summary = 1", "summary is not text"),
        ("summary =", "not valid TOML"),
        ("summary = 'ok'\nother = 'x'", "\"other\""),
        (&"#".repeat(20_000), "16 KiB"),
    ] {
        put(&prefix, "soong/extensions/x.toml", text);
        let metadata = read();
        assert!(metadata.faults.iter().any(|told| told.contains(fault)), "{:?}", metadata.faults);
    }
}

#[test]
fn a_compressed_page_is_read_without_unpacking_all_of_it() {
    let (prefix, file) = installed("#!/bin/sh\n# soong:man: other\n");
    let page = format!(".SH NAME\nother \\- packed\n.SH REST\n{}", "x\n".repeat(10_000_000));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(page.as_bytes()).unwrap();
    put(&prefix, "man/man1/other.1.gz", packed.finish().unwrap());
    let metadata = Metadata::read("x", &file);
    assert_eq!(metadata.summary, summary("packed", Origin::Manual));
    assert_eq!(metadata.manual.as_deref(), Some("other"));
    put(&prefix, "man/man1/other.1.gz", "no gzip at all");
    assert_eq!(Metadata::read("x", &file).summary, None);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let (prefix, file) = installed("");
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let sidecar = prefix.path().join("share/soong/extensions/x.toml");
    create_dir_all(&sidecar).unwrap();
    let metadata = Metadata::read("x", &file);
    assert_eq!(metadata.summary, None);
    assert_eq!(metadata.faults.len(), 2, "{:?}", metadata.faults);
}

/// Returns a little-endian 64-bit ELF file with these segments: type, bytes.
fn elf(segments: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
    file.resize(64, 0);
    file[32..40].copy_from_slice(&64u64.to_le_bytes());
    file[54..56].copy_from_slice(&56u16.to_le_bytes());
    file[56..58].copy_from_slice(&u16::try_from(segments.len()).unwrap().to_le_bytes());
    let mut at = 64 + 56 * segments.len() as u64;
    for (kind, bytes) in segments {
        let mut entry = vec![0; 56];
        entry[..4].copy_from_slice(&kind.to_le_bytes());
        entry[8..16].copy_from_slice(&at.to_le_bytes());
        entry[32..40].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        file.extend(entry);
        at += bytes.len() as u64;
    }
    for (_, bytes) in segments {
        file.extend(bytes);
    }
    file
}

fn elf_note(owner: &[u8], text: &[u8]) -> Vec<u8> {
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let mut note = [size(owner).as_slice(), &size(text), &[1, 0, 0, 0]].concat();
    for bytes in [owner, text] {
        note.extend(bytes);
        note.resize(note.len().next_multiple_of(4), 0);
    }
    note
}

#[test]
fn a_note_in_elf_is_found_among_others() {
    let notes = [elf_note(b"GNU\0", &[7; 20]), elf_note(b"soong\0", b"summary: Say hello\ncomplete: clap\n")]
        .concat();
    let file = elf(&[(1, vec![0; 100]), (4, elf_note(b"Go\0\0", b"x")), (4, notes)]);
    let metadata = read_of(&file);
    assert_eq!(metadata.summary, summary("Say hello", Origin::Note));
    assert_eq!(metadata.kind(), Completion::Clap);
    assert_eq!(read_of(elf(&[(4, elf_note(b"GNU\0", b"x"))])), Metadata::default());
}

#[test]
fn a_note_in_macho_is_found() {
    let text = b"summary: Say hello\n";
    let mut segment = vec![0; 72 + 80];
    segment[..4].copy_from_slice(&0x19u32.to_le_bytes());
    segment[4..8].copy_from_slice(&152u32.to_le_bytes());
    segment[72..79].copy_from_slice(b"__soong");
    segment[112..120].copy_from_slice(&(text.len() as u64).to_le_bytes());
    segment[120..124].copy_from_slice(&(32u32 + 16 + 152).to_le_bytes());
    let mut file = vec![0xcf, 0xfa, 0xed, 0xfe];
    file.resize(32, 0);
    file[16..20].copy_from_slice(&2u32.to_le_bytes());
    file[20..24].copy_from_slice(&(16u32 + 152).to_le_bytes());
    file.extend([0x1b, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    file.extend(segment);
    file.extend(text);
    assert_eq!(read_of(&file).summary, summary("Say hello", Origin::Note));
    // The same for several architectures in one file.
    let mut fat = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1];
    fat.resize(8 + 20, 0);
    fat[16..20].copy_from_slice(&28u32.to_be_bytes());
    fat.extend(file);
    assert_eq!(read_of(&fat).summary, summary("Say hello", Origin::Note));
}

soong_extension::note! {
    summary: "The tests of soong",
    man: "soong",
}

#[test]
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn the_note_of_the_macro_survives_the_linker() {
    let metadata = Metadata::read("x", &std::env::current_exe().unwrap());
    assert_eq!(metadata.summary, summary("The tests of soong", Origin::Note));
    assert_eq!(metadata.manual.as_deref(), Some("soong"));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    /// Any file content ends the reading, and none of it controls the terminal.
    #[test]
    fn no_file_does_harm(
        start in proptest::sample::select(vec![
            b"\x7fELF\x02\x01".to_vec(), b"\x7fELF\x01\x02".to_vec(), vec![0xcf, 0xfa, 0xed, 0xfe],
            vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 9], b"# soong:summary: ".to_vec(), Vec::new(),
        ]),
        rest in proptest::collection::vec(proptest::num::u8::ANY, 0..600),
        places in proptest::collection::vec((0usize..600, 0u8..64), 0..40),
    ) {
        let mut bytes = [start, rest].concat();
        for (place, small) in places {
            if let Some(byte) = bytes.get_mut(6 + place) {
                *byte = small;
            }
        }
        let metadata = read_of(&bytes);
        let texts = metadata.summary.iter().map(|(text, _)| text).chain(&metadata.faults);
        for text in texts {
            proptest::prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
        }
    }
}
