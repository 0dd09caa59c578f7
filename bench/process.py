#!/usr/bin/env python3
"""What whole processes cost, beside a baseline in the same run: the bridge's share of a call, agentd idle, start-up.

Usage: process.py BIN_DIR. Prints one line a figure with its target; gates nothing."""
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("l")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def get(path, target):
    connection = Unix(path)
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    return json.loads(body)


def ready(path, deadline=20):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        try:
            return get(path, "/health")
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"{path} did not come up")


def start(bins, root):
    (run := root / "run").mkdir(exist_ok=True)
    args = [bins / "agentd", "--socket", run / "agentd.sock", "--state-dir", root / "state"]
    return subprocess.Popen(args, stderr=subprocess.DEVNULL), run / "agentd.sock"


def p50_us(samples):
    return statistics.median(samples) * 1e6


def bridge(bins, root, path, rounds=400):
    args = [bins / "osmoda-bridge", "--run-dir", root / "run"]
    child = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(number, method, params):
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        child.stdin.write(json.dumps(message).encode() + b"\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    ask(0, "initialize", client)
    child.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    call = {"name": "system_query", "arguments": {"query": "hostname"}}
    body = json.dumps({"query": "hostname"})
    through, direct = [], []
    for number in range(1, rounds + 1):
        begun = time.perf_counter()
        answer = ask(number, "tools/call", call)
        through.append(time.perf_counter() - begun)
        assert not answer["result"].get("isError"), answer
        begun = time.perf_counter()
        connection = Unix(path)
        connection.request("POST", "/system/query", body, {"content-type": "application/json", "x-osmoda-actor": "agent:main"})
        connection.getresponse().read()
        connection.close()
        direct.append(time.perf_counter() - begun)
    child.stdin.close()
    child.wait()
    added = p50_us(through) - p50_us(direct)
    print(f"bridge: a call takes {p50_us(through):.0f} us through it, {p50_us(direct):.0f} us direct: adds {added:.0f} us (target < 1000)")


def file_read(path, folder, rounds=9):
    """10 MB of text by file_read beside `cat` into a Unix socket."""
    file = folder / "ten"
    file.write_text("all work and no play\n" * 500_000)
    body = json.dumps({"path": str(file), "max_bytes": 16_777_216}).encode()
    request = b"POST /file/read HTTP/1.1\r\nhost: l\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    def received(sock):
        buffer, total = bytearray(1 << 20), 0
        while got := sock.recv_into(buffer):
            total += got
        sock.close()
        assert total >= file.stat().st_size, total

    ours, cat = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(str(path))
        sock.sendall(request)
        received(sock)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        sock, end = socket.socketpair()
        child = subprocess.Popen(["cat", file], stdout=end)
        end.close()
        received(sock)
        child.wait()
        cat.append(time.perf_counter() - begun)
    ratio = statistics.median(cat) / statistics.median(ours)
    print(f"file_read of 10 MB: {statistics.median(ours) * 1e3:.1f} ms, cat over a Unix socket {statistics.median(cat) * 1e3:.1f} ms = {ratio:.2f} x its speed (target >= 0.5)")


def idle(pid, secs=20):
    def cpu():
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    begun = cpu()
    time.sleep(secs)
    share = (cpu() - begun) / secs * 100
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    anon = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon"))
    print(f"agentd idle: RssAnon {anon:.1f} MB (target < 12), CPU {share:.2f} % of a core (target < 0.2)")


def discover(path, rounds=20):
    children, begun = [subprocess.Popen(["sleep", "600"]) for _ in range(200)], time.perf_counter()
    for _ in range(rounds):
        get(path, "/system/discover")
    took = (time.perf_counter() - begun) / rounds * 1e3
    [(child.kill(), child.wait()) for child in children]
    print(f"discover: {took:.1f} ms with 200 processes more (target < 60)")


def up(bins, root, rounds=5):
    alone, whole = [], []
    for number in range(rounds):
        begun = time.perf_counter()
        (folder := root / f"a{number}").mkdir()
        child, path = start(bins, folder)
        ready(path)
        alone.append(time.perf_counter() - begun)
        child.terminate()
        child.wait()
        folder = root / f"u{number}"
        begun = time.perf_counter()
        child = subprocess.Popen([bins / "osmoda", "up", "--dir", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ready(folder / "run" / "agentd.sock")
        whole.append(time.perf_counter() - begun)
        child.terminate()
        child.wait()
    ratio = statistics.median(whole) / statistics.median(alone)
    print(f"up: all healthy in {statistics.median(whole) * 1e3:.0f} ms, agentd alone {statistics.median(alone) * 1e3:.0f} ms = {ratio:.2f} (target <= 3)")


def main():
    bins = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        child, path = start(bins, root)
        try:
            ready(path)
            bridge(bins, root, path)
            discover(path)
            idle(child.pid)
            with tempfile.TemporaryDirectory() as folder:
                file_read(path, pathlib.Path(folder))
        finally:
            child.terminate()
            child.wait()
        up(bins, root)


if __name__ == "__main__":
    main()
