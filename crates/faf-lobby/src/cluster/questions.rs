//! Questions and orders of operators to cores, and the answers. Both travel like other messages
//! between processes of a cluster: a question goes to all cores, the answer to all who listen as
//! gateways do, which ignore it.

use bytes::Bytes;
use faf_lobby_cluster::{CoreName, Epoch, Nonce, WorldId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of questions and answers.
const FORMAT: u32 = 1;

/// The beginning of every question, which no other message to a core has.
const BEGINNING: &[u8] = br#"{"faf_lobby_question":"#;

/// A question or an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Question {
    faf_lobby_question: u32,
    /// A random number that the answer has, too.
    pub(crate) nonce: Nonce,
    pub(crate) content: QuestionContent,
}

/// The content of a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum QuestionContent {
    /// Every core answers with its [`CoreStatus`].
    Status,
    /// The leader hands over to this core, or to the one that has read most if it is `None`.
    HandOver {
        /// The next leader.
        to: Option<CoreName>,
    },
    /// The leader hands over to a core of another version, which has no state yet, with a snapshot.
    Upgrade {
        /// The next leader.
        core: CoreName,
        /// Its version.
        version: String,
    },
}

/// The answer of a core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    faf_lobby_answer: u32,
    /// That of the question.
    pub(crate) nonce: Nonce,
    pub(crate) content: AnswerContent,
}

/// The content of an [`Answer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum AnswerContent {
    /// The answer of one core.
    Status(Box<CoreStatus>),
    /// The leader hands over to this core.
    HandingOver {
        /// The next leader.
        to: CoreName,
    },
    /// The leader does not hand over, for this reason.
    Refused(String),
}

/// The part of a core in the cluster, and what it knows of the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CoreStatus {
    pub(crate) name: CoreName,
    /// Version of its program.
    pub(crate) version: String,
    pub(crate) world: WorldId,
    /// `leads`, `follows`, or `suspended`: it leads and has lost touch with the stream.
    pub(crate) role: String,
    /// Whether it leads, or has read everything and could.
    pub(crate) is_ready: bool,
    pub(crate) epoch: Epoch,
    /// The leader, as far as it knows.
    pub(crate) leader: Option<CoreName>,
    /// The last message that it has applied.
    pub(crate) position: u64,
    /// Age of the oldest message that it may not have read, in seconds; `None` if it does not know.
    pub(crate) behind_seconds: Option<f64>,
    /// Time since the last sign of the leader, in seconds.
    pub(crate) leader_silent_seconds: f64,
    /// Other cores that have reported that they follow.
    pub(crate) followers: Vec<FollowerStatus>,
    pub(crate) gateways: Vec<GatewayStatus>,
    /// Number of players who are online.
    pub(crate) players: usize,
    /// Number of requests to the database whose reply is not in the stream.
    pub(crate) open_requests: usize,
    /// Position of the newest snapshot that this core has read or written.
    pub(crate) snapshot: u64,
}

/// A core that follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FollowerStatus {
    pub(crate) name: CoreName,
    pub(crate) version: String,
    /// The last message that it had applied.
    pub(crate) position: u64,
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GatewayStatus {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) connections: usize,
    /// Time since its last message, in seconds.
    pub(crate) silent_seconds: f64,
    /// Effects that it has not confirmed, and their bytes.
    pub(crate) kept_effects: usize,
    pub(crate) kept_bytes: usize,
}

impl Question {
    pub(crate) fn new(nonce: Nonce, content: QuestionContent) -> Self {
        Self { faf_lobby_question: FORMAT, nonce, content }
    }

    /// Returns it as a message to all cores.
    pub(crate) fn encode(&self) -> Bytes {
        encode(self)
    }

    /// Reads a question; `None` for any other message.
    pub(crate) fn decode(message: &[u8]) -> Option<Self> {
        let question: Self = message.starts_with(BEGINNING).then(|| decode(message)).flatten()?;
        (question.faf_lobby_question == FORMAT).then_some(question)
    }

    /// Returns an answer, as a message to all.
    pub(crate) fn answer(&self, content: AnswerContent) -> Bytes {
        encode(&Answer { faf_lobby_answer: FORMAT, nonce: self.nonce, content })
    }
}

impl Answer {
    /// Reads the answer to a question; `None` for any other message.
    pub(crate) fn decode(message: &[u8], nonce: Nonce) -> Option<AnswerContent> {
        let answer: Self = decode(message)?;
        (answer.faf_lobby_answer == FORMAT && answer.nonce == nonce).then_some(answer.content)
    }
}

fn encode(message: &impl Serialize) -> Bytes {
    serde_json::to_vec(message).expect("questions and answers are JSON: they have no maps").into()
}

fn decode<T: DeserializeOwned>(message: &[u8]) -> Option<T> {
    serde_json::from_slice(message).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_and_answers_are_told_from_other_messages() {
        let question = Question::new(Nonce(7), QuestionContent::HandOver { to: None });
        assert_eq!(Question::decode(&question.encode()), Some(question.clone()));
        let answer = question.answer(AnswerContent::Refused("no".to_owned()));
        assert_eq!(Question::decode(&answer), None);
        assert_eq!(Answer::decode(&answer, Nonce(7)), Some(AnswerContent::Refused("no".to_owned())));
        assert_eq!(Answer::decode(&answer, Nonce(8)), None);
        assert_eq!(Answer::decode(&question.encode(), Nonce(7)), None);
    }
}
