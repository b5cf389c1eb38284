//! State of the connection, for `/health` and the log.

/// State of the connection to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Reason why there is no connection; `None` while there is one.
    pub(crate) away: Option<String>,
    /// Reason of the broker not to read from publishers for the time being.
    pub(crate) blocked: Option<String>,
    /// The consumers of the server's own queues.
    pub(crate) consumers: [ConsumerState; 2],
}

/// State of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConsumerState {
    Starting,
    Running,
    /// The queue cannot be consumed, for this reason.
    Failed(String),
}

/// The state of consumers without a connection.
pub(crate) const NO_CONSUMERS: [ConsumerState; 2] = [ConsumerState::Starting, ConsumerState::Starting];

impl State {
    /// The state before the first attempt.
    pub(crate) fn starting() -> Self {
        Self { away: Some("not connected yet".to_owned()), blocked: None, consumers: NO_CONSUMERS }
    }

    /// Returns whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.away.is_none()
    }

    /// Returns whether messages of other services are received.
    #[must_use]
    pub fn is_consuming(&self) -> bool {
        self.is_connected() && self.consumers.iter().all(|consumer| *consumer == ConsumerState::Running)
    }

    /// Returns the worst problem, in words that complete the sentence "the broker ...".
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        if let Some(reason) = &self.away {
            return Some(format!("is away: {reason}"));
        }
        if let Some(reason) = &self.blocked {
            return Some(format!("accepts no messages: {reason}"));
        }
        let mut problems = self.consumers.iter().filter_map(|consumer| match consumer {
            ConsumerState::Failed(problem) => Some(problem),
            ConsumerState::Starting | ConsumerState::Running => None,
        });
        problems.next().map(|problem| format!("does not deliver messages of other services: {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_problem_comes_first() {
        let mut state = State::starting();
        assert!(!state.is_connected());
        state.blocked = Some("disk".to_owned());
        state.consumers = [ConsumerState::Running, ConsumerState::Failed("locked".to_owned())];
        assert_eq!(state.problem().unwrap(), "is away: not connected yet");
        state.away = None;
        assert!(state.is_connected());
        assert_eq!(state.problem().unwrap(), "accepts no messages: disk");
        state.blocked = None;
        assert_eq!(state.problem().unwrap(), "does not deliver messages of other services: locked");
        assert!(!state.is_consuming());
        state.consumers[1] = ConsumerState::Running;
        assert_eq!(state.problem(), None);
        assert!(state.is_consuming());
    }
}
