//! The broker of the configuration, if this build supports one.

#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(not(feature = "rabbitmq"))]
mod unsupported;

#[cfg(feature = "rabbitmq")]
pub(crate) use rabbitmq::{Broker, BrokerState, Delivery, Reporter, problem_of_exchange};
#[cfg(not(feature = "rabbitmq"))]
pub(crate) use unsupported::{Broker, BrokerState, Delivery, Reporter, problem_of_exchange};

/// There is no connection to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Away;
