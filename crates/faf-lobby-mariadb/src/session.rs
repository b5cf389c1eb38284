//! One connection: statements with parameters in, rows out.

use mysql::prelude::{FromValue, Queryable};
use mysql::{Conn, Params, Value};

use faf_lobby_store::Message;
use faf_protocol::server_message::Rating;

use crate::error::{Error, Result};
use crate::schema::Schema;

/// A connection to a database whose schema is known.
pub(crate) struct Session {
    connection: Conn,
    schema: Schema,
    /// Messages to publish after the transaction, for a database without our tables.
    pub(crate) messages: Vec<Message>,
    /// Whether a transaction has begun and has not ended. It ends with the connection.
    pub(crate) is_in_transaction: bool,
    /// Whether a statement that changes something has succeeded: only that shows that the database
    /// can be written to.
    pub(crate) has_written: bool,
}

impl Session {
    pub(crate) fn new(connection: Conn, schema: Schema) -> Self {
        Self { connection, schema, messages: Vec::new(), is_in_transaction: false, has_written: false }
    }

    /// Returns what the database's version of the schema has.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Executes a statement, and returns the number of rows that it matched or inserted.
    pub(crate) fn execute(&mut self, statement: &str, values: impl Into<Params>) -> Result<u64> {
        self.connection.exec_drop(statement, values)?;
        self.has_written = true;
        Ok(self.connection.affected_rows())
    }

    /// Returns the number that the database assigned to the row that was inserted last.
    pub(crate) fn last_id(&self) -> u64 {
        self.connection.last_insert_id()
    }

    /// Sends a statement without parameters that needs no preparation, such as `COMMIT`.
    pub(crate) fn command(&mut self, command: &str) -> Result<()> {
        Ok(self.connection.query_drop(command)?)
    }

    /// Returns whether the connection still works.
    pub(crate) fn ping(&mut self) -> bool {
        self.connection.ping().is_ok()
    }

    /// Returns all rows of a query.
    ///
    /// # Errors
    /// If the query fails or `read` fails for one of the rows.
    pub(crate) fn select<T>(
        &mut self,
        query: &str,
        values: impl Into<Params>,
        read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.rows(query, values)?.iter().map(read).collect()
    }

    /// Returns those rows of a query whose values convert, so that one bad row cannot hide
    /// the rest.
    pub(crate) fn select_valid<T>(
        &mut self,
        query: &str,
        values: impl Into<Params>,
        mut read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let rows = self.rows(query, values)?;
        let valid = rows.iter().filter_map(|row| match read(row) {
            Err(Error::Value { column }) => {
                tracing::warn!(column, "a row of the database does not convert and is skipped");
                None
            }
            other => Some(other),
        });
        valid.collect()
    }

    /// Returns the first row of a query.
    pub(crate) fn first<T>(
        &mut self,
        query: &str,
        values: impl Into<Params>,
        read: impl FnOnce(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.rows(query, values)?.first().map(read).transpose()
    }

    /// Returns the only row of a query that always has one.
    pub(crate) fn one<T>(
        &mut self,
        query: &str,
        values: impl Into<Params>,
        read: impl FnOnce(&Row) -> Result<T>,
    ) -> Result<T> {
        let row = self.first(query, values, read)?;
        row.ok_or_else(|| Error::Refused("the database returned no row".to_owned()))
    }

    fn rows(&mut self, query: &str, values: impl Into<Params>) -> Result<Vec<Row>> {
        let rows: Vec<mysql::Row> = self.connection.exec(query, values)?;
        Ok(rows.into_iter().map(Row).collect())
    }
}

/// A row of a result.
pub(crate) struct Row(mysql::Row);

impl Row {
    /// Returns the value of a column, by its position.
    ///
    /// # Errors
    /// [`Error::Value`] if it does not have this type, is out of its range, or is missing.
    pub(crate) fn get<T: FromValue>(&self, position: usize) -> Result<T> {
        self.0.get_opt(position).and_then(std::result::Result::ok).ok_or_else(|| self.unfit(position))
    }

    /// Returns the number in a column that is selected with `CAST(... AS CHAR)`, as far as its
    /// digits go: floating-point columns have 32 bits, and other services read six digits of them.
    pub(crate) fn number(&self, position: usize) -> Result<f64> {
        self.optional_number(position)?.ok_or_else(|| self.unfit(position))
    }

    /// Returns the number in such a column, unless it is NULL.
    pub(crate) fn optional_number(&self, position: usize) -> Result<Option<f64>> {
        let text: Option<String> = self.get(position)?;
        text.map(|text| text.parse().map_err(|_| self.unfit(position))).transpose()
    }

    /// Returns a mean and a deviation from this column and the next.
    pub(crate) fn rating(&self, position: usize) -> Result<Rating> {
        Ok(Rating { mean: self.number(position)?, deviation: self.number(position + 1)? })
    }

    fn unfit(&self, position: usize) -> Error {
        let column = self.0.columns_ref().get(position).map(|column| column.name_str().into_owned());
        Error::Value { column: column.unwrap_or_else(|| position.to_string()) }
    }
}

/// Converts any number of values into the parameters of a statement.
pub(crate) fn parameters(values: impl IntoIterator<Item = Value>) -> Params {
    Params::Positional(values.into_iter().collect())
}
