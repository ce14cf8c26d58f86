//! Answers requests whose work is done, and starts to store the next acknowledgement.

use dm_proto::{Envelope, dm_server_frame};

use super::Connection;
use super::work::{Done, Page};
use crate::answers::HeldFrame;
use crate::ws::close::Close;

impl Connection {
    /// Writes the answers to requests whose work is done. After an acknowledgement, also starts to
    /// store the next one.
    pub(super) async fn done(&mut self, done: Done) -> Result<(), Close> {
        match done {
            Done::Answer(envelope) => self.write(vec![*envelope]).await,
            Done::Page(page) => self.write_page(*page).await,
            Done::Acknowledged(outcome) => {
                let answers = self.dialect.acknowledged(outcome);
                self.acknowledge();
                self.write(answers).await
            }
        }
    }

    /// Starts to store the dialect's next acknowledgement, if there is one.
    pub(super) fn acknowledge(&mut self) {
        if let Some(next) = self.dialect.next_ack() {
            let session = self.session.handle();
            self.work.push(Box::pin(async move { Done::Acknowledged(next.store(session).await) }));
        }
    }

    /// Writes an answer under the id of its request.
    pub(super) async fn answer(
        &mut self,
        request_id: String,
        frame: dm_server_frame::Frame,
    ) -> Result<(), Close> {
        self.write(vec![Envelope::server(request_id, frame)]).await
    }

    /// Writes a page, or its refusal if the page was not built or was dropped.
    async fn write_page(&mut self, page: Page) -> Result<(), Close> {
        match page.answer.and_then(HeldFrame::take) {
            Ok(taken) => self.end_monitor.unless_ended(self.socket.write_held(taken)).await,
            Err(problem) => self.answer(page.request_id, page.refusal.answer(&problem)?).await,
        }
    }
}
