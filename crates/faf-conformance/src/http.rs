//! Requests over HTTP to the pages of a server.

use std::time::Duration;

use faf_sessions::transcript::Http;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::HookError;

/// Time limit for a response.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Maximum number of bytes of a response.
const LIMIT: u64 = 64 << 20;

/// Requests a page of a server at `host:port`, by HTTP/1.0.
///
/// # Errors
/// If there is no response within a minute, or it is not one of HTTP, or longer than 64 MiB.
pub async fn get(authority: &str, path: &str) -> Result<Http, HookError> {
    let failed = |what: &str| HookError::new(format!("http://{authority}{path}: {what}"));
    let request = format!("GET {path} HTTP/1.0\r\nhost: {authority}\r\n\r\n");
    let mut text = String::new();
    let answered = async {
        let mut stream = TcpStream::connect(authority).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.take(LIMIT).read_to_string(&mut text).await
    };
    match timeout(TIME_LIMIT, answered).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(failed(&error.to_string())),
        Err(_) => return Err(failed("no response in time")),
    }
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| failed("not a response"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let content_type = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
    });
    Ok(Http {
        path: path.to_owned(),
        status: status.ok_or_else(|| failed("no status"))?,
        content_type: content_type.unwrap_or_default(),
        body: serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())),
    })
}
