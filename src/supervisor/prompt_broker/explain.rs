//! Explains a failed attempt by its questions.

use crate::openssh::failure::{Failure, Kind};
use crate::supervisor::askpass::prompt::{Question, Sort};

/// A question and whether it was answered.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) question: Question,
    pub(super) answered: bool,
}

/// Returns the real reason for the failure of an attempt that asked questions.
pub(super) fn explain(asked: &[Exchange], failure: Failure) -> Failure {
    use Kind::{
        AuthenticationRefused, HostKeyUnknown, KeyUnusable, NeedsMoreThanKey, Other, ProxyFailed,
        ProxyRefused, TooManyKeys,
    };

    if !matches!(
        failure.kind,
        AuthenticationRefused
            | HostKeyUnknown
            | KeyUnusable
            | NeedsMoreThanKey
            | Other
            | ProxyFailed
            | ProxyRefused
            | TooManyKeys
    ) {
        return failure;
    }
    if let Some(open) = asked.iter().rfind(|exchange| !exchange.answered) {
        let was_answered =
            asked.iter().any(|exchange| exchange.answered && exchange.question == open.question);
        let kind = match open.question.sort {
            Sort::Passphrase if was_answered => Kind::WrongPassphrase,
            Sort::Passphrase => Kind::NeedsPassphrase,
            Sort::HostKey => HostKeyUnknown,
            Sort::Server if failure.kind == NeedsMoreThanKey => NeedsMoreThanKey,
            Sort::Confirm | Sort::Notice | Sort::Server => Kind::NeedsAnswer,
        };
        let reason = match kind {
            HostKeyUnknown => "the host key is unknown, and no terminal is open to confirm it".to_owned(),
            Kind::WrongPassphrase => format!("wrong answer to: {}", open.question.summary()),
            _ => format!("no answer to ssh's question: {}", open.question.summary()),
        };
        return Failure { kind, reason };
    }
    let Some(last) = asked.last() else { return failure };
    let times = asked.iter().filter(|exchange| exchange.question == last.question).count();
    match last.question.sort {
        // After one question, the passphrase may have been right and the key wrong.
        Sort::Passphrase if times > 1 => {
            let reason = format!("wrong answer to: {}", last.question.summary());
            Failure { kind: Kind::WrongPassphrase, reason }
        }
        Sort::Server if matches!(failure.kind, AuthenticationRefused | NeedsMoreThanKey | TooManyKeys) => {
            Failure { kind: Kind::AnswerRefused, ..failure }
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::askpass::prompt::Question;

    fn exchange(text: &str, answered: bool) -> Exchange {
        Exchange { question: Question::new(text, None), answered }
    }

    fn explained(kind: Kind, asked: &[Exchange]) -> Kind {
        explain(asked, Failure { kind, reason: "x".into() }).kind
    }

    #[test]
    fn questions_tell_why_an_attempt_failed() {
        const KEY: &str = "Enter passphrase for key '/k': ";
        const HOST: &str = "The authenticity of host 'h' can't be established.\n(yes/no)? ";
        type Asked = &'static [(&'static str, bool)];
        let refused = Kind::AuthenticationRefused;
        let table: [(Kind, Asked, Kind); 13] = [
            (refused, &[], refused),
            (refused, &[(KEY, false)], Kind::NeedsPassphrase),
            (refused, &[(KEY, true)], refused),
            (refused, &[(KEY, true), (KEY, true)], Kind::WrongPassphrase),
            (refused, &[(KEY, true), (KEY, false)], Kind::WrongPassphrase),
            (refused, &[(KEY, false), ("Code: ", true)], Kind::NeedsPassphrase),
            (Kind::Other, &[("Code: ", false)], Kind::NeedsAnswer),
            (refused, &[("Password: ", true), ("Code: ", true)], Kind::AnswerRefused),
            (Kind::HostKeyUnknown, &[(HOST, false)], Kind::HostKeyUnknown),
            (Kind::Refused, &[(KEY, false)], Kind::Refused),
            (Kind::NeedsMoreThanKey, &[("Code: ", false)], Kind::NeedsMoreThanKey),
            (Kind::NeedsMoreThanKey, &[("Code: ", true)], Kind::AnswerRefused),
            (Kind::ProxyRefused, &[(HOST, false)], Kind::HostKeyUnknown),
        ];
        for (kind, asked, expected) in table {
            let asked: Vec<_> = asked.iter().map(|(text, answered)| exchange(text, *answered)).collect();
            assert_eq!(explained(kind, &asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn the_question_without_an_answer_is_named() {
        let failure = Failure { kind: Kind::AuthenticationRefused, reason: "Permission denied".into() };
        let failure = explain(&[exchange("Enter passphrase for key '/k': ", false)], failure);
        assert_eq!(failure.reason, "no answer to ssh's question: Enter passphrase for key '/k'");
    }
}
