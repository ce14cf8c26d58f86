//! The chat client replays a file through the host, as the README says.

use std::path::Path;

use dm_e2e::{Host, build};
use tokio::process::Command;

#[tokio::test]
async fn every_line_of_the_readme_arrives_decrypts_and_matches() {
    replay_the_readme(&[]).await;
}

#[tokio::test]
async fn every_line_of_the_readme_arrives_decrypts_and_matches_on_redb() {
    replay_the_readme(&["--store", "redb"]).await;
}

#[tokio::test]
async fn every_line_of_the_readme_arrives_decrypts_and_matches_on_fjall() {
    replay_the_readme(&["--store", "fjall"]).await;
}

async fn replay_the_readme(args: &[&str]) {
    let host = Host::start(args).await.unwrap();
    let chat = build("chat").await.unwrap();
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let lines = std::fs::read_to_string(&readme).unwrap().lines().count();

    let output =
        Command::new(chat).args(["replay", "--server", &host.url()]).arg(readme).output().await.unwrap();

    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for count in [format!("{lines} arrived"), format!("{lines} decrypted"), format!("{lines} matched")] {
        assert!(said.contains(&count), "{said}");
    }
}
