//! [`SchemaContents`], the check that the tables in a schema belong to the store.
//!
//! A host may have a schema of the same name for its own tables. So the store compares the tables
//! in the schema with its own tables before it changes anything.

use dm_core::store::{StoreError, StoreErrorKind};
use tokio_postgres::GenericClient;

use crate::error::from_postgres;

/// The table that holds the schema's version.
const VERSION_TABLE: Table = ("schema_version", "single version");

/// A table: its name, and the names of its columns in order, separated by spaces.
type Table = (&'static str, &'static str);

const ACKED: Table = ("acked", "user_id device seq");
const COMMITS: Table = ("commits", "slot token used_at");
const DEVICES: Table = ("devices", "user_id device number cursor registered_at");

/// The store's other tables in schemas of version 1.
const TABLES_1: [Table; 8] = [
    ACKED,
    ("announcements", "publisher told until"),
    COMMITS,
    ("conversations", "id a b opened_at a_number b_number head last_at"),
    DEVICES,
    ("inbox", "seq at message_seq conversation user_id notice origin"),
    (
        "messages",
        "seq sender_seq recipient_seq sent_at received_at suite conversation id client_id sender recipient nonce \
         ephemeral payload",
    ),
    (
        "users",
        "id inbox_head inbox_floor oldest_at conversations registrations key_version key key_binding \
         key_published_at",
    ),
];

/// The store's other tables in schemas of version 2.
const TABLES_2: [Table; 10] = [
    ACKED,
    COMMITS,
    (
        "conversations",
        "id a b opened_at head last_at a_sent a_bytes a_seen b_sent b_bytes b_seen a_seen_before b_seen_before \
         fence gate",
    ),
    DEVICES,
    ("gates", "a b gate"),
    ("inbox", "seq at message_seq conversation user_id notice origin addressee"),
    (
        "messages",
        "seq sender_seq recipient_seq sent_at received_at suite conversation id client_id sender recipient nonce \
         ephemeral payload sender_number",
    ),
    ("record_guards", "owner kind"),
    ("records", "due revision tag kind owner name value"),
    (
        "users",
        "id inbox_head inbox_floor oldest_at registrations floor_proof revision_head revision_floor fence gate",
    ),
];

/// Lists the relations of the schema: tables, foreign tables, views, materialized views and
/// sequences. A row holds a relation's name, whether it is a table, and the names of its columns,
/// separated by spaces. Indexes are left out, because they belong to tables.
const RELATIONS: &str = "SELECT c.relname::text, c.relkind IN ('r', 'p'), coalesce((
        SELECT string_agg(a.attname::text, ' ' ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1";

/// The relations in the store's schema, from one snapshot of the database.
pub(crate) struct SchemaContents(Vec<Relation>);

struct Relation {
    name: String,
    is_table: bool,
    columns: String,
}

impl SchemaContents {
    /// Reads the relations. A schema that does not exist has none.
    pub(crate) async fn read(client: &impl GenericClient) -> Result<Self, StoreError> {
        let rows = client.query(RELATIONS, &[]).await.map_err(from_postgres)?;
        rows.iter()
            .map(|row| {
                Ok(Relation { name: row.try_get(0)?, is_table: row.try_get(1)?, columns: row.try_get(2)? })
            })
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(from_postgres)
    }

    /// Whether the version table exists.
    ///
    /// # Errors
    /// [`StoreErrorKind::ForeignTables`] if the relation with the version table's name is not a
    /// table or has other columns, or if the schema holds other relations but no version table.
    pub(crate) fn has_version(&self) -> Result<bool, StoreError> {
        if self.relation(VERSION_TABLE)?.is_some() {
            return Ok(true);
        }
        self.refuse_other_relations().map(|()| false)
    }

    /// Refuses a schema that holds relations other than the version table.
    ///
    /// # Errors
    /// [`StoreErrorKind::ForeignTables`]. The error names one of these relations.
    pub(crate) fn refuse_other_relations(&self) -> Result<(), StoreError> {
        match self.0.iter().find(|relation| relation.name != VERSION_TABLE.0) {
            Some(other) => Err(foreign_tables(&other.name, "the schema holds other tables")),
            None => Ok(()),
        }
    }

    /// Refuses a schema of a version, at least 1, in which a table of the store is missing or has
    /// other columns. Further relations are allowed.
    ///
    /// # Errors
    /// [`StoreErrorKind::ForeignTables`].
    pub(crate) fn require_store_tables(&self, version: usize) -> Result<(), StoreError> {
        let tables: &[Table] = if version == 1 { &TABLES_1 } else { &TABLES_2 };
        for table in tables {
            if self.relation(*table)?.is_none() {
                return Err(foreign_tables(VERSION_TABLE.0, "tables of its version are missing"));
            }
        }
        Ok(())
    }

    /// The relation with a table's name; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreErrorKind::ForeignTables`] if the relation is not a table or has other columns.
    fn relation(&self, (name, columns): Table) -> Result<Option<&Relation>, StoreError> {
        match self.0.iter().find(|relation| relation.name == name) {
            Some(found) if found.is_table && found.columns == columns => Ok(Some(found)),
            Some(_) => {
                Err(foreign_tables(name, "its kind or its columns are not those of the store's table"))
            }
            None => Ok(None),
        }
    }
}

/// The error about the relation `name`.
fn foreign_tables(name: &str, reason: &str) -> StoreError {
    let message = format!("`{name}` is not the store's: {reason}; configure another schema for the store");
    StoreError::new(StoreErrorKind::ForeignTables, message)
}
