//! Migrations of the schema.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

/// Scripts that migrate a database from one version to the next; the first creates version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_live_games.sql"),
    include_str!("migrations/0003_operators.sql"),
    include_str!("migrations/0004_outbox.sql"),
    include_str!("migrations/0005_queues.sql"),
    include_str!("migrations/0006_own_key.sql"),
];

/// Marks the file as a database of this server: "FAFL".
const APPLICATION_ID: i32 = 0x4641_464C;

/// Applies the missing migrations, all of them or none.
///
/// # Errors
/// A description of the problem, and what to do about it.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), String> {
    let failed =
        |error: rusqlite::Error| format!("the tables cannot be migrated: {}", super::open::explain(&error));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let pragma = |name: &str| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let version = pragma("user_version").map_err(failed)?;
    let application = pragma("application_id").map_err(failed)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err("this database belongs to another program; name another file".to_owned());
    }
    let done = usize::try_from(version).unwrap_or(0);
    if done > MIGRATIONS.len() {
        return Err(format!(
            "this database was made by a newer version of faf-lobby (schema version {version}; this version knows up to {}); \
             use that version, or restore a backup",
            MIGRATIONS.len()
        ));
    }
    for migration in &MIGRATIONS[done..] {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i32).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Inspects a database without changing it; returns a warning for the operator, if there is one.
///
/// # Errors
/// A description of the problem, and what to do about it.
pub(crate) fn inspect(path: &Path) -> Result<Option<String>, String> {
    let failed = |error: rusqlite::Error| super::open::explain(&error);
    let connection = super::open::connect(path, super::open::READ_ONLY).map_err(failed)?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
    let version = usize::try_from(pragma("user_version").map_err(failed)?).unwrap_or(0);
    if pragma("application_id").map_err(failed)? != APPLICATION_ID && tables > 0 {
        return Err("this database belongs to another program; name another file".to_owned());
    }
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly()) {
        return Err("it is read-only".to_owned());
    }
    if version > MIGRATIONS.len() {
        return Err("this database was made by a newer version of faf-lobby".to_owned());
    }
    Ok((tables > 0 && version < MIGRATIONS.len()).then(|| {
        "it was made by an older version and will be migrated at startup: make a backup first".to_owned()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::Sqlite;
    use super::*;

    #[tokio::test]
    async fn databases_of_all_versions_are_migrated() {
        let folder = tempfile::tempdir().unwrap();
        for version in 0..=MIGRATIONS.len() {
            let path = folder.path().join(format!("{version}.sqlite"));
            let old = Connection::open(&path).unwrap();
            MIGRATIONS[..version].iter().for_each(|migration| old.execute_batch(migration).unwrap());
            if version > 0 {
                old.execute_batch("INSERT INTO map_pool (id, name) VALUES (7, 'kept')").unwrap();
                old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
                old.pragma_update(None, "user_version", version as i32).unwrap();
            }
            drop(old);
            let store = Sqlite::open(&path).unwrap();
            let query = "SELECT (SELECT count(*) FROM map_pool), (SELECT count(*) FROM live_game)";
            let counts = store.read(move |t| t.query_row(query, (), |row| Ok((row.get(0)?, row.get(1)?))));
            assert_eq!(counts.await.unwrap(), (i64::from(version > 0), 0), "from version {version}");
        }
    }

    #[test]
    fn keys_for_hmac_are_removed_and_others_stay() {
        let mut connection = Connection::open_in_memory().unwrap();
        MIGRATIONS[..5].iter().for_each(|migration| connection.execute_batch(migration).unwrap());
        connection.execute_batch("INSERT INTO own_key (id, key) VALUES (1, zeroblob(32))").unwrap();
        connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        connection.pragma_update(None, "user_version", 5).unwrap();
        migrate(&mut connection).unwrap();
        let keys = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM own_key", (), |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(keys(&connection), 0);
        connection.execute_batch("INSERT INTO own_key (id, key) VALUES (1, zeroblob(1200))").unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(keys(&connection), 1);
    }
}
