//! Messages of other services, which come over the message broker (ops.md section 11.3).

pub(crate) mod avatar_changed;
pub(crate) mod notification;
