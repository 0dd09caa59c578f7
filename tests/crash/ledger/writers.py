"""Writers that never give up: each repeats a request until it is answered, however often agentd dies meanwhile."""
import collections, random, threading, time

from wire import Connection, Source, event, ulid

SOURCES = ["keyd", "watch", "routines", "mesh", "mcpd", "teachd", "voice", "egress"]


class Writer(threading.Thread):
    """Repeats each request until it is answered, as long as it takes; a wrong answer ends it."""

    def __init__(self, sock, name):
        super().__init__(daemon=True)
        self.sock, self.name, self.stop, self.wrong, self.acked, self.connection = sock, name, threading.Event(), None, 0, None

    def run(self):
        try:
            while not self.stop.is_set():
                self.write()
        except Exception as error:
            self.wrong = f"{self.name}: {error!r}"

    def repeat(self, method, target, body, headers, again):
        while True:
            try:
                self.connection = self.connection or Connection(self.sock)
                reply = self.connection.send_call(method, target, body, headers())
                if reply.status < 500 and reply.code not in again or reply.code == "outcome.unknown":
                    return reply
            except Exception:
                self.connection = None  # the daemon is gone, perhaps with the answer
            time.sleep(0.005)


class SourceWriter(Writer):
    """A daemon: numbered, chained batches of facts and of calls, some of which it leaves open."""

    def __init__(self, sock, name):
        super().__init__(sock, name)
        self.source, self.number, self.places, self.open = Source(name), 0, {}, collections.deque()

    def write(self):
        if random.random() < 0.02:
            self.source = Source(self.name)  # the daemon begins a new outbox
        batch = self.source.batch([self.next() for _ in range(random.choice([1, 1, 2, 5, 40]))])
        reply = self.repeat("POST", "/events", batch, lambda: self.source.headers, ())
        assert reply.status == 200, reply
        for number, sent, placed in zip(range(self.number, 0, -1), reversed(batch["events"]), reversed(reply.json["events"])):
            assert sent["payload"]["n"] == number
            self.places[number] = (placed["id"], placed["hash"])
        assert [e["seq"] for e in reply.json["events"]] == list(range(batch["first_seq"], batch["first_seq"] + len(batch["events"])))
        self.source.taken(batch)
        self.acked += len(batch["events"])

    def next(self):
        self.number += 1
        if random.random() < 0.1:
            self.open.append(f"req_{ulid()}")
            return event(f"{self.name}.crash.test.intent", request_id=self.open[-1], n=self.number)
        if len(self.open) > 3:
            return event(f"{self.name}.crash.test.outcome", request_id=self.open.popleft(), n=self.number)
        return event(f"{self.name}.crash.tested", n=self.number, text="|" * random.randrange(200))


class AgentWriter(Writer):
    """An agent: one change call at a time, repeated with its key under a new request id until the answer is there."""

    def __init__(self, sock, name):
        super().__init__(sock, name)
        self.answers, self.tries = {}, collections.defaultdict(list)

    def write(self):
        key = f"{self.name}-{len(self.answers):08}"

        def headers():
            self.tries[key].append(f"req_{ulid()}")
            return {"X-Osmoda-Actor": f"agent:{self.name}", "X-Request-Id": self.tries[key][-1], "Idempotency-Key": key}

        reply = self.repeat("POST", "/notify", {"title": f"from {key}"}, headers, {"idempotency.busy"})
        assert reply.status == 200 or reply.code == "outcome.unknown", reply
        self.answers[key] = reply.status
        self.acked += reply.status == 200
