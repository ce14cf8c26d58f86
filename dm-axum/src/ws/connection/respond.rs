//! Writes the answer to a request after its work is done, and starts to store the next
//! acknowledgement.

use dm_proto::{Envelope, dm_server_frame};

use super::Connection;
use super::outcome::{Outcome, PageOutcome};
use crate::answers::UnwrittenFrame;
use crate::ws::close::Close;

impl Connection {
    /// Writes the answer to a request whose work is done. If an acknowledgement was stored, also
    /// starts to store the next one, because only one is stored at a time.
    pub(super) async fn respond(&mut self, outcome: Outcome) -> Result<(), Close> {
        match outcome {
            Outcome::Answer(envelope) => self.write(vec![*envelope]).await,
            Outcome::Page(outcome) => self.write_page(*outcome).await,
            Outcome::Acknowledged(outcome) => {
                let answers = self.dialect.finish_ack(outcome);
                self.start_next_ack();
                self.write(answers).await
            }
        }
    }

    /// Starts to store the dialect's next acknowledgement, if there is one.
    pub(super) fn start_next_ack(&mut self) {
        if let Some(next) = self.dialect.next_ack() {
            let session = self.session.handle();
            self.in_progress.push(Box::pin(async move { Outcome::Acknowledged(next.store(session).await) }));
        }
    }

    /// Writes an answer under the id of its request.
    pub(super) async fn write_answer(
        &mut self,
        request_id: String,
        frame: dm_server_frame::Frame,
    ) -> Result<(), Close> {
        self.write(vec![Envelope::server(request_id, frame)]).await
    }

    /// Writes a page. If the page was not built, or was dropped because the client did not read in
    /// time, writes the refusal instead.
    async fn write_page(&mut self, outcome: PageOutcome) -> Result<(), Close> {
        match outcome.page.and_then(UnwrittenFrame::take) {
            Ok(taken) => self.end_monitor.unless_ended(self.socket.write_taken(taken)).await,
            Err(problem) => {
                let frame = outcome.refusal_style.refusal_frame(&problem)?;
                self.write_answer(outcome.request_id, frame).await
            }
        }
    }
}
