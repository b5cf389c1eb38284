//! The outbox, and operations on the database as a whole.

use faf_lobby_core::{GamePublications, Publication};
use faf_protocol::GameId;

use super::Memory;
use crate::{Message, StoreError, Waiting};

#[expect(missing_docs, reason = "crate::operations describes all operations")]
impl Memory {
    pub fn waiting_messages(&mut self, limit: u32) -> Result<Waiting, StoreError> {
        let messages = self.outbox.iter().take(limit as usize).cloned().collect();
        Ok(Waiting { count: self.outbox.len() as u32, messages })
    }

    pub fn messages_delivered(&mut self, numbers: Vec<i64>) -> Result<(), StoreError> {
        self.outbox.retain(|(number, _)| !numbers.contains(number));
        Ok(())
    }

    pub fn own_key(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.own_key.clone())
    }

    pub fn own_key_or(&mut self, new: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        Ok(self.own_key.get_or_insert(new).clone())
    }

    pub fn beat(&mut self) -> Result<(), StoreError> {
        self.beats += 1;
        Ok(())
    }

    pub fn finish_writing(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Memory {
    /// Puts messages into the outbox.
    pub(super) fn publish<'a>(
        &mut self,
        publications: impl IntoIterator<Item = &'a Publication>,
    ) -> Result<(), StoreError> {
        for publication in publications {
            self.last_message += 1;
            self.outbox.push((self.last_message, Message::new(publication)?));
        }
        Ok(())
    }

    /// Puts the numbered publications of a game into the outbox, except for those that were put
    /// there before.
    pub(super) fn publish_numbered(
        &mut self,
        game: GameId,
        publications: &GamePublications,
    ) -> Result<(), StoreError> {
        let known = self.published.get(&game).copied().unwrap_or(0);
        self.publish(publications.after(known))?;
        self.published.insert(game, publications.end().max(known));
        Ok(())
    }
}
