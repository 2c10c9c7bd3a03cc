//! The protocol between a shell's completion, `soong-complete` and extensions: what an answer is
//! and how it is written; and the kinds of values that arguments declare. Who asks and who answers is other modules' business: `complete` answers
//! for our own programs.

pub mod answer;
mod values;

pub use self::answer::{Answer, Candidate, Directive};
pub use self::values::Values;
