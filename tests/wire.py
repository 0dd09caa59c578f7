"""HTTP over a Unix socket, and the ledger's wire format computed on its own: chains, batches, exports."""
import contextlib, hashlib, http.client, json, random, socket

GENESIS = "0" * 64
DEADLINE = 20.0  # seconds; generous, because a test waits for events and never measures speed


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json.get("code") if self.status >= 400 else None


class Connection(http.client.HTTPConnection):
    """One keep-alive connection."""

    def __init__(self, path, timeout=DEADLINE):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = dial(self.path, self.timeout)

    def send_call(self, method, path, body=None, headers=()):
        headers = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer may be there before all was sent
            self.request(method, path, body, headers)
        reply = self.getresponse()
        return Reply(reply.status, reply.headers, reply.read())


def dial(path, timeout=DEADLINE):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    sock.connect(str(path))
    return sock


def call(path, method, target, body=None, headers=(), timeout=DEADLINE):
    connection = Connection(path, timeout)
    try:
        return connection.send_call(method, target, body, headers)
    finally:
        connection.close()


def canonical(payload):
    """RFC 8785 for the integers, ASCII strings, lists and objects that the suites use."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha(*fields):
    return hashlib.sha256("|".join(map(str, fields)).encode()).hexdigest()


def ulid():
    return "0" + "".join(random.choices("0123456789abcdefghjkmnpqrstvwxyz", k=25))


class Source:
    """A daemon's sequence of events, as docs/ledger describes it."""

    def __init__(self, name):
        self.name, self.epoch, self.seq, self.head = name, ulid(), 0, GENESIS

    def batch(self, events):
        """The body of a POST /events that continues the sequence; `taken` moves on."""
        head = self.head
        for seq, event in enumerate(events, self.seq + 1):
            head = sha(seq, event["type"], event["actor"], canonical(event["payload"]), head)
        return {"source": self.name, "epoch": self.epoch, "first_seq": self.seq + 1, "head": head, "events": events}

    def taken(self, batch):
        self.seq, self.head = self.seq + len(batch["events"]), batch["head"]

    @property
    def headers(self):
        return {"X-Osmoda-Actor": f"daemon:{self.name}"}

    def post(self, path, events, timeout=DEADLINE):
        batch = self.batch(events)
        reply = call(path, "POST", "/events", batch, self.headers, timeout)
        if reply.status == 200:
            self.taken(batch)
        return reply


def event(kind, actor="agent:main", **payload):
    return {"type": kind, "actor": actor, "payload": {"v": 1, **payload}}


def export(path):
    """The header, the events and the checkpoints of /ledger/export."""
    lines = [json.loads(line) for line in call(path, "GET", "/ledger/export", timeout=120).body.splitlines()]
    pick = lambda kind: [line[kind] for line in lines if kind in line]
    return pick("export")[0], pick("event"), pick("checkpoint")


def assert_chain(events):
    """Ids without gaps, every hash and link, time that never runs back."""
    last, ts = GENESIS, ""
    for at, e in enumerate(events, 1):
        assert e["id"] == at, f"id {e['id']} at place {at}"
        assert e["prev_hash"] == last, f"event {at} does not follow"
        assert e["ts"] >= ts, f"event {at} is earlier than the one before"
        last, ts = sha(e["id"], e["ts"], e["type"], e["actor"], e["payload"], e["prev_hash"]), e["ts"]
        assert e["hash"] == last, f"event {at} has a wrong hash"
