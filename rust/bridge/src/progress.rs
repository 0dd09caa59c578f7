//! Progress notifications for a caller that asked for them.

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};

/// Where the progress of one call goes, if anywhere.
pub(crate) struct Progress {
    to: Option<(Peer<RoleServer>, ProgressToken)>,
    count: u32,
}

impl Progress {
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Self {
        let token = context.meta.get_progress_token();
        Self { to: token.map(|token| (context.peer.clone(), token)), count: 0 }
    }

    /// One more item has come: its JSON is the message.
    pub(crate) async fn item(&mut self, json: String) {
        self.count += 1;
        let Some((peer, token)) = &self.to else { return };
        let note = ProgressNotificationParam::new(token.clone(), f64::from(self.count)).with_message(json);
        // A client that went away gets no answer either.
        let _ = peer.notify_progress(note).await;
    }
}
