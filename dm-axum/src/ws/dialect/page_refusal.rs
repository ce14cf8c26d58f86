//! The answer to a request for a page that is refused.

use dm_proto::dm_server_frame::Frame;

use crate::problem::{Kind, Problem};
use crate::ws::close::Close;

/// How a page is refused. It is decided when the request arrives: a hello may follow before the
/// page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageRefusal {
    /// With an empty page, because the seed's clients know no problems.
    EmptyPage,
    /// With a problem.
    Problem,
}

impl PageRefusal {
    /// The page to send for a result of reading, or the problem for [`answer`](Self::answer).
    pub(crate) fn page<T: Default>(self, read: Result<T, Problem>) -> Result<T, Problem> {
        match (self, read) {
            (Self::EmptyPage, Err(problem)) if problem.kind() != Kind::Unavailable => Ok(T::default()),
            (_, read) => read,
        }
    }

    /// The answer in place of a page that could not be made. A client that knows no problems has to
    /// connect again: an empty page would tell it that there is nothing.
    pub(crate) fn answer(self, problem: &Problem) -> Result<Frame, Close> {
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
    fn a_client_that_knows_no_problems_is_sent_an_empty_page_unless_reading_failed() {
        let page = |kind| PageRefusal::EmptyPage.page(refused::<Vec<u8>>(kind)).ok();
        assert_eq!(page(Kind::NotFound), Some(vec![]));
        assert_eq!(page(Kind::Unavailable), None);
        assert!(PageRefusal::Problem.page(refused::<Vec<u8>>(Kind::NotFound)).is_err());
    }

    #[test]
    fn a_page_that_could_not_be_made_is_a_problem_or_ends_the_connection() {
        let answer = |refusal: PageRefusal, kind| refusal.answer(&Problem::new(kind, ""));
        assert!(matches!(answer(PageRefusal::Problem, Kind::Unavailable), Ok(Frame::Problem(_))));
        let ends = [Kind::Unavailable, Kind::TooManyAnswers]
            .map(|kind| answer(PageRefusal::EmptyPage, kind).unwrap_err().reason());
        assert_eq!(ends, ["unavailable", "too many answers are not read"]);
    }
}
