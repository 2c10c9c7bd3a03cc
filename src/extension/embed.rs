//! The note that [`extension_note!`](crate::extension_note) puts into a program, built while that
//! is compiled. Where it ends up and how it is found again: `metadata::note`.

/// The sizes of owner and text, and the type: what stands before both in an ELF note.
const HEAD: usize = 12;
/// `soong`, its end, and what fills up to a multiple of four.
const OWNER: [u8; 8] = *b"soong\0\0\0";
/// With its end, without what fills up.
const OWNER_SIZE: u32 = 6;

/// How long the whole note with `text` is.
pub const fn embedded_length(text: &str) -> usize {
    let whole = if cfg!(target_vendor = "apple") { text.len() } else { HEAD + OWNER.len() + text.len() };
    whole.next_multiple_of(4)
}

/// A note as it stands in a program.
#[derive(Debug)]
#[repr(C, align(4))]
pub struct EmbeddedNote<const SIZE: usize>([u8; SIZE]);

/// The note with `text`: `summary: …` and the like, a line each.
pub const fn embedded_note<const SIZE: usize>(text: &str) -> EmbeddedNote<SIZE> {
    let mut note = [0; SIZE];
    let mut at = 0;
    if !cfg!(target_vendor = "apple") {
        #[expect(clippy::cast_possible_truncation, reason = "it is a text in a program's source")]
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
    EmbeddedNote(note)
}

/// Has a program say what it does, so that `soong help` and completion can tell without running it.
///
/// ```
/// soong::extension_note! {
///     summary: "Say hello to your instance",
///     complete: "clap",
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! extension_note {
    ($($key:ident : $value:literal),+ $(,)?) => {
        const _: () = {
            const TEXT: &str = concat!($(stringify!($key), ": ", $value, "\n"),+);
            const SIZE: usize = $crate::extension::embedded_length(TEXT);
            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__TEXT,__soong"))]
            #[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".note.soong"))]
            static NOTE: $crate::extension::EmbeddedNote<SIZE> =
                $crate::extension::embedded_note(TEXT);
        };
    };
}
