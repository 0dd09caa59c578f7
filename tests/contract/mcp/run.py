#!/usr/bin/env python3
"""The bridge through the official clients, in front of the real agentd: the Python SDK and the MCP inspector.

Usage: run.py BIN_DIR, with the packages of requirements.txt and npm.txt."""
import asyncio, json, os, pathlib, subprocess, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from harness import Skip, Suite, playground, wait_for

import sdk
from raw import Stdio, post

BINS = pathlib.Path(sys.argv[1]).resolve()
GOLDEN = pathlib.Path(__file__).resolve().parents[3] / "rust/types/golden"
TOKEN = "a-token-of-some-length"


def examples():
    """Every tool's example arguments, as the catalogue gives them."""
    shapes = [json.loads(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]
    return {shape["tool"]: shape["example"]["input"] for shape in shapes if shape["tool"]}


def inspector(run_dir, *arguments):
    """Exit code and answer of the official inspector's command line over stdio."""
    command = ["mcp-inspector", "--cli", str(BINS / "osmoda-bridge"), "--run-dir", str(run_dir), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def serve(root, address, *more):
    process = subprocess.Popen([BINS / "osmoda-bridge", "--run-dir", root / "run", "--http", address, *more],
                               stderr=open(root / "bridge.log", "a"), env={**os.environ, "OSMODA_LOG": "info"})
    wait_for(f"the bridge on {address}", lambda: address.removeprefix("unix:") in (root / "bridge.log").read_text())
    return process


def inspect(suite, run_dir):
    with suite.check("inspector: lists every tool, and their schemas are portable"):
        code, out, err = inspector(run_dir, "--method", "tools/list", "--strict")
        assert code == 0, (code, err[-2000:], out[-500:])
        assert {tool["name"] for tool in json.loads(out)["tools"]} >= set(examples())
    with suite.check("inspector: calls a tool"):
        code, out, err = inspector(run_dir, "--method", "tools/call", "--tool-name", "system_query", "--tool-arg", "query=hostname")
        assert code == 0 and json.loads(out)["structuredContent"]["result"]["hostname"], (code, out, err)
    with suite.check("inspector: wrong arguments are named by their path"):
        _, out, err = inspector(run_dir, "--method", "tools/call", "--tool-name", "system_query", "--tool-arg", "query=colour")
        assert "request.field" in out + err and "/query" in out + err, (out, err)
    with suite.check("inspector: an unknown tool is an error that names it"):
        code, out, err = inspector(run_dir, "--method", "tools/call", "--tool-name", "system_heath")
        assert code != 0 and "system_heath" in out + err and "not found" in out + err, (code, out, err)


def stdio(suite, run_dir, agentd):
    command = [BINS / "osmoda-bridge", "--run-dir", run_dir]
    with suite.check("lines of garbage are answered or passed over, and the next call works"):
        with Stdio(command) as client:
            client.send_raw(b"garbage\n{\n[]\n\x00\xff\n{\"jsonrpc\":\"2.0\"}\n")
            assert client.call("system_query", {"query": "hostname"})["structuredContent"]
    with suite.check("an argument of 10 MB is refused, and the next call works"):
        with Stdio(command) as client:
            answer = client.call("event_log", {"q": "x" * 10_000_000})
            assert answer["isError"] and answer["structuredContent"]["errors"][0]["at"] == "/q", str(answer)[:300]
            assert not client.call("system_health", {}).get("isError")
    with suite.check("a slow call does not hold up a quick one, and cancelling it closes its connection"):
        with Stdio(command) as client:
            watching = client.start("event_watch", {"wait_secs": 120})
            before = client.answer_of(client.start("system_query", {"query": "hostname"}))
            assert before["result"]["structuredContent"]
            connections = lambda: int(next(line.split()[1] for line in agentd.call("GET", "/metrics").body.decode().splitlines()
                                           if line.startswith("osmoda_connections ")))
            wait_for("the stream's connection", lambda: connections() >= 2)
            client.notify("notifications/cancelled", {"requestId": watching})
            wait_for("its end", lambda: connections() == 1)
    with suite.check("the end of stdin and SIGTERM end it cleanly, whatever runs"):
        with Stdio(command) as client:
            client.start("event_watch", {"wait_secs": 120})
            assert client.close() == 0
        with Stdio(command) as client:
            client.process.terminate()
            assert client.process.wait(20) == 0
    with suite.check("what an agent read stands in the ledger under its name and session"):
        with Stdio([*command, "--actor", "tester", "--session", "sess_01kaq3v8e2m6zr0t5h9xw4c7yd"]) as client:
            for _ in range(100):
                client.call("system_query", {"query": "uptime"})
        page = agentd.call("GET", "/events/log?type=agentd.session.read&actor=agent:tester").json
        calls = page["events"][0]["payload"]["calls"]
        assert len(calls) == 100 and all(call["call"] == "agentd.system.query" and call["result_digest"] for call in calls)
    with suite.check("without a daemon a call says how to start it"):
        with Stdio([BINS / "osmoda-bridge", "--run-dir", run_dir / "nowhere"]) as client:
            problem = client.call("system_health", {})["structuredContent"]
            assert problem["code"] == "daemon.absent" and "osmoda up" in problem["next_step"], problem


def http(suite, root):
    (root / "token").write_text(TOKEN + "\n")
    with suite.check("an address that is not loopback, or loopback without a token, is refused"):
        for address in ("0.0.0.0:18799", "127.0.0.1:18799"):
            done = subprocess.run([BINS / "osmoda-bridge", "--http", address], capture_output=True, text=True, timeout=20)
            assert done.returncode != 0 and ("loopback" in done.stderr), done.stderr
    process = serve(root, "127.0.0.1:18799", "--token-file", root / "token")
    try:
        with suite.check("loopback: the SDK works with the token"):
            asyncio.run(sdk.over_http("http://127.0.0.1:18799/mcp", TOKEN))
        with suite.check("loopback: no token, a wrong one and a near miss are refused"):
            for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
                assert post(18799, headers) == 401, headers
        with suite.check("loopback: a page of another site and a rebound name are refused"):
            good = {"Authorization": f"Bearer {TOKEN}"}
            assert post(18799, good) == 200
            assert post(18799, {**good, "Origin": "https://evil.example"}) == 403
            assert post(18799, {**good, "Host": "evil.example"}) == 403
    finally:
        process.terminate()
        process.wait(20)
    process = serve(root, f"unix:{root / 'mcp.sock'}")
    with suite.check("Unix socket: the SDK works, the socket is for its user alone, and it leaves with the bridge"):
        assert (root / "mcp.sock").stat().st_mode & 0o777 == 0o600
        asyncio.run(sdk.over_unix(root / "mcp.sock"))
        process.terminate()
        assert process.wait(20) == 0 and not (root / "mcp.sock").exists()


def main():
    suite = Suite()
    with playground() as (root, make):
        agentd = make(BINS / "agentd", root).start()
        for name, check in sdk.checks(BINS / "osmoda-bridge", root / "run", examples()):
            with suite.check(f"SDK: {name}"):
                asyncio.run(check())
        stdio(suite, root / "run", agentd)
        http(suite, root)
        inspect(suite, root / "run")
        with suite.check("agentd is well after all of it"):
            assert agentd.health()["status"] == "ok" and "panic" not in agentd.log()
    suite.end()


if __name__ == "__main__":
    main()
