"""One agentd on a state folder that is about to suffer."""
from harness import wait_for
from wire import Source, assert_chain, event, export


class Machine:
    """Remembers every event that was acknowledged."""

    def __init__(self, make, bin_dir, folder, **more):
        self.agentd, self.source, self.acked = make(bin_dir / "agentd", folder, **more), Source("watch"), []
        self.ledger = self.agentd.state / "ledger"
        self.database = self.ledger / "ledger.db"

    def append(self, bytes_each=0):
        reply = self.source.post(self.agentd.sock, [event("watch.state.tested", n=len(self.acked), text="x" * bytes_each)])
        if reply.status == 200:
            self.acked += [(placed["id"], placed["hash"]) for placed in reply.json["events"]]
        return reply

    def check(self):
        return next(check for check in self.agentd.health()["checks"] if check["name"] == "ledger")

    def is_degraded(self, code, status=503, reads=True):
        """A write is refused with the code, /health says the same and what to do, and reading goes on."""
        reply = self.append()
        assert (reply.status, reply.code) == (status, code), reply
        assert reply.json["next_step"]
        check = self.check()
        assert (check["status"], check["code"]) == ("degraded", code) and check["remedy"] and self.agentd.health()["status"] == "degraded", check
        if reads:
            self.holds_what_it_acknowledged()

    def heals(self):
        """Without a restart, within a few tries of its own."""
        wait_for("writes work again", lambda: self.append().status == 200)
        wait_for("/health is ok again", lambda: self.check()["status"] == "ok")
        self.holds_what_it_acknowledged()

    def holds_what_it_acknowledged(self):
        events = export(self.agentd.sock)[1]
        assert_chain(events)
        assert set(self.acked) <= {(e["id"], e["hash"]) for e in events}, "an acknowledged event is lost"

    def grown(self, count=20):
        self.agentd.start()
        for _ in range(count):
            assert self.append().status == 200
        return self

    def stopped(self):
        assert self.agentd.end() == 0
        return self
