//! Replacing a file: modes, links, and files that must not be written.

use super::*;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_mode_is_kept_where_it_may_be_and_new_files_are_private() {
    let directory = directory();
    let file = directory.path().join("new/config.toml");
    replace(&file, "one", Privacy::WhenNew).unwrap();
    assert_eq!(mode(&file), 0o600);
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    replace(&file, "two", Privacy::WhenNew).unwrap();
    assert_eq!((mode(&file), fs::read_to_string(&file).unwrap().as_str()), (0o640, "two"));
    replace(&file, "three", Privacy::Always).unwrap();
    assert_eq!(mode(&file), 0o600);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn a_link_stays_a_link() {
    let directory = directory();
    let real = directory.path().join("dotfiles/soong.toml");
    let link = directory.path().join("config.toml");
    std::os::unix::fs::symlink("dotfiles/soong.toml", &link).unwrap();
    for text in ["into a target that is not there yet", "again"] {
        replace(&link, text, Privacy::WhenNew).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("dotfiles/soong.toml"));
        assert_eq!(fs::read_to_string(&real).unwrap(), text);
    }
    let ring = directory.path().join("ring");
    std::os::unix::fs::symlink(&ring, &ring).unwrap();
    assert!(replace(&ring, "x", Privacy::WhenNew).is_err());
}

#[test]
fn what_is_marked_read_only_is_left_alone() {
    let directory = directory();
    let file = directory.path().join("config.toml");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let error = replace(&file, "new", Privacy::WhenNew).unwrap_err();
    assert!(error.to_string().ends_with("it is read-only"), "{error}");
    assert_eq!(error.hints(), [format!("allow it: chmod u+w {}", file.display())]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
}
