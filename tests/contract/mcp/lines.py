"""Checks of stdio by hand: lines no honest client sends, ends of the process, what reaches the daemon."""
import contextlib, json, os, signal, socket, subprocess

from harness import Skip
from raw import HELLO, Stdio, stream_begun, stream_ended
from wire import Source, event

SESSION = "sess_01kaq3v8e2m6zr0t5h9xw4c7yd"
NOBODY = 65534
LINE_LIMIT = 16 << 20  # bytes of a line; a longer one cannot be answered, for its id was not read


@contextlib.contextmanager
def stranger(run_dir):
    """A folder where agentd's socket is held by a user that is neither us, root, nor agentd's."""
    if os.geteuid() != 0:
        raise Skip("needs root to be somebody else")
    run_dir.mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(run_dir / "agentd.sock"))
        # The kernel tells the credentials of whoever called listen.
        os.seteuid(NOBODY)
        try:
            sock.listen()
        finally:
            os.seteuid(0)
        yield run_dir


def checks(suite, bridge, agentd):
    command = [bridge, "--run-dir", agentd.sock.parent]

    with suite.check("lines of garbage are answered or passed over, and the next call works"):
        with Stdio(command) as client:
            client.send_raw(b'garbage\n{\n[]\n\x00\xff\n{"jsonrpc":"2.0"}\n[{"jsonrpc":"2.0"}]\n"x"\n' + b"[" * 100_000 + b"\n")
            client.send_raw(b'{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{"name":7}}\n')
            assert client.call("system_query", {"query": "hostname"})["structuredContent"]
    with suite.check("an argument of 10 MB is refused in few words, and the next call works"):
        with Stdio(command) as client:
            answer = client.call("event_log", {"q": "x" * 10_000_000})
            assert answer["isError"] and answer["structuredContent"]["errors"][0]["at"] == "/q", str(answer)[:300]
            assert len(str(answer)) < 4000 and not client.call("system_health", {}).get("isError")
    with suite.check("a line over the limit is passed over, and the next call works"):
        with Stdio(command) as client:
            client.send_raw(b"x" * (LINE_LIMIT + 1) + b"\n")
            assert not client.call("system_health", {}).get("isError")
    with suite.check("a slow call does not hold up a quick one; cancelled, it closes its connection and is never answered"):
        with Stdio(command) as client:
            watching = client.start("event_watch", {"wait_secs": 120})
            assert client.call("system_query", {"query": "hostname"})["structuredContent"]
            stream_begun(agentd)
            client.notify("notifications/cancelled", {"requestId": watching})
            stream_ended(agentd)
            assert client.call("system_query", {"query": "hostname"})["structuredContent"]
        assert watching not in client.answers  # all of stdout was read
    with suite.check("the end of stdin ends it cleanly, whatever runs, and closes its connections"):
        with Stdio(command) as client:
            client.start("event_watch", {"wait_secs": 120})
            stream_begun(agentd)
            assert client.close() == 0
        stream_ended(agentd)
    with suite.check("calls before the end of stdin are answered"):
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "system_query", "arguments": {"query": "hostname"}}}
        lines = [hello, {"jsonrpc": "2.0", "method": "notifications/initialized"}, call]
        done = subprocess.run(command, input="".join(json.dumps(line) + "\n" for line in lines), capture_output=True, text=True, timeout=20)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0 and [answer["id"] for answer in answers] == [0, 1] and answers[1]["result"]["structuredContent"], done
    with suite.check("SIGTERM and SIGINT end it cleanly, also while stdin is no pipe"):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Stdio(command) as client:
                client.process.send_signal(number)
                assert client.process.wait(20) == 0
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = subprocess.Popen([str(part) for part in command], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
            ours.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
            assert b'"id":1' in ours.recv(4096)
            process.terminate()
            assert process.wait(20) == 0
    with suite.check("what an agent read stands in the ledger under its name and session"):
        with Stdio([*command, "--actor", "tester", "--session", SESSION]) as client:
            for _ in range(100):
                client.call("system_query", {"query": "uptime"})
        page = agentd.call("GET", "/events/log?type=agentd.session.read&actor=agent:tester").json
        payload = page["events"][0]["payload"]
        assert payload["session"] == SESSION and len(payload["calls"]) == 100
        assert all(call["call"] == "agentd.system.query" for call in payload["calls"])
    with suite.check("a bridge outlives its daemon: absent says how to start it, back is back"):
        with Stdio(command) as client:
            agentd.end()
            problem = client.call("system_health", {})["structuredContent"]
            assert problem["code"] == "daemon.absent" and "osmoda up" in problem["next_step"], problem
            agentd.start()
            assert not client.call("system_health", {}).get("isError")
    with suite.check("a socket of another user is not spoken to"), stranger(agentd.root / "strange") as run_dir:
        with Stdio([bridge, "--run-dir", run_dir]) as client:
            answer = client.call("system_query", {"query": "hostname"})
            assert answer["isError"] and answer["structuredContent"]["code"] == "daemon.untrusted", answer
    with suite.check("a long answer is whole as data and cut as text; a long stream says that there is more"):
        source = Source("watch")
        for _ in range(20):
            assert source.post(agentd.sock, [event("watch.note.taken", text="x" * 60_000)]).status == 200
        with Stdio(command) as client:
            answer = client.call("event_log", {"type": "watch.note.taken"})
            assert len(answer["structuredContent"]["events"]) == 20 and "[cut here: " in answer["content"][0]["text"][-80:]
            answer = client.call("event_watch", {"type": "watch.note.taken", "after_id": 0})
            watched = answer["structuredContent"]
            assert watched["truncated"] and 5 < len(watched["items"]) < 20 and json.loads(answer["content"][0]["text"]) == watched
    with suite.check("stdout is closed to logs even when everything is logged"):
        with Stdio(command, env={**os.environ, "OSMODA_LOG": "trace"}) as client:
            assert client.call("system_health", {})["structuredContent"]
    with suite.check("options that mean nothing are refused with what there is"):
        for option, hint in (("--toolsets=nope", "system, ledger"), ("--actor=a b", "not an actor"), ("--http=tcp:1", "unix:PATH"), ("--session=", "printable")):
            done = subprocess.run([bridge, option], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
            assert done.returncode == 2 and hint in done.stderr, (option, done.stderr)
