//! Problems with the database that `/health` reports.

use faf_lobby::store::OtherProgram;

use super::support::{TestServer, soon};

/// Waits until `/health` has this status; returns its body.
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
async fn locked_database_is_reported() {
    let server = TestServer::start().await;
    let other = OtherProgram::open(&server.database()).unwrap();
    other.lock().unwrap();
    let text = wait_for(&server, 503).await;
    assert!(text.contains("nothing can be written") && text.contains("\"lobby\":\"ok\""), "{text}");
    server.wait_for_metric("server_database_up 0").await;
    drop(other);
    wait_for(&server, 200).await;
    server.wait_for_metric("server_database_up 1").await;
}

#[tokio::test]
async fn removed_replaced_or_read_only_database_is_reported() {
    let server = TestServer::start().await;
    wait_for_first_check(&server).await;
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
async fn removed_files_beside_the_database_are_reported() {
    let server = TestServer::start().await;
    wait_for_first_check(&server).await;
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
async fn damaged_database_is_reported() {
    let server = TestServer::start().await;
    wait_for_first_check(&server).await;
    // A checkpoint moves all data into the main file, so that the WAL does not hide the damage.
    server.store().checkpoint().await.unwrap();
    let mut content = std::fs::read(server.database()).unwrap();
    content[4096..].fill(0xAB);
    // The same file with other content.
    std::fs::write(server.database(), content).unwrap();
    let text = wait_for(&server, 503).await;
    assert!(text.contains("damaged"), "{text}");
}

/// Waits until the server has checked its database once, so that it has recorded the files.
async fn wait_for_first_check(server: &TestServer) {
    soon("a health check", async {
        // The first check is complete when the second one has begun.
        while server.facts().await.beats < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
