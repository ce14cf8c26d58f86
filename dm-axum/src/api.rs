//! The state that all calls share.

use std::sync::Arc;

use dm_core::Service;

use crate::answers::Answers;
use crate::options::Options;
use crate::tickets::Tickets;
use crate::ws::Sockets;

/// The state of one API: the service, the options, and the tickets, open WebSockets and unread
/// answers of all users.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) service: Service,
    pub(crate) options: Options,
    pub(crate) tickets: Tickets,
    pub(crate) sockets: Sockets,
    pub(crate) answers: Arc<Answers>,
}

impl Api {
    pub(crate) fn new(service: Service, options: Options) -> Self {
        let tickets = Tickets::new(options.ticket_life, options.tickets, options.tickets_per_user);
        let sockets = Sockets::new(&options);
        let answers = Arc::new(Answers::new(service.clone(), &options));
        Self { service, options, tickets, sockets, answers }
    }
}
