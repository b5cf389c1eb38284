//! The whole server over real sockets, on free ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod before_login;
mod broker;
mod cluster;
mod crowds;
mod few_files;
mod games;
mod health;
mod hostile;
mod http;
mod http_client;
mod kills;
mod large_messages;
mod lobby;
mod locked_database;
mod login_pages;
mod mariadb;
mod monitoring;
mod pairs;
mod ports;
mod proxies;
mod reading;
mod recording;
mod shutdown;
mod support;
mod tls_proxies;
mod turned_out;
mod websocket;
