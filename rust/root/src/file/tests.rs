//! Which paths are admitted, whatever is asked.

use std::path::{Component, Path};

use osmoda_types::Code;
use proptest::prelude::*;

use super::place::{Places, Use};

fn places() -> Places {
    Places::new(vec!["/".into()], vec!["/srv".into(), "/etc".into()], vec!["/opt/state".into()])
}

fn refused(path: &str, wanted: Use) -> Option<Code> {
    places().admit(path, wanted).err().map(|problem| problem.code)
}

#[test]
fn a_path_has_one_spelling() {
    for path in ["", "srv", "/srv/../etc/shadow", "/srv/./x", "//srv", "/srv//x", "/srv/\0", "/srv/.."] {
        assert_eq!(refused(path, Use::Read), Some(Code::RequestField), "{path:?}");
    }
    for path in ["/", "/srv", "/srv/", "/srv/...", "/srv/a b\nc"] {
        assert_eq!(refused(path, Use::Read), None, "{path:?}");
    }
}

#[test]
fn what_decides_and_what_runs_as_root_is_protected_in_every_root() {
    let secret =
        ["/etc/shadow", "/etc/ssh/ssh_host_rsa_key", "/srv/home/ann/.ssh/id", "/opt/state/x", "/proc/1/mem"];
    for path in secret {
        assert_eq!(refused(path, Use::Read), Some(Code::PolicyDenied), "{path}");
        assert_eq!(refused(path, Use::Write), Some(Code::PolicyDenied), "{path}");
    }
    for path in ["/etc/passwd", "/etc/systemd/system/x.service", "/nix/store/abc-x/bin/x"] {
        assert_eq!(refused(path, Use::Read), None, "{path}");
        assert_eq!(refused(path, Use::Write), Some(Code::PolicyDenied), "{path}");
    }
    assert_eq!(
        refused("/etcetera", Use::Write),
        Some(Code::PolicyDenied),
        "a root is a folder, not a prefix"
    );
    assert_eq!(refused("/etc/shadow.old", Use::Write), None);
}

#[test]
fn any_bytes_are_a_verb_or_none() {
    bolero::check!().with_type::<Vec<u8>>().for_each(|bytes| {
        let _ = serde_json::from_slice::<crate::Verb>(bytes);
    });
}

proptest! {
    #[test]
    fn whatever_is_admitted_is_plain_and_below_a_root(
        path in r"(/|/srv|/etc|/proc)?(/?(\.\.?|[a-z.\\n]{0,4}|shadow|\.ssh|ssh)){0,6}/?",
    ) {
        if let Ok(place) = places().admit(&path, Use::Write) {
            let place = place.path();
            prop_assert!(place.starts_with("/srv") || place.starts_with("/etc"));
            prop_assert!(!place.starts_with("/etc/ssh") && place != Path::new("/etc/shadow"));
            prop_assert!(place.components().skip(1).all(|part| matches!(part, Component::Normal(name) if name != ".ssh")));
        }
    }
}
