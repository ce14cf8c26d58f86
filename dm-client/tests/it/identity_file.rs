//! The identity file is created once, is private, and is never overwritten.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::{fs, thread};

use dm_client::{Entropy, EntropyError, Identity, IdentityFileError, OsEntropy};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("identity");
    (folder, path)
}

fn load(path: &Path) -> Result<Identity, IdentityFileError> {
    Identity::load_or_create(path, &mut OsEntropy)
}

/// Creates the identity file and replaces its content. The file keeps its mode.
fn replace(path: &Path, content: impl AsRef<[u8]>) {
    load(path).unwrap();
    fs::write(path, content).unwrap();
}

fn names_in(folder: &TempDir) -> Vec<String> {
    fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn a_second_load_gives_the_same_identity_and_leaves_only_the_file() {
    let (folder, path) = folder();
    let made = load(&path).unwrap();
    let loaded = load(&path).unwrap();
    assert_eq!(made.user_id(), loaded.user_id());
    assert_eq!(made.sign(b"message"), loaded.sign(b"message"));
    assert_eq!(names_in(&folder), ["identity"]);
}

#[test]
fn the_file_has_the_documented_format() {
    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
            out.fill(7);
            Ok(())
        }
    }
    let (_folder, path) = folder();
    let identity = Identity::load_or_create(&path, &mut Sevens).unwrap();
    let expected = format!("dm identity v1\nseed {}\npublic {}\n", "07".repeat(32), identity.user_id());
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn concurrent_first_starts_all_get_the_same_identity() {
    let (folder, path) = folder();
    let barrier = Barrier::new(8);
    let keys: Vec<_> = thread::scope(|scope| {
        let start = || {
            barrier.wait();
            load(&path).unwrap().user_id()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(load(&path).unwrap().user_id(), keys[0]);
    assert_eq!(names_in(&folder), ["identity"]);
}

#[test]
fn a_damaged_file_is_a_typed_error_and_is_not_changed() {
    let (folder, path) = folder();
    load(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    // With another digit in the seed, the identity differs from the public key in the file.
    let digit = if good.as_bytes()[20] == b'0' { "1" } else { "0" };
    let damaged = [
        String::new(),
        "\n".to_owned(),
        "dm identity v1".to_owned(),
        "dm identity v1\n".to_owned(),
        good[..good.len() - 1].to_owned(),
        format!("{good}\n"),
        format!("{good}{}", "x".repeat(100_000)),
        format!("{}{digit}{}", &good[..20], &good[21..]),
        good.replace("public ", "public  "),
        good.replace("\nseed ", "\nsead "),
        good.replace('\n', "\r\n"),
        good[15..].to_owned(),
        "\0".repeat(157),
    ];
    for content in damaged {
        fs::write(&path, &content).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(&error, IdentityFileError::Damaged { path: named } if *named == path), "{error:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names_in(&folder), ["identity"]);
    }
    fs::write(&path, b"dm identity v1\nseed \xff\xfe").unwrap();
    assert!(matches!(load(&path), Err(IdentityFileError::Damaged { .. })));
}

#[test]
fn a_newer_version_is_a_typed_error_and_is_not_changed() {
    let (_folder, path) = folder();
    for content in ["dm identity v2\nseed argon2id ...\n", "dm identity v10\n"] {
        replace(&path, content);
        assert!(matches!(load(&path), Err(IdentityFileError::UnknownVersion { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn errors_name_the_file_and_do_not_show_its_content() {
    let (_folder, path) = folder();
    load(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{good}x")).unwrap();
    let error = load(&path).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("identity"));
    assert!(!shown.contains(&good[20..40]));
}

#[test]
fn a_missing_folder_is_a_typed_error() {
    let (_folder, path) = folder();
    let error = load(&path.join("deeper")).unwrap_err();
    assert!(matches!(error, IdentityFileError::Io { .. }), "{error:?}");
}

#[test]
fn without_randomness_no_file_is_created() {
    struct Broken;
    impl Entropy for Broken {
        fn fill(&mut self, _out: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError::new("no device"))
        }
    }
    let (folder, path) = folder();
    let error = Identity::load_or_create(&path, &mut Broken).unwrap_err();
    assert!(matches!(error, IdentityFileError::Entropy(_)));
    assert!(names_in(&folder).is_empty());
}

#[cfg(unix)]
mod modes {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_file_is_accessible_to_its_owner_only() {
        let (_folder, path) = folder();
        load(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_other_users_can_access_is_refused() {
        let (_folder, path) = folder();
        load(&path).unwrap();
        for mode in [0o644, 0o640, 0o620, 0o604, 0o610] {
            set_mode(&path, mode);
            let error = load(&path).unwrap_err();
            assert!(
                matches!(error, IdentityFileError::ReadableByOthers { mode: m, .. } if m == mode),
                "{error:?}"
            );
        }
        set_mode(&path, 0o400);
        load(&path).unwrap();
    }

    #[test]
    fn a_folder_in_place_of_the_file_is_a_typed_error() {
        let (_folder, path) = folder();
        fs::create_dir(&path).unwrap();
        set_mode(&path, 0o700);
        assert!(matches!(load(&path), Err(IdentityFileError::Io { .. })));
    }
}
