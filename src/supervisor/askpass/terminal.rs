//! Asks ssh's questions at the terminal.

use std::io;
use std::os::fd::BorrowedFd;

use zeroize::Zeroizing;

use super::helper::leave_no_core;
use super::prompt::{Asked, Sort};
use crate::system::hidden_line::HiddenLine;
use crate::system::signals::Watch;
use crate::terminal::{print_error, printable};

/// Number of times to ask a yes-or-no question before it counts as unanswered.
const TRIES: usize = 3;

/// Result of a question.
pub enum Outcome {
    /// An answer.
    Answered(Zeroizing<String>),
    /// No answer.
    Unanswered,
    /// The question was withdrawn.
    Withdrawn,
    /// A signal, which takes effect when the watch is dropped.
    Interrupted(Watch),
}

/// Asks the question. It is withdrawn when `withdrawn` becomes readable.
pub fn ask(asked: &Asked, withdrawn: BorrowedFd<'_>) -> Outcome {
    let Asked { question, said, again } = asked;
    leave_no_core();
    for line in said {
        print_error(&format!("ssh: {}\n", printable(line)));
    }
    if question.sort == Sort::Notice {
        print_error(&format!("{}\n", question.prompt()));
        return Outcome::Unanswered;
    }
    if *again {
        print_error("ssh rejected that\n");
    }
    let Ok(watch) = Watch::new() else { return Outcome::Unanswered };
    let line = HiddenLine { watch: &watch, withdrawn: Some(withdrawn), shown: question.is_open() };
    for _ in 0..TRIES {
        match line.read(&question.prompt()) {
            Ok(typed) => match question.reply(&typed) {
                Some(reply) => return Outcome::Answered(Zeroizing::new(reply)),
                None => print_error("please type yes or no\n"),
            },
            Err(error) => {
                print_error("\n");
                return match error.kind() {
                    io::ErrorKind::Interrupted => Outcome::Interrupted(watch),
                    io::ErrorKind::ConnectionAborted => Outcome::Withdrawn,
                    _ => Outcome::Unanswered,
                };
            }
        }
    }
    Outcome::Unanswered
}
