//! Who resolves names, from resolv.conf(5).

use std::fs::File;
use std::io::Read;

use osmoda_types::api::agentd::network::Dns;

/// As much of a file as is read; resolvers use three servers.
const MOST_BYTES: u64 = 64 * 1024;
const MOST_ENTRIES: usize = 32;

/// The servers that programs ask, and where that is systemd's local one, whom it asks.
pub(super) fn dns() -> Dns {
    let mut dns = parse(&read("/etc/resolv.conf"));
    // systemd-resolved listens on these (systemd-resolved.service(8)).
    if dns.servers.iter().any(|server| server == "127.0.0.53" || server == "127.0.0.54") {
        dns.upstream = parse(&read("/run/systemd/resolve/resolv.conf")).servers;
    }
    dns
}

/// No file is no server.
fn read(path: &str) -> String {
    let mut text = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(MOST_BYTES).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn parse(text: &str) -> Dns {
    let mut dns = Dns::default();
    for line in text.lines() {
        let mut words = line.split(['#', ';']).next().unwrap_or_default().split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => dns.servers.extend(words.next().map(str::to_owned)),
            // The last one counts.
            Some("search" | "domain") => dns.search = words.take(MOST_ENTRIES).map(str::to_owned).collect(),
            _ => {}
        }
    }
    dns.servers.truncate(MOST_ENTRIES);
    dns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn servers_and_the_last_search_list_are_read() {
        let dns = parse(
            "# by dhcp\nnameserver 192.0.2.1\nsearch a.test\n nameserver 2001:db8::1 # two\nsearch b.test c.test\noptions edns0\n",
        );
        assert_eq!(dns.servers, ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(dns.search, ["b.test", "c.test"]);
        assert_eq!(parse("nameserver"), Dns::default());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in ".*") {
            prop_assert!(parse(&text).servers.len() <= MOST_ENTRIES);
        }
    }
}
