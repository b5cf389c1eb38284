//! Looks at a database without changing it, for operators.

use crate::connect::connect;
use crate::error::Result;
use crate::options::Options;
use crate::own_tables;
use crate::schema::NEWEST_SCHEMA;
use crate::session::Session;

/// Privileges that the server needs on all tables.
const NEEDED: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// Inspects a database: whether it can be reached, has FAF's schema in a version that can be used,
/// may be written to, and has the tables of this server. Returns a warning for the operator, if
/// there is one.
///
/// # Errors
/// A description of a problem with which a server cannot run, and what to do about it.
pub fn inspect(options: &Options) -> std::result::Result<Option<String>, String> {
    let mut session = connect(options).map_err(|error| format!("{options}: {}", error.explain()))?;
    findings(&mut session)
        .map_err(|error| format!("{options}: {}", error.explain()))?
        .map_err(|problem| format!("{options}: {problem}"))
}

fn findings(s: &mut Session) -> Result<std::result::Result<Option<String>, String>> {
    if s.one("SELECT @@read_only", (), |row| row.get(0))? {
        return Ok(Err("it is read-only: name the primary server, or set read_only = 0 there".to_owned()));
    }
    let privileges = privileges(s)?;
    let has = |name: &str| privileges.iter().any(|privilege| privilege == name);
    // Privileges that come with a role or with single tables are not listed there.
    let is_complete = privileges.is_empty() || NEEDED.into_iter().all(has);
    if !is_complete {
        return Ok(Err(format!("grant the account {} on the database", NEEDED.join(", "))));
    }
    let mut warnings = Vec::new();
    if !s.schema().has_own_tables() && (privileges.is_empty() || !has("CREATE")) {
        warnings.push(format!(
            "the tables of this server are missing, and the account may not create them: {}; grant it CREATE",
            own_tables::WITHOUT
        ));
    }
    if let Some(version) = s.schema().version.filter(|version| *version > NEWEST_SCHEMA) {
        warnings.push(format!(
            "its schema has version {version}, and this server was tested up to {NEWEST_SCHEMA}"
        ));
    }
    Ok(Ok((!warnings.is_empty()).then(|| warnings.join("; "))))
}

/// Returns the privileges of the account on the whole database, as far as they can be seen.
fn privileges(s: &mut Session) -> Result<Vec<String>> {
    let query = "SELECT PRIVILEGE_TYPE FROM (
           SELECT PRIVILEGE_TYPE, GRANTEE FROM information_schema.USER_PRIVILEGES
           UNION ALL
           SELECT PRIVILEGE_TYPE, GRANTEE FROM information_schema.SCHEMA_PRIVILEGES
           WHERE DATABASE() LIKE TABLE_SCHEMA
         ) p
         WHERE GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''',
                                SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')
           AND PRIVILEGE_TYPE <> 'USAGE'";
    s.select(query, (), |row| row.get(0))
}
