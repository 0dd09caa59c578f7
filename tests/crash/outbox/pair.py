"""agentd and the runtime's probe (a daemon that stands where watch will), with a bad road between them."""
import collections, contextlib, http.client, json, threading

from harness import wait_for
from proxy import Proxy
from wire import assert_chain, export

WRITE = "watch.probe.write"


class Pair:
    """Both daemons over one state root."""

    def __init__(self, root, make, bin_dir):
        self.agentd = make(bin_dir / "agentd", root).start()
        self.probe = make(bin_dir / "examples/probe", root, name="watch", sock=root / "road/watch.sock")
        self.road = Proxy(root / "road/agentd.sock", self.agentd.sock)
        self.probe.start()
        self.database = root / "state/watch/state.db"

    def write(self, content, key=None, takes_ms=0, file="lines", request=None):
        headers = {"X-Osmoda-Actor": "agent:main", **({"Idempotency-Key": key} if key else {}), **({"X-Request-Id": request} if request else {})}
        return self.probe.call("POST", "/probe/write", {"name": file, "content": content, "takes_ms": takes_ms}, headers)

    def in_background(self, contents, **more):
        replies = {}

        def write(content):
            with contextlib.suppress(OSError, http.client.HTTPException):  # the probe may be killed meanwhile
                replies[content] = self.write(content, **more)

        threads = [threading.Thread(target=write, args=[content], daemon=True) for content in contents]
        for thread in threads:
            thread.start()
        return replies, threads

    def lines(self, file="lines"):
        path = self.probe.state / "watch" / file
        return path.read_text().splitlines() if path.exists() else []

    def events(self, kind=WRITE + "."):
        return [{**e, "payload": json.loads(e["payload"])} for e in export(self.agentd.sock)[1] if e["type"].startswith(kind)]

    def results(self):
        """request id → what its outcomes say; every request with an intent is in it."""
        found = collections.defaultdict(list)
        for e in self.events():
            found[e["payload"]["request_id"]] += [] if e["type"].endswith(".intent") else [e["payload"]["result"]]
        return found

    def open_count(self, at_least=1):
        return wait_for("intents stand in the ledger", lambda: sum(not r for r in self.results().values()) >= at_least)

    def settled(self):
        """Everything is delivered and every intent has its one outcome."""
        wait_for("the outbox is empty", lambda: self.probe.health()["outbox_pending"] == 0)
        wait_for("every intent has its outcome", lambda: all(self.results().values()))
        assert all(len(outcomes) == 1 for outcomes in self.results().values()), self.results()
        assert_chain(export(self.agentd.sock)[1])
