"""MCP by hand, for what no honest client does."""
import http.client, json, subprocess, threading

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}


class Stdio:
    """One bridge on pipes; answers are kept by their id."""

    def __init__(self, command):
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.answers, self.came, self.next = {}, threading.Condition(), 0
        threading.Thread(target=self._read, daemon=True).start()
        self.answer_of(self._request("initialize", HELLO))
        self.notify("notifications/initialized", {})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.close()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            with self.came:
                self.answers[message.get("id")] = message
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
        self.process.stdin.close()
        return self.process.wait(20)


def post(port, headers):
    """Status of an initialize over loopback HTTP with these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
    kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection.request("POST", "/mcp", body, {**kinds, **headers})
    status = connection.getresponse().status
    connection.close()
    return status
