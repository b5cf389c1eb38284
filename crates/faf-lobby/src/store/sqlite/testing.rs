//! Databases for tests.

use rusqlite::types::Value;

use super::Sqlite;

/// Creates a database in a folder that is removed after the test.
pub(crate) fn new_sqlite() -> (Sqlite, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Sqlite::open(&folder.path().join("test.sqlite")).unwrap(), folder)
}

/// Makes every write fail, and nothing else; or ends that.
pub(crate) async fn refuse_writes(store: &Sqlite, refuse: bool) {
    store
        .run_on_writer(move |connection| connection.pragma_update(None, "query_only", refuse))
        .await
        .unwrap();
}

/// Changes stored data, as another program or a mistake would.
pub(super) async fn change(store: &Sqlite, sql: &'static str) {
    store.write(move |t| t.execute_batch(sql)).await.unwrap();
}

/// Returns all rows of a query, one line each.
pub(super) async fn rows(store: &Sqlite, query: &'static str) -> Vec<String> {
    let all = store.read(move |t| {
        let mut select = t.prepare(query)?;
        let columns = select.column_count();
        let cell = |value: Value| match value {
            Value::Null => "-".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text,
            Value::Blob(_) => "blob".to_owned(),
        };
        let row = select.query_map((), |row| {
            let cells: rusqlite::Result<Vec<String>> =
                (0..columns).map(|column| row.get(column).map(cell)).collect();
            Ok(cells?.join(" "))
        });
        row?.collect()
    });
    all.await.unwrap()
}
