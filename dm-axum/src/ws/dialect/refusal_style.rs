//! [`RefusalStyle`]: the way to refuse a request for a page of history or a list of conversations.
//! A refusal is a [problem](crate::problem). Seed clients do not understand problems and get an
//! empty page instead.

use dm_proto::dm_server_frame::Frame;

use crate::problem::{Kind, Problem};
use crate::ws::close::Close;

/// The way to refuse a request for a page. The dialect at the time of the request determines it,
/// because a hello may change the dialect before the page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalStyle {
    /// Send an empty page, because seed clients do not understand problems.
    EmptyPage,
    /// Send a problem.
    Problem,
}

impl RefusalStyle {
    /// Returns the page to send. `read` is the page, or the problem for which it was not read. With
    /// `EmptyPage`, a problem becomes an empty page, except [`Kind::Unavailable`]. The caller has
    /// to pass a returned error to [`refusal_frame`](Self::refusal_frame).
    pub(crate) fn page_or_problem<T: Default>(self, read: Result<T, Problem>) -> Result<T, Problem> {
        match (self, read) {
            (Self::EmptyPage, Err(problem)) if problem.kind() != Kind::Unavailable => Ok(T::default()),
            (_, read) => read,
        }
    }

    /// Returns the answer to send if the page could not be read. For a seed client it returns the
    /// reason to close the connection: an empty page would tell the client that there are no
    /// messages.
    pub(crate) fn refusal_frame(self, problem: &Problem) -> Result<Frame, Close> {
        match self {
            Self::Problem => Ok(Frame::Problem(problem.to_frame())),
            Self::EmptyPage if problem.kind() == Kind::TooManyAnswers => {
                Err(Close::Reconnect("too many answers are not read"))
            }
            Self::EmptyPage => Err(Close::Reconnect("unavailable")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(kind: Kind) -> Result<T, Problem> {
        Err(Problem::new(kind, ""))
    }

    #[test]
    fn a_seed_client_is_sent_an_empty_page_unless_reading_failed() {
        let page = |kind| RefusalStyle::EmptyPage.page_or_problem(refused::<Vec<u8>>(kind)).ok();
        assert_eq!(page(Kind::NotFound), Some(vec![]));
        assert_eq!(page(Kind::Unavailable), None);
        assert!(RefusalStyle::Problem.page_or_problem(refused::<Vec<u8>>(Kind::NotFound)).is_err());
    }

    #[test]
    fn a_page_that_was_not_built_is_a_problem_or_ends_the_connection() {
        let answer = |style: RefusalStyle, kind| style.refusal_frame(&Problem::new(kind, ""));
        assert!(matches!(answer(RefusalStyle::Problem, Kind::Unavailable), Ok(Frame::Problem(_))));
        let ends = [Kind::Unavailable, Kind::TooManyAnswers]
            .map(|kind| answer(RefusalStyle::EmptyPage, kind).unwrap_err().reason());
        assert_eq!(ends, ["unavailable", "too many answers are not read"]);
    }
}
