//! What `/health` notices of a database that cannot be used.

use rusqlite::Connection;

use super::support::{TestServer, soon};

/// Waits until `/health` has this status; returns what it says.
async fn wait_for(server: &TestServer, status: u16) -> String {
    soon("health", async {
        loop {
            let (found, text) = server.get("/health").await;
            if found == status {
                return text;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_database_that_others_keep_locked() {
    let server = TestServer::start().await;
    let other = Connection::open(server.database()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let text = wait_for(&server, 503).await;
    assert!(text.contains("nothing can be written") && text.contains("\"lobby\":\"ok\""), "{text}");
    other.execute_batch("ROLLBACK").unwrap();
    wait_for(&server, 200).await;
}

#[tokio::test]
async fn a_database_whose_file_is_gone_replaced_or_read_only() {
    let server = TestServer::start().await;
    wait_for_a_look(&server).await;
    let (path, aside) = (server.database(), server.database().with_extension("aside"));
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    let writable = permissions.clone();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    assert!(wait_for(&server, 503).await.contains("was made read-only"));
    std::fs::set_permissions(&path, writable).unwrap();
    wait_for(&server, 200).await;

    std::fs::rename(&path, &aside).unwrap();
    assert!(wait_for(&server, 503).await.contains("was removed"));
    std::fs::copy(&aside, &path).unwrap();
    soon("the other file", async {
        while !server.get("/health").await.1.contains("was replaced") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    std::fs::rename(&aside, &path).unwrap();
    wait_for(&server, 200).await;
}

#[tokio::test]
async fn files_beside_the_database_that_are_gone() {
    let server = TestServer::start().await;
    wait_for_a_look(&server).await;
    for end in ["-wal", "-shm", ".lock"] {
        let mut path = server.database().into_os_string();
        path.push(end);
        let aside = std::path::Path::new(&path).with_extension("aside");
        std::fs::rename(&path, &aside).unwrap();
        let text = wait_for(&server, 503).await;
        assert!(text.contains(&format!("{end} was removed")), "{text}");
        std::fs::rename(&aside, &path).unwrap();
        wait_for(&server, 200).await;
    }
}

#[tokio::test]
async fn a_database_that_is_damaged() {
    let server = TestServer::start().await;
    wait_for_a_look(&server).await;
    // What is written so far goes into the file, so that the damage is not covered by the one beside it.
    Connection::open(server.database()).unwrap().query_row("PRAGMA wal_checkpoint", (), |_| Ok(())).unwrap();
    let mut content = std::fs::read(server.database()).unwrap();
    content[4096..].fill(0xAB);
    // The same file, with other content.
    std::fs::write(server.database(), content).unwrap();
    let text = wait_for(&server, 503).await;
    assert!(text.contains("damaged"), "{text}");
}

/// Waits until the server has looked at its database a first time, so that it knows the files.
async fn wait_for_a_look(server: &TestServer) {
    let database = Connection::open(server.database()).unwrap();
    soon("a look", async {
        let beats =
            || database.query_row("SELECT beats FROM heartbeat", (), |row| row.get::<_, u32>(0)).unwrap();
        // The first look is over when the second one has begun.
        while beats() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
