//! Note in a binary, for programs without comments at their top.
//!
//! In ELF, it is a note with the owner `soong` (a section `.note.soong`, which linkers keep in a segment of
//! notes); in Mach-O, a section `__soong` of any segment. It contains lines such as `summary: Say hello`. A
//! section `.note.soong` may also have the lines alone, without a note header, as `objcopy --add-section`
//! puts them there.
//!
//! Only tables of the file are followed, with bounded entries; nothing is searched. Offsets come from the
//! file and may be wrong: a read beyond its end is empty.

use std::fs::File;

use super::file::read_at;

/// Owner of the note in ELF.
const OWNER: &[u8] = b"soong\0";
/// Name of the section.
const ELF_SECTION: &[u8] = b".note.soong";
const MACHO_SECTION: &[u8] = b"__soong";
/// Longest text of a note, in bytes.
const TEXT_MAX: usize = 4096;
/// Limits on the entries of a table, and on the bytes of notes and names.
const ENTRIES_MAX: usize = 512;
const NOTES_MAX: usize = 64 << 10;
const NAMES_MAX: usize = 256 << 10;

/// Returns true if a file that begins with `head` is a binary.
pub(super) fn is_binary(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") || macho::is_macho(head) || head.contains(&0)
}

/// Returns the text of the note in `file`, which begins with `head`.
pub(super) fn find(file: &File, head: &[u8]) -> Option<Vec<u8>> {
    if head.starts_with(b"\x7fELF") { elf::find(file, head) } else { macho::find(file, head) }
}

/// Numbers in a file's byte order.
#[derive(Clone, Copy)]
struct Order {
    little: bool,
}

impl Order {
    /// Returns the number in `size` bytes at `at`; `None` beyond the end.
    fn number(self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.little { field.iter().rev().fold(0, fold) } else { field.iter().fold(0, fold) })
    }

    fn size(self, bytes: &[u8], at: usize, size: usize) -> Option<usize> {
        usize::try_from(self.number(bytes, at, size)?).ok()
    }
}

mod elf {
    use crate::extension::metadata::note::{
        ELF_SECTION, ENTRIES_MAX, File, NAMES_MAX, NOTES_MAX, OWNER, Order, TEXT_MAX, read_at,
    };

    const PT_NOTE: u64 = 4;

    /// Offsets of fields in 64-bit and 32-bit files.
    struct Layout {
        order: Order,
        /// Size of an address.
        word: usize,
    }

    pub(super) fn find(file: &File, head: &[u8]) -> Option<Vec<u8>> {
        let word = match head.get(4)? {
            1 => 4,
            2 => 8,
            _ => return None,
        };
        let layout = Layout { order: Order { little: *head.get(5)? == 1 }, word };
        layout.in_segments(file, head).or_else(|| layout.in_sections(file, head))
    }

    impl Layout {
        fn field(&self, bytes: &[u8], long: usize, short: usize, size: usize) -> Option<u64> {
            self.order.number(bytes, if self.word == 8 { long } else { short }, size)
        }

        /// Returns the entries of a table. `at` is the place of its offset in the header, `counts` those of
        /// its entry size and count.
        fn table(
            &self,
            file: &File,
            head: &[u8],
            at: (usize, usize),
            counts: (usize, usize),
            least: usize,
        ) -> Vec<Vec<u8>> {
            let read = || {
                let offset = self.field(head, at.0, at.1, self.word)?;
                let size = usize::try_from(self.field(head, counts.0, counts.1, 2)?).ok()?;
                let count =
                    usize::try_from(self.field(head, counts.0 + 2, counts.1 + 2, 2)?).ok()?.min(ENTRIES_MAX);
                let bytes = (least..=256).contains(&size).then(|| read_at(file, offset, size * count))?;
                Some(bytes.chunks_exact(size).map(<[u8]>::to_vec).collect())
            };
            read().unwrap_or_default()
        }

        fn in_segments(&self, file: &File, head: &[u8]) -> Option<Vec<u8>> {
            let segments = self.table(file, head, (32, 28), (54, 42), self.word * 7);
            segments.iter().filter(|segment| self.order.number(segment, 0, 4) == Some(PT_NOTE)).find_map(
                |segment| {
                    let offset = self.field(segment, 8, 4, self.word)?;
                    let size = usize::try_from(self.field(segment, 32, 16, self.word)?).ok()?;
                    self.note(&read_at(file, offset, size.min(NOTES_MAX)))
                },
            )
        }

        fn in_sections(&self, file: &File, head: &[u8]) -> Option<Vec<u8>> {
            let sections = self.table(file, head, (40, 32), (58, 46), self.word * 8 - 8);
            let place = |section: &[u8]| {
                let offset = self.field(section, 24, 16, self.word)?;
                Some((offset, usize::try_from(self.field(section, 32, 20, self.word)?).ok()?))
            };
            let names = usize::try_from(self.field(head, 62, 50, 2)?).ok()?;
            let (offset, size) = place(sections.get(names)?)?;
            let names = read_at(file, offset, size.min(NAMES_MAX));
            let called = |section: &[u8]| {
                let at = self.order.size(section, 0, 4)?;
                names.get(at..)?.split(|byte| *byte == 0).next().map(<[u8]>::to_vec)
            };
            let section = sections.iter().find(|section| called(section).as_deref() == Some(ELF_SECTION))?;
            let (offset, size) = place(section)?;
            let bytes = read_at(file, offset, size.min(NOTES_MAX));
            self.note(&bytes).or_else(|| Some(bytes[..bytes.len().min(TEXT_MAX)].to_vec()))
        }

        /// Returns the text of soong's note among `notes`.
        fn note(&self, mut notes: &[u8]) -> Option<Vec<u8>> {
            let aligned = |size: usize| size.checked_add(3).map(|size| size & !3);
            loop {
                let (owner, text) = (self.order.size(notes, 0, 4)?, self.order.size(notes, 4, 4)?);
                let begin = aligned(owner)?.checked_add(12)?;
                let end = begin.checked_add(text)?;
                if notes.get(12..12usize.checked_add(owner)?)? == OWNER {
                    return Some(notes.get(begin..end)?[..text.min(TEXT_MAX)].to_vec());
                }
                notes = notes.get(aligned(end)?..)?;
            }
        }
    }
}

mod macho {
    use crate::extension::metadata::note::{
        ENTRIES_MAX, File, MACHO_SECTION, NOTES_MAX, Order, TEXT_MAX, read_at,
    };

    const FAT: [u8; 4] = [0xca, 0xfe, 0xba, 0xbe];
    /// Largest number of architectures in a file. A Java class looks like a file with more.
    const MACHINES_MAX: usize = 16;
    const SEGMENT: u64 = 0x1;
    const SEGMENT_64: u64 = 0x19;

    pub(super) fn is_macho(head: &[u8]) -> bool {
        head.starts_with(&FAT) || kind(head).is_some()
    }

    /// Byte order, and whether the file is 64-bit.
    fn kind(head: &[u8]) -> Option<(Order, bool)> {
        match *head.get(..4)? {
            [0xcf, 0xfa, 0xed, 0xfe] => Some((Order { little: true }, true)),
            [0xce, 0xfa, 0xed, 0xfe] => Some((Order { little: true }, false)),
            [0xfe, 0xed, 0xfa, 0xcf] => Some((Order { little: false }, true)),
            [0xfe, 0xed, 0xfa, 0xce] => Some((Order { little: false }, false)),
            _ => None,
        }
    }

    pub(super) fn find(file: &File, head: &[u8]) -> Option<Vec<u8>> {
        if !head.starts_with(&FAT) {
            return find_at(file, 0);
        }
        let order = Order { little: false };
        let count = order.size(head, 4, 4)?.min(MACHINES_MAX);
        (0..count).find_map(|index| find_at(file, order.number(head, 8 + 20 * index + 8, 4)?))
    }

    fn find_at(file: &File, base: u64) -> Option<Vec<u8>> {
        let head = read_at(file, base, 32);
        let (order, long) = kind(&head)?;
        let (count, size) = (order.size(&head, 16, 4)?, order.size(&head, 20, 4)?);
        let commands = read_at(file, base.checked_add(if long { 32 } else { 28 })?, size.min(NOTES_MAX));
        let mut rest = commands.as_slice();
        for _ in 0..count.min(ENTRIES_MAX) {
            let (command, size) = (order.number(rest, 0, 4)?, order.size(rest, 4, 4)?);
            let body = rest.get(..size)?;
            if command == if long { SEGMENT_64 } else { SEGMENT }
                && let Some((offset, size)) = section(order, long, body)
            {
                return Some(read_at(file, base.checked_add(offset)?, size.min(TEXT_MAX)));
            }
            rest = rest.get(size.max(8)..)?;
        }
        None
    }

    /// Returns the offset and length of the section in the file.
    fn section(order: Order, long: bool, segment: &[u8]) -> Option<(u64, usize)> {
        let (begin, each) = if long { (72, 80) } else { (56, 68) };
        let section = segment
            .get(begin..)?
            .chunks_exact(each)
            .find(|section| section[..16].split(|byte| *byte == 0).next() == Some(MACHO_SECTION))?;
        if long {
            Some((order.number(section, 48, 4)?, order.size(section, 40, 8)?))
        } else {
            Some((order.number(section, 40, 4)?, order.size(section, 36, 4)?))
        }
    }
}
