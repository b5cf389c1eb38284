//! Questions with replies, for the server of the cluster that leads.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message, Request, RequestErrorKind, Subscriber};
use bytes::Bytes;
use tokio_stream::StreamExt;

use crate::connection::{Connection, during};
use crate::link::{Busy, Link};
use crate::publishing::PublishError;

/// Reason why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The question was not sent.
    #[error(transparent)]
    Unsent(#[from] PublishError),
    /// Nobody takes questions: no server leads.
    #[error("no server of the cluster takes questions")]
    Nobody,
    /// No reply came in time. The question may have arrived.
    #[error("there was no reply within {0:?}")]
    Unanswered(Duration),
    /// The connection ended before a reply came. The question may have arrived.
    #[error("the connection to NATS ended before a reply came")]
    Interrupted,
}

/// Questions of other servers, for the one that leads. Dropping it ends it.
#[derive(Debug)]
pub struct Questions {
    connection: Connection,
    current: Option<(Arc<Link>, Subscriber)>,
    /// Number of the last connection.
    last: u64,
}

/// A question that waits for its reply.
#[derive(Debug)]
pub struct Question {
    /// Its content.
    pub payload: Bytes,
    connection: Connection,
    link: Arc<Link>,
    reply: async_nats::Subject,
}

impl Connection {
    /// Asks the server that leads, and waits for its reply.
    ///
    /// # Errors
    /// If there is none.
    pub async fn ask(&self, payload: Bytes, time_limit: Duration) -> Result<Bytes, AskError> {
        let shared = self.shared();
        let link = shared.link().ok_or_else(|| PublishError::Away(shared.away()))?;
        let payload = outgoing(self, &link, payload)?;
        let request = Request::new().payload(payload).timeout(Some(time_limit));
        let asked = during(&link, link.client.send_request(shared.names.core(), request)).await;
        match asked {
            Some(Ok(message)) => Ok(message.payload),
            Some(Err(error)) => Err(match error.kind() {
                RequestErrorKind::NoResponders => AskError::Nobody,
                RequestErrorKind::TimedOut => AskError::Unanswered(time_limit),
                _ => AskError::Interrupted,
            }),
            None => Err(AskError::Interrupted),
        }
    }

    /// Takes questions from now on. If several servers do, the first reply to each question counts.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn questions(&self) -> Result<Questions, PublishError> {
        let shared = self.shared();
        let link = shared.link().ok_or_else(|| PublishError::Away(shared.away()))?;
        let mut questions = Questions { connection: self.clone(), current: None, last: link.number };
        questions.begin(link).await.map_err(PublishError::Away)?;
        Ok(questions)
    }
}

impl Questions {
    /// Waits for the next question; `None` when the connection is closed. After a failure of the
    /// connection, questions are taken over the next one.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            if let Some((link, subscriber)) = &mut self.current {
                let mut over = link.over.subscribe();
                let received = tokio::select! {
                    biased;
                    received = subscriber.next() => received,
                    _ = over.wait_for(|over| *over) => None,
                };
                match received {
                    // Something else than a question, from somebody else.
                    Some(Message { reply: None, .. }) => continue,
                    Some(Message { payload, reply: Some(reply), .. }) => {
                        let (connection, link) = (self.connection.clone(), Arc::clone(link));
                        return Some(Question { payload, connection, link, reply });
                    }
                    None => self.current = None,
                }
            }
            let link = self.connection.shared().next_link(self.last).await?;
            self.last = link.number;
            // If this fails, the connection has ended again.
            let _ = self.begin(link).await;
        }
    }

    async fn begin(&mut self, link: Arc<Link>) -> Result<(), String> {
        let subject = self.connection.shared().names.core();
        let mut subscribers = link.subscribe(&[subject]).await?;
        self.current = subscribers.pop().map(|subscriber| (link, subscriber));
        Ok(())
    }
}

impl Question {
    /// Sends the reply.
    ///
    /// # Errors
    /// If it was not sent: the connection over which the question came has ended, too much waits
    /// to be sent, or the reply is too large.
    pub async fn reply(self, payload: Bytes) -> Result<(), PublishError> {
        let away = || PublishError::Away("is away: the connection has ended".to_owned());
        let payload = outgoing(&self.connection, &self.link, payload)?;
        let client: &Client = &self.link.client;
        let sent = during(&self.link, client.publish(self.reply, payload)).await;
        sent.ok_or_else(away)?.map_err(|_| away())
    }
}

/// Checks the size of a payload, and reserves a place for it.
fn outgoing(connection: &Connection, link: &Link, payload: Bytes) -> Result<Bytes, PublishError> {
    let (bytes, limit) = (payload.len(), link.client.max_payload());
    if bytes > limit {
        return Err(PublishError::TooLarge { bytes, limit });
    }
    connection.shared().counters.count_out(bytes);
    link.reserve(payload).map_err(|Busy| PublishError::Busy)
}
