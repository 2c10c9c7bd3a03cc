//! Protocol between a shell's completion script, `soong-complete` and extensions: the format of answers, and
//! the kinds of values that arguments declare. `commands::complete` answers for our own programs.

pub mod answer;
mod values;

pub use self::answer::{Answer, Candidate, Directive};
pub use self::values::Values;
