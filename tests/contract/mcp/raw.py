"""MCP by hand, for what no honest client does."""
import json, subprocess, threading

from harness import wait_for
from wire import Source, event

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}


def connections(agentd):
    """How many agentd has now, this one included."""
    metrics = agentd.call("GET", "/metrics").body.decode().splitlines()
    return int(next(line.split()[1] for line in metrics if line.startswith("osmoda_connections ")))


def stream_begun(agentd):
    wait_for("the stream's connection", lambda: connections(agentd) == 2)


def stream_ended(agentd):
    """agentd notices that a reader has left when it next has something to tell, so it is given that."""
    source = Source("watch")
    told = lambda: source.post(agentd.sock, [event("watch.check.done")]).status == 200
    wait_for("the end of the stream's connection", lambda: told() and connections(agentd) == 1)


class Stdio:
    """One bridge on pipes; answers are kept by their id."""

    def __init__(self, command, env=None):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, env=env)
        self.answers, self.foreign, self.came, self.next = {}, [], threading.Condition(), 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.answer_of(self._request("initialize", HELLO))
        self.notify("notifications/initialized", {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        assert not self.foreign, f"no protocol on stdout: {self.foreign[0][:300]!r}"

    def _read(self):
        for line in self.process.stdout:
            with self.came:
                try:
                    message = json.loads(line)
                    self.answers[message.get("id")] = message
                except (ValueError, AttributeError):
                    self.foreign.append(line)
                self.came.notify_all()

    def send_raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def _request(self, method, params):
        self.next += 1
        self.send_raw(json.dumps({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}).encode() + b"\n")
        return self.next

    def notify(self, method, params):
        self.send_raw(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode() + b"\n")

    def start(self, tool, arguments):
        return self._request("tools/call", {"name": tool, "arguments": arguments})

    def answer_of(self, number):
        with self.came:
            assert self.came.wait_for(lambda: number in self.answers, 60), f"no answer to {number}"
            return self.answers[number]

    def call(self, tool, arguments):
        return self.answer_of(self.start(tool, arguments))["result"]

    def close(self):
        """Ends stdin, reads stdout to its end, and answers the exit code."""
        self.process.stdin.close()
        self.reader.join(20)
        return self.process.wait(20)
