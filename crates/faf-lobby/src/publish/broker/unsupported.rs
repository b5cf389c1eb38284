//! The broker of a build without the feature `rabbitmq`: there is none. The configuration is
//! refused if it names one.

use std::convert::Infallible;
use std::time::Duration;

use faf_lobby_core::Publication;
use tokio::sync::mpsc;

use super::Away;
use crate::config::Settings;
use crate::lobby::input::Input;
use crate::ops::metrics::Metrics;
use crate::store::{Message, Store};

#[derive(Debug)]
pub(crate) struct Broker(Infallible);

#[derive(Debug, Clone)]
pub(crate) struct BrokerState(Infallible);

#[derive(Debug)]
pub(crate) struct Delivery(Infallible);

#[derive(Debug, Clone)]
pub(crate) struct Reporter(Infallible);

pub(crate) fn problem_of_exchange(_: &str) -> Option<String> {
    None
}

impl Broker {
    pub(crate) fn start(_: &Settings, _: mpsc::Sender<Input>, _: &Metrics) -> Option<Self> {
        None
    }

    pub(crate) fn state(&self) -> BrokerState {
        match self.0 {}
    }

    pub(crate) fn reporter(&self) -> Reporter {
        match self.0 {}
    }

    pub(crate) fn delivery(&self, _: Store) -> Delivery {
        match self.0 {}
    }

    pub(crate) async fn close(self, _: Duration) {
        match self.0 {}
    }
}

impl BrokerState {
    pub(crate) fn problem(&self) -> Option<String> {
        match self.0 {}
    }
}

impl Delivery {
    pub(crate) async fn deliver(&mut self, _: &[(i64, Message)]) -> Result<Vec<i64>, Away> {
        match self.0 {}
    }

    pub(crate) async fn changed(&mut self) {
        match self.0 {}
    }
}

impl Reporter {
    pub(crate) fn report(&self, _: &Publication) {
        match self.0 {}
    }
}
