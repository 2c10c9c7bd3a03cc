//! Metadata for Rust extensions of soong.
//!
//! [`note!`] stores lines such as `summary: …` in a section of the program that linkers keep: `.note.soong`, an ELF
//! note with the owner `soong` and type 1, or `__TEXT,__soong` on macOS, which holds the text alone. soong reads it
//! without running the program.

#![no_std]

/// Bytes before owner and text in an ELF note: the sizes of both, and the type.
const HEAD: usize = 12;
/// `soong` with its terminating zero, padded to a multiple of four.
const OWNER: [u8; 8] = *b"soong\0\0\0";
/// Length with the terminating zero, without padding.
const OWNER_SIZE: u32 = 6;

/// Returns the size in bytes of the note that holds `text`.
#[doc(hidden)]
pub const fn size(text: &str) -> usize {
    let whole = if cfg!(target_vendor = "apple") { text.len() } else { HEAD + OWNER.len() + text.len() };
    whole.next_multiple_of(4)
}

/// A note as it is stored in a program.
#[doc(hidden)]
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Note<const SIZE: usize>([u8; SIZE]);

/// Returns the note that holds `text`: a line `key: value` for each key.
#[doc(hidden)]
pub const fn note<const SIZE: usize>(text: &str) -> Note<SIZE> {
    let mut note = [0; SIZE];
    let mut at = 0;
    if !cfg!(target_vendor = "apple") {
        let sizes = [OWNER_SIZE, text.len() as u32, 1];
        while at < HEAD {
            note[at] = sizes[at / 4].to_ne_bytes()[at % 4];
            at += 1;
        }
        while at < HEAD + OWNER.len() {
            note[at] = OWNER[at - HEAD];
            at += 1;
        }
    }
    let mut index = 0;
    while index < text.len() {
        note[at + index] = text.as_bytes()[index];
        index += 1;
    }
    Note(note)
}

/// Embeds metadata in a program, so that soong can list and complete it without running it.
///
/// ```
/// soong_extension::note! {
///     summary: "Say hello to your instance",
///     complete: "clap",
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! note {
    ($($key:ident : $value:literal),+ $(,)?) => {
        const _: () = {
            const TEXT: &str = concat!($(stringify!($key), ": ", $value, "\n"),+);
            const SIZE: usize = $crate::size(TEXT);
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__TEXT,__soong"))]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".note.soong"))]
            static NOTE: $crate::Note<SIZE> = $crate::note(TEXT);
        };
    };
}
