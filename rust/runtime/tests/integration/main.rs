//! What only a real process shows: signals, inherited sockets, the service manager's protocol, many connections.

#![expect(clippy::unwrap_used, reason = "in a test it is the failure to report")]

mod probe;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};

use probe::{Probe, rest_of};
use rustix::process::Signal;

#[test]
fn a_call_that_runs_is_answered_before_a_stopping_daemon_ends() {
    let mut probe = Probe::start("{}", &[]);
    let mut running = probe.connect();
    begin_write(&mut running);
    probe.signal(Signal::TERM);
    probe.told("STOPPING=1");
    write!(running, "{BODY}").unwrap();
    let answer = rest_of(&mut running);
    assert!(answer.contains("ledger.unavailable"), "there is no agentd here: {answer}");
    assert_eq!(probe.ended(), Some(0));
    assert!(!probe.socket.exists());
}

#[test]
fn a_caller_that_was_let_in_is_answered_though_it_asks_after_the_stop() {
    let mut probe = Probe::start("{}", &[]);
    let (mut waiting, mut idle) = (probe.connect(), probe.connect());
    write!(idle, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // Connections are accepted in order, so with an answer to the second one both are let in.
    assert!(idle.read(&mut [0; 8]).unwrap() > 0);
    probe.signal(Signal::TERM);
    rest_of(&mut idle);
    write!(waiting, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let answer = rest_of(&mut waiting);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(probe.ended(), Some(0));
}

#[test]
fn a_call_that_does_not_end_is_left_behind_after_the_drain() {
    let mut probe = Probe::start(r#"{"drain_secs": 1}"#, &[]);
    let mut stuck = probe.connect();
    begin_write(&mut stuck);
    probe.signal(Signal::TERM);
    assert_eq!(probe.ended(), Some(0));
    assert!(probe.log().contains("calls were still running at the end of the drain"));
}

#[test]
fn a_signal_right_after_ready_is_a_clean_stop() {
    for signal in [Signal::TERM, Signal::INT].into_iter().cycle().take(10) {
        let mut probe = Probe::start("{}", &[]);
        probe.signal(signal);
        assert_eq!(probe.ended(), Some(0));
    }
}

#[test]
fn sighup_changes_the_log_filter_and_nothing_else() {
    let probe = Probe::start(r#"{"log": {"filter": "warn"}}"#, &[]);
    let refused = || probe.log().matches("call refused").count();
    let reload = |config: &str| {
        std::fs::write(&probe.config, config).unwrap();
        probe.signal(Signal::HUP);
        probe.told("READY=1");
    };
    let wrong = || assert!(probe.get("/health?zzz=1").contains("request.field"));
    wrong();
    assert_eq!(refused(), 0, "a refused call is no warning");
    reload(r#"{"log": {"filter": "info"}}"#);
    wrong();
    assert_eq!(refused(), 1);
    reload("not JSON");
    assert!(probe.log().contains("the configuration is wrong; the old one stays"));
    reload(r#"{"log": {"filter": "warn"}, "drain_secs": 77}"#);
    assert!(probe.log().contains("a setting changed that needs a restart"));
    wrong();
    assert_eq!(refused(), 2, "the filter changed with a configuration that was not taken");
}

#[test]
fn an_inherited_socket_is_served_and_left_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("activated.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut probe = Probe::start_by("{}", &[("LISTEN_FDS", "1")], |probe| {
        let mut shell = Command::new("sh");
        // Inherited sockets begin at 3 and are for the process whose id LISTEN_PID names (sd_listen_fds(3)).
        shell.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0"]).arg(probe);
        shell.stdin(Stdio::from(OwnedFd::from(listener)));
        shell
    });
    assert!(!probe.socket.exists(), "it made a socket of its own beside the inherited one");
    probe.socket = path;
    assert!(probe.get("/health").starts_with("HTTP/1.1 200"));
    probe.signal(Signal::TERM);
    assert_eq!(probe.ended(), Some(0));
    assert!(probe.socket.exists(), "the socket belongs to the service manager");
}

#[test]
fn the_watchdog_is_fed_while_the_daemon_serves() {
    let probe = Probe::start("{}", &[("WATCHDOG_USEC", "200000")]);
    for _ in 0..3 {
        probe.told("WATCHDOG=1");
    }
}

#[test]
fn idle_connections_give_way_and_busy_ones_do_not() {
    let probe = Probe::start("{}", &[]);
    let mut busy = probe.connect();
    begin_write(&mut busy);
    let mut first = probe.connect();
    // More than the daemon serves at once (connections.rs); all of them stay open on our side.
    let idle: Vec<_> = (0..600).map(|_| probe.connect()).collect();
    assert!(probe.get("/health").starts_with("HTTP/1.1 200"), "an honest caller is shut out");
    assert_eq!(rest_of(&mut first), "", "the connection that was idle the longest is still there");
    write!(busy, "{BODY}").unwrap();
    assert!(
        rest_of(&mut busy).contains("ledger.unavailable"),
        "a call was cut for the sake of idle connections"
    );
    drop(idle);
}

const BODY: &str = r#"{"name": "a", "content": "b"}"#;

/// Sends the head of a call with an effect and waits until the daemon reads its body: from then on the call runs.
fn begin_write(stream: &mut UnixStream) {
    write!(
        stream,
        "POST /probe/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    )
    .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
}
