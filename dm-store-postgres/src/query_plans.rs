//! A test of query plans, at a million rows.
//!
//! Every statement of a send, an acknowledgement and a read must find its rows by an index. The
//! statement that reserves entries must lock users in the order of the array of their ids.

use dm_test_servers::postgres::Cluster;
use tokio_postgres::NoTls;

use crate::config::PostgresConfig;
use crate::{PostgresStore, connection, read, write};

/// Inserts a million messages in a hundred thousand conversations, a million inbox entries, a
/// thousand in each of a thousand inboxes, and two hundred thousand records of a thousand users.
const FILL: &str = "
    CREATE FUNCTION key(n bigint, size int) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
        AS 'SELECT decode(lpad(to_hex(n), 2 * size, ''0''), ''hex'')';
    CREATE FUNCTION id(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
        AS 'SELECT lpad(to_hex(n), 32, ''0'')::uuid';
    INSERT INTO dm.users (id, inbox_head) SELECT key(n, 32), 1000 FROM generate_series(1, 20000) n;
    INSERT INTO dm.conversations (id, a, b, opened_at, head, last_at)
        SELECT id(n), key(n, 32), key(n + 200000, 32), 0, 10, n FROM generate_series(1, 100000) n;
    INSERT INTO dm.gates SELECT key(n, 32), key(n + 300000, 32), '\\x01' FROM generate_series(1, 20000) n;
    INSERT INTO dm.messages SELECT 1 + n / 100000, n, n, 0, 0, NULL, id(1 + (n % 100000)), id(n), id(n),
            key(n % 20000, 32), key(n % 19999, 32), key(n, 24), NULL, key(n, 16)
        FROM generate_series(0, 999999) n;
    INSERT INTO dm.inbox SELECT 1 + n / 1000, 0, 1 + n / 100000, id(1 + (n % 100000)), key(1 + n % 1000, 32)
        FROM generate_series(0, 999999) n;
    INSERT INTO dm.devices SELECT key(n, 32), 'phone', 1, 0, 0 FROM generate_series(1, 20000) n;
    INSERT INTO dm.acked SELECT key(1 + n % 1000, 32), 'phone', 1 + n / 1000 FROM generate_series(0, 99999) n;
    INSERT INTO dm.records (due, revision, tag, kind, owner, name, value)
        SELECT CASE WHEN n % 10 = 0 THEN n END, 1 + n / 1000, id(n), 16385, key(1 + n % 1000, 33), key(n, 16),
            key(n, 50)
        FROM generate_series(0, 199999) n;";

#[tokio::test]
async fn indexed_statements_use_an_index_at_a_million_rows() {
    let database = Cluster::shared().empty_database();
    // The store is opened while the database is empty and has no statistics, because the plans must
    // not depend on statistics.
    drop(PostgresStore::open(&database.parameters()).await.unwrap());
    database.sql(FILL);
    let parameters = connection::parameters(&database.parameters(), &PostgresConfig::default()).unwrap();
    let mut reservations = 0;
    for analyzed in [false, true] {
        if analyzed {
            database.sql("ANALYZE");
        }
        let (client, connection) = parameters.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
        let statements = write::indexed_statements().into_iter().chain(read::statements());
        for (n, sql) in statements.enumerate() {
            let statement = client.prepare(&sql).await.unwrap();
            let nulls = vec!["NULL"; statement.params().len()].join(", ");
            client.batch_execute(&format!("PREPARE s{n} AS {sql}")).await.unwrap();
            let explain = format!("EXPLAIN EXECUTE s{n}({nulls})");
            let rows = client.simple_query(&explain).await.unwrap();
            let lines: Vec<String> = rows
                .iter()
                .filter_map(|row| match row {
                    tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                    _ => None,
                })
                .collect();
            assert_no_full_scan(&sql, &lines);
            if sql == write::entries_statement() {
                assert_order_of_array(&lines);
                reservations += 1;
            }
        }
    }
    assert_eq!(reservations, 2, "the reservation of entries is not among the indexed statements");
}

/// Asserts that the plan loops over the array in the array's order, and finds each user by an
/// index.
fn assert_order_of_array(plan: &[String]) {
    let nodes: Vec<&str> = plan.iter().filter_map(|line| line.split("->").nth(1)).map(str::trim).collect();
    let expected = ["Nested Loop", "Function Scan on n", "Index Scan using users_pkey on users u"];
    let is_expected = |(node, expected): (&&str, &str)| node.starts_with(expected);
    assert!(nodes.len() == 3 && nodes.iter().zip(expected).all(is_expected), "{}", plan.join("\n"));
}

/// The condition of the index scan in line `n` of a plan.
fn index_condition(plan: &[String], n: usize) -> Option<&String> {
    let below = plan[n + 1..].iter().take_while(|line| !line.contains("->"));
    below.into_iter().find(|line| line.contains("Index Cond"))
}

/// Asserts that no table is read in full: there is no sequential scan, and each index scan has a
/// condition. In the index of records, it has the column that tells the records of an owner or a kind
/// apart.
fn assert_no_full_scan(sql: &str, plan: &[String]) {
    let plan_text = || format!("{sql}\n{}", plan.join("\n"));
    assert!(plan.iter().any(|line| line.contains("Index")), "{}", plan_text());
    for (n, line) in plan.iter().enumerate() {
        assert!(!line.contains("Seq Scan"), "{}", plan_text());
        if ["Index Scan", "Index Only Scan"].iter().any(|scan| line.contains(scan)) {
            assert!(index_condition(plan, n).is_some(), "{}", plan_text());
        }
        for (index, column) in [("pkey", "name"), ("by_due", "due"), ("by_revision", "revision")] {
            if line.contains(&format!("records_{index}")) {
                let condition = index_condition(plan, n);
                assert!(condition.is_some_and(|text| text.contains(column)), "{}", plan_text());
            }
        }
    }
}
