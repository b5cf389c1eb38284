//! Fills a new database from a file.

use faf_lobby_store::SeedError;
use faf_lobby_store::seed::{Earlier, Row, SeedFile};
use rusqlite::types::Value as Cell;
use rusqlite::{OptionalExtension, Transaction, params_from_iter};
use serde_json::Value;

/// Plants all records of a file.
pub(super) fn plant(t: &Transaction<'_>, file: &SeedFile) -> Result<(), SeedError> {
    file.check()?;
    for row in file.rows()? {
        put(t, &row).map_err(|problem| SeedError::Record { record: row.record.clone(), problem })?;
    }
    Ok(())
}

fn put(t: &Transaction<'_>, row: &Row) -> Result<(), String> {
    let (mut columns, mut cells): (Vec<&str>, Vec<Cell>) =
        row.values.iter().map(|(column, value)| (column.as_str(), cell(value))).unzip();
    for (column, (table, name_column), name) in &row.numbers {
        let query = format!("SELECT id FROM {table} WHERE {name_column} = ?1");
        let number = t
            .prepare_cached(&query)
            .and_then(|mut select| select.query_row([name], |row| row.get(0)).optional());
        columns.push(column);
        cells
            .push(number.map_err(|error| error.to_string())?.ok_or_else(|| format!("there is no `{name}`"))?);
    }
    for (column, distance) in &row.times {
        let time = t.query_row("SELECT unixepoch() + ?1", [distance], |row| row.get(0));
        columns.push(column);
        cells.push(time.map_err(|error| error.to_string())?);
    }
    let table = row.table;
    let (columns, places) = (columns.join("\", \""), vec!["?"; columns.len()].join(", "));
    let mut statement = format!("INSERT INTO {table} (\"{columns}\") VALUES ({places})");
    match row.earlier {
        Earlier::Kept => {}
        Earlier::KeptInstead(column) => statement += &format!(" ON CONFLICT ({column}) DO NOTHING"),
        Earlier::Changed => {
            let id = &row.values["id"];
            statement = format!("UPDATE {table} SET (\"{columns}\") = ({places}) WHERE id = {id}");
        }
        Earlier::Replaced((table, name_column), referring) => {
            let same = format!("{table} WHERE id = ?1 OR {name_column} = ?2");
            let same_record = [cell(&row.values["id"]), cell(&row.values[name_column])];
            if let Some((referring, column)) = referring {
                let delete = format!("DELETE FROM {referring} WHERE {column} IN (SELECT id FROM {same})");
                execute(t, &delete, &same_record)?;
            }
            execute(t, &format!("DELETE FROM {same}"), &same_record)?;
        }
    }
    execute(t, &statement, &cells)
}

fn execute(t: &Transaction<'_>, statement: &str, cells: &[Cell]) -> Result<(), String> {
    let mut statement = t.prepare_cached(statement).map_err(|error| error.to_string())?;
    statement.execute(params_from_iter(cells)).map(drop).map_err(|error| error.to_string())
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().into(),
        },
        Value::String(text) => text.clone().into(),
        _ => Cell::Null,
    }
}
