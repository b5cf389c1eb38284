//! A client of the broker, in the part of another service.

use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;

use super::{PASSWORD, RabbitMq, USER};

/// Time limit for anything that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to a broker. Every method panics when the broker refuses something.
#[derive(Debug)]
pub struct Client {
    _connection: Connection,
    channel: Channel,
}

/// A message that the broker has delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its routing key.
    pub routing_key: String,
    /// Its body.
    pub body: String,
    /// Its `content_type`.
    pub content_type: Option<String>,
    /// Its `message_id`.
    pub message_id: Option<String>,
    /// Its `delivery_mode`: 2 for persistent messages.
    pub delivery_mode: Option<u8>,
}

#[expect(missing_docs, reason = "the names say it")]
impl Client {
    pub async fn connect(broker: &RabbitMq, vhost: &str) -> Self {
        let uri = AMQPUri {
            scheme: AMQPScheme::AMQP,
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username: USER.to_owned(), password: PASSWORD.to_owned() },
                host: "127.0.0.1".to_owned(),
                port: broker.port(),
            },
            vhost: vhost.to_owned(),
            query: AMQPQueryString::default(),
        };
        // The broker may listen before it serves.
        let connection = timeout(TIMEOUT, async {
            loop {
                match Connection::connect_uri(uri.clone(), ConnectionProperties::default()).await {
                    Ok(connection) => break connection,
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
            }
        });
        let connection = connection.await.expect("the broker accepts connections");
        let channel = connection.create_channel().await.expect("a new channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirmations");
        channel.basic_qos(100, BasicQosOptions::default()).await.expect("a prefetch count");
        Self { _connection: connection, channel }
    }

    /// Declares an exchange as FAF's services do.
    pub async fn declare_exchange(&self, name: &str) {
        self.declare_exchange_of(name, ExchangeKind::Topic).await;
    }

    /// Declares an exchange that no service of FAF could use.
    pub async fn declare_fanout(&self, name: &str) {
        self.declare_exchange_of(name, ExchangeKind::Fanout).await;
    }

    async fn declare_exchange_of(&self, name: &str, kind: ExchangeKind) {
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let declared = self.channel.exchange_declare(name.into(), kind, options, FieldTable::default());
        declared.await.expect("an exchange");
    }

    pub async fn delete_exchange(&self, name: &str) {
        let deleted = self.channel.exchange_delete(name.into(), ExchangeDeleteOptions::default());
        deleted.await.expect("the exchange is deleted");
    }

    /// Declares a durable queue of another service, bound to an exchange with routing keys.
    pub async fn declare_queue(&self, name: &str, exchange: &str, keys: &[&str]) {
        self.declare_queue_with(name, exchange, keys, FieldTable::default()).await;
    }

    /// Declares a queue that refuses messages beyond a number.
    pub async fn declare_bounded_queue(&self, name: &str, exchange: &str, keys: &[&str], length: i32) {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(length));
        arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        self.declare_queue_with(name, exchange, keys, arguments).await;
    }

    async fn declare_queue_with(&self, name: &str, exchange: &str, keys: &[&str], arguments: FieldTable) {
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        self.channel.queue_declare(name.into(), options, arguments).await.expect("a queue");
        for key in keys {
            let options = QueueBindOptions::default();
            let bound = self.channel.queue_bind(
                name.into(),
                exchange.into(),
                (*key).into(),
                options,
                FieldTable::default(),
            );
            bound.await.expect("a binding");
        }
    }

    /// Returns the number of consumers of a queue; `None` if the queue does not exist or belongs to
    /// another connection.
    pub async fn consumers(&self, queue: &str) -> Option<u32> {
        let channel = self._connection.create_channel().await.expect("a new channel");
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        found.ok().map(|queue| queue.consumer_count())
    }

    /// Returns the number of messages that wait in a queue.
    pub async fn waiting(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = self.channel.queue_declare(queue.into(), options, FieldTable::default()).await;
        found.expect("the queue exists").message_count()
    }

    pub async fn delete_queue(&self, queue: &str) {
        let deleted = self.channel.queue_delete(queue.into(), QueueDeleteOptions::default());
        deleted.await.expect("the queue is deleted");
    }

    /// Consumes a queue; each message is acknowledged if `acknowledges`.
    pub async fn consume(&self, queue: &str, acknowledges: bool) -> Messages {
        let options = BasicConsumeOptions { no_ack: false, ..BasicConsumeOptions::default() };
        let consumer = self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        Messages { consumer: consumer.await.expect("a consumer"), acknowledges }
    }

    /// Publishes a message with integer and text headers, and waits until the broker has it.
    pub async fn publish(&self, exchange: &str, key: &str, headers: &[(&str, AMQPValue)], body: &[u8]) {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        let properties = BasicProperties::default().with_headers(table);
        let sent = self.channel.basic_publish(
            exchange.into(),
            key.into(),
            BasicPublishOptions::default(),
            body,
            properties,
        );
        let confirmed = sent.await.expect("it is sent").await.expect("it is confirmed");
        assert!(!confirmed.is_nack(), "the broker has refused a message");
    }
}

/// Messages of a queue.
#[derive(Debug)]
pub struct Messages {
    consumer: Consumer,
    acknowledges: bool,
}

impl Messages {
    /// Waits for the next message.
    ///
    /// # Panics
    /// If none comes within a minute.
    pub async fn next(&mut self) -> Received {
        let next = timeout(TIMEOUT, self.consumer.next()).await.expect("a message in time");
        let delivery = next.expect("the consumer lives").expect("the connection lives");
        if self.acknowledges {
            delivery.acker.ack(BasicAckOptions::default()).await.expect("an acknowledgement");
        }
        let text = |text: &lapin::types::ShortString| text.as_str().to_owned();
        Received {
            routing_key: text(&delivery.routing_key),
            body: String::from_utf8(delivery.data).expect("the body is UTF-8"),
            content_type: delivery.properties.content_type().as_ref().map(text),
            message_id: delivery.properties.message_id().as_ref().map(text),
            delivery_mode: *delivery.properties.delivery_mode(),
        }
    }
}

/// An integer header.
#[must_use]
pub fn integer(number: i32) -> AMQPValue {
    AMQPValue::LongInt(number)
}

/// A text header.
#[must_use]
pub fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
