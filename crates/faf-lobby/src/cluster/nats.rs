//! NATS as the stream, the post and the store of snapshots of a cluster.

use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use faf_lobby_cluster::GatewayId;
use faf_lobby_core::Timestamp;
use faf_lobby_nats::{
    AppendError, Connection, Entry, Limits, Log, LogError, LogOptions, Name, PublishError, ReadError, Reader,
    Received, SnapshotError, Snapshots, Subject, Subscription,
};
use tokio::sync::{mpsc, watch};

use super::backend::{Backend, BackendError, Operation, StreamState};
use super::bus::{BUS_EVENTS, Bus, BusCommand, BusEvent};
use crate::config::Settings;
use crate::exit_code::{self, Failure};

/// Time limit for sending what is queued when a process ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Time for a reply of NATS. A batch without an acknowledgement by then is appended again.
const RESPOND_LIMIT: Duration = Duration::from_secs(3);

/// A connection of this process to the NATS of its cluster.
#[derive(Debug, Clone)]
pub(crate) struct Nats {
    connection: Connection,
    options: LogOptions,
}

impl Nats {
    /// Connects to the servers of the settings.
    ///
    /// # Errors
    /// [`Failure`] with [`exit_code::CLUSTER`], if NATS cannot be reached or does not accept the
    /// account, or a setting is wrong.
    pub(crate) async fn connect(settings: &Settings, client_name: &str) -> Result<Self, Failure> {
        let nats = faf_lobby_nats::Settings {
            url: url_with_password(settings),
            credentials: path(&settings.nats_credentials),
            certificate_authority: path(&settings.nats_certificate_authority),
            cluster: settings.cluster.clone(),
            replicas: settings.stream_replicas,
            client_name: client_name.to_owned(),
        };
        if nats.url.is_empty() {
            let problem = "the setting nats names no server: --nats nats://HOST:PORT";
            return Err(Failure::new(exit_code::CLUSTER, anyhow!(problem)));
        }
        let limits = Limits { respond: RESPOND_LIMIT, ..Limits::default() };
        let connection = Connection::open(nats, limits)
            .await
            .map_err(|error| Failure::new(exit_code::CLUSTER, anyhow!("{error}")))?;
        let options = LogOptions { max_bytes: Some(settings.stream_bytes), ..LogOptions::default() };
        Ok(Self { connection, options })
    }

    /// Returns the bus of a gateway, or of a program that only asks.
    ///
    /// # Errors
    /// [`Failure`] if the connection has ended meanwhile.
    pub(crate) async fn gateway_bus(&self) -> Result<Bus, Failure> {
        let subscription = self.subscribe(vec![Subject::All]).await?;
        let (bus, ends) = new_bus();
        self.start(&ends, subscription);
        tokio::spawn(run_commands(self.connection.clone(), self.log(), "gateway", ends));
        Ok(bus)
    }

    fn start(&self, ends: &Ends, subscription: Subscription) {
        tokio::spawn(listen(
            self.connection.clone(),
            subscription,
            ends.listens_as.subscribe(),
            ends.events.clone(),
        ));
        tokio::spawn(watch_state(self.connection.clone(), ends.events.clone()));
    }

    fn log(&self) -> Log {
        Log::handle(&self.connection)
    }

    async fn subscribe(&self, subjects: Vec<Subject>) -> Result<Subscription, Failure> {
        let subscribed = self.connection.subscribe(subjects).await;
        subscribed.map_err(|error| Failure::new(exit_code::CLUSTER, anyhow!("{error}")))
    }

    /// Sends what is queued, and closes the connection.
    pub(crate) async fn close(self) {
        self.connection.close(CLOSE_LIMIT).await;
    }
}

/// The ends of a bus that its tasks hold.
struct Ends {
    commands: mpsc::UnboundedReceiver<BusCommand>,
    events: mpsc::Sender<BusEvent>,
    /// The gateway whose messages this process gets.
    listens_as: watch::Sender<Option<GatewayId>>,
}

fn new_bus() -> (Bus, Ends) {
    let (commands, asked) = mpsc::unbounded_channel();
    let (sender, events) = mpsc::channel(BUS_EVENTS);
    let ends = Ends { commands: asked, events: sender, listens_as: watch::Sender::new(None) };
    (Bus { commands, events }, ends)
}

/// Carries out the commands of a process, until it ends.
async fn run_commands(connection: Connection, log: Log, lane: &str, mut ends: Ends) {
    let lane = Name::new(lane).expect("it is a word");
    while let Some(command) = ends.commands.recv().await {
        match command {
            BusCommand::Append { number, id, payload } => {
                let pending = log.append(&lane, &id, Bytes::from_owner(payload));
                let events = ends.events.clone();
                tokio::spawn(async move {
                    let stored = pending.await;
                    if let Err(error) = &stored {
                        log_not_appended(error, number.is_some());
                    }
                    let Some(number) = number else { return };
                    let event = match stored {
                        Ok(_) => BusEvent::Appended(number),
                        Err(error) => {
                            BusEvent::NotAppended { number, is_full: matches!(error, AppendError::Full(_)) }
                        }
                    };
                    // The process may have ended.
                    let _ = events.send(event).await;
                });
            }
            BusCommand::ToGateway(gateway, payload) => {
                publish(&connection, &Subject::Gateway(name_of(gateway)), payload);
            }
            BusCommand::ToAll(payload) => publish(&connection, &Subject::All, payload),
            BusCommand::ToCores(payload) => publish(&connection, &Subject::Cores, payload),
            BusCommand::ListenAs(gateway) => drop(ends.listens_as.send_replace(Some(gateway))),
        }
    }
}

fn log_not_appended(error: &AppendError, is_repeated: bool) {
    match error {
        // It is appended again, and the state of the connection is logged where it changes.
        AppendError::Away(_) | AppendError::Busy => tracing::debug!(%error, "a message is not in the stream"),
        _ => tracing::error!(%error, is_repeated, "a message is not in the stream"),
    }
}

/// Sends a message that is not kept. Gateways ask for effects that they lack.
fn publish(connection: &Connection, subject: &Subject, payload: Bytes) {
    match connection.publish(subject, payload) {
        Ok(()) => {}
        Err(error @ PublishError::TooLarge { .. }) => {
            tracing::error!(%error, ?subject, "a message is lost; raise max_payload of NATS");
        }
        Err(error) => tracing::debug!(%error, ?subject, "a message is lost"),
    }
}

fn name_of(gateway: GatewayId) -> Name {
    Name::new(&gateway.0.to_string()).expect("digits are allowed")
}

/// Passes messages on to the process.
async fn listen(
    connection: Connection,
    mut subscription: Subscription,
    mut listens_as: watch::Receiver<Option<GatewayId>>,
    events: mpsc::Sender<BusEvent>,
) {
    loop {
        tokio::select! {
            received = subscription.next() => match received {
                Some(Received::Message { payload, .. }) => {
                    if events.send(BusEvent::Message(payload)).await.is_err() {
                        return;
                    }
                }
                Some(Received::Lost { messages, .. }) => tracing::debug!(messages, "messages of the cluster are lost"),
                Some(Received::Interrupted) => {}
                None => return,
            },
            changed = listens_as.changed() => {
                if changed.is_err() {
                    return;
                }
                let mut subjects = vec![Subject::All];
                subjects.extend(listens_as.borrow_and_update().map(|gateway| Subject::Gateway(name_of(gateway))));
                match connection.subscribe(subjects).await {
                    // Effects that were sent in between are asked for.
                    Ok(other) => subscription = other,
                    Err(error) => {
                        tracing::debug!(%error, "cannot listen as this gateway yet");
                        listens_as.mark_changed();
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }
    }
}

/// Tells the process when NATS is away and when it is back.
async fn watch_state(connection: Connection, events: mpsc::Sender<BusEvent>) {
    let mut state = connection.state();
    let mut was_connected = true;
    while state.changed().await.is_ok() {
        let (is_connected, problem) = {
            let state = state.borrow_and_update();
            (state.is_connected(), state.problem())
        };
        if is_connected == was_connected {
            continue;
        }
        was_connected = is_connected;
        if let Some(problem) = problem {
            tracing::debug!(problem, "NATS");
        }
        let event = if is_connected { BusEvent::Reconnected } else { BusEvent::Disconnected };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// Passes the messages of the stream on to a core.
async fn read(mut reader: Reader, events: mpsc::Sender<BusEvent>) {
    loop {
        let event = match reader.next().await {
            Ok(Entry { sequence, time, payload, .. }) => {
                let time = Timestamp(i64::try_from(time / 1000).unwrap_or(i64::MAX));
                BusEvent::Entry { sequence, time, payload }
            }
            Err(ReadError::Closed) => return,
            Err(error) => {
                // The process ends with this, and an operator reads it.
                let _ = events.send(BusEvent::Failed(error.to_string())).await;
                return;
            }
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

impl Backend for Nats {
    fn stream(&self) -> Operation<'_, StreamState> {
        Box::pin(async move {
            let (_, state) =
                Log::open_or_create(&self.connection, self.options).await.map_err(|error| of_log(&error))?;
            let identity = i64::try_from(state.identity).unwrap_or(i64::MAX);
            Ok(StreamState { identity, first: state.first, last: state.last })
        })
    }

    fn read_after(&self, position: u64) -> Operation<'_, Bus> {
        Box::pin(async move {
            let (log, state) = Log::open(&self.connection).await.map_err(|error| of_log(&error))?;
            let subscription = self.connection.subscribe(vec![Subject::Cores]).await;
            let subscription = subscription.map_err(|error| BackendError::Away(error.to_string()))?;
            let reader = log.read_from(state.identity, position + 1);
            let (bus, ends) = new_bus();
            self.start(&ends, subscription);
            tokio::spawn(read(reader, ends.events.clone()));
            tokio::spawn(run_commands(self.connection.clone(), log, "core", ends));
            Ok(bus)
        })
    }

    fn purge_before(&self, sequence: u64) -> Operation<'_, ()> {
        Box::pin(async move { self.log().purge_before(sequence).await.map_err(|error| of_log(&error)) })
    }

    fn put_snapshot(&self, position: u64, snapshot: Bytes) -> Operation<'_, ()> {
        Box::pin(async move {
            self.snapshots().await?.put(position, snapshot).await.map_err(|error| of_snapshots(&error))
        })
    }

    fn snapshots(&self) -> Operation<'_, Vec<u64>> {
        Box::pin(async move {
            let newest = Nats::snapshots(self).await?.newest().await.map_err(|error| of_snapshots(&error))?;
            Ok(newest.into_iter().map(|snapshot| snapshot.sequence).collect())
        })
    }

    fn snapshot(&self, position: u64) -> Operation<'_, Bytes> {
        Box::pin(async move {
            Nats::snapshots(self).await?.get(position).await.map_err(|error| of_snapshots(&error))
        })
    }

    fn keep_snapshots(&self, number: usize) -> Operation<'_, ()> {
        Box::pin(async move {
            Nats::snapshots(self).await?.keep_newest(number).await.map_err(|error| of_snapshots(&error))
        })
    }
}

impl Nats {
    async fn snapshots(&self) -> Result<Snapshots, BackendError> {
        Snapshots::open_or_create(&self.connection, None).await.map_err(|error| of_snapshots(&error))
    }
}

fn of_log(error: &LogError) -> BackendError {
    match error {
        LogError::Away(_) => BackendError::Away(error.to_string()),
        _ => BackendError::Unusable(error.to_string()),
    }
}

fn of_snapshots(error: &SnapshotError) -> BackendError {
    match error {
        SnapshotError::Away(_) => BackendError::Away(error.to_string()),
        _ => BackendError::Unusable(error.to_string()),
    }
}

fn path(path: &std::path::Path) -> Option<std::path::PathBuf> {
    (!path.as_os_str().is_empty()).then(|| path.to_owned())
}

/// Returns the URLs of NATS with the password of the settings in each.
fn url_with_password(settings: &Settings) -> String {
    let password: String =
        form_urlencoded::byte_serialize(settings.nats_password.reveal().as_bytes()).collect();
    // Percent-encoding of user names and passwords has no plus signs for blanks.
    let password = password.replace('+', "%20");
    let with_password = |url: &String| match url.split_once("://") {
        Some((scheme, rest)) if !password.is_empty() => match rest.split_once('@') {
            Some((user, host)) => format!("{scheme}://{user}:{password}@{host}"),
            None => format!("{scheme}://{password}@{rest}"),
        },
        _ => url.clone(),
    };
    settings.nats.iter().map(with_password).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use faf_protocol::Secret;

    use super::*;

    #[test]
    fn password_goes_into_every_address() {
        let nats = ["nats://lobby@one:1", "tls://two"].map(str::to_owned).to_vec();
        let settings = Settings { nats: nats.clone(), ..Settings::default() };
        assert_eq!(url_with_password(&settings), "nats://lobby@one:1,tls://two");
        let settings = Settings { nats, nats_password: Secret::new("a b@+"), ..Settings::default() };
        assert_eq!(url_with_password(&settings), "nats://lobby:a%20b%40%2B@one:1,tls://a%20b%40%2B@two");
    }
}
