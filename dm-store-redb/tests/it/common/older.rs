//! Changes files back to older versions of the schema.

use std::path::Path;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _};

type Table<'a> = TableDefinition<'a, &'static [u8], &'static [u8]>;

/// The names of the runs in a closed file.
pub fn runs(path: &Path) -> Vec<String> {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let names = transaction.list_tables().unwrap().map(|table| table.name().to_owned());
    names.filter(|name| name.contains("_run_")).collect()
}

/// Changes a closed file back to version 2 of the schema: the row of a conversation's id holds only
/// its ref.
pub fn back_to_version_2(path: &Path) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut ids = transaction.open_table(Table::new("dm_conversation_ids")).unwrap();
        let rows: Vec<_> = ids
            .iter()
            .unwrap()
            .map(|row| row.map(|(id, value)| (id.value().to_vec(), value.value().to_vec())).unwrap())
            .collect();
        for (id, row) in rows {
            ids.insert(id.as_slice(), &row[..4]).unwrap();
        }
        let mut schema = transaction.open_table(Table::new("dm_schema")).unwrap();
        schema.insert(b"version".as_slice(), 2_u32.to_be_bytes().as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

/// Changes a closed file back to version 1 of the schema: in addition, all rows are in the main
/// tables and none in runs.
pub fn back_to_version_1(path: &Path) {
    back_to_version_2(path);
    let runs = runs(path);
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut schema = transaction.open_table(Table::new("dm_schema")).unwrap();
        for log in ["dm_sequence", "dm_inbox"] {
            let mut main = transaction.open_table(Table::new(log)).unwrap();
            for name in runs.iter().filter(|name| name.starts_with(log)) {
                let run = transaction.open_table(Table::new(name)).unwrap();
                for row in run.iter().unwrap() {
                    let (key, value) = row.unwrap();
                    main.insert(key.value(), value.value()).unwrap();
                }
                drop(run);
                transaction.delete_table(Table::new(name)).unwrap();
            }
            schema.remove(log.as_bytes()).unwrap();
        }
        schema.insert(b"version".as_slice(), 1_u32.to_be_bytes().as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}
