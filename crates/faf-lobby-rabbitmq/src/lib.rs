//! FAF's RabbitMQ as the broker of the lobby server.
