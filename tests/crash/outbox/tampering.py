"""Kept rows are changed while their daemon is down: refused and kept as evidence; put back, they are delivered."""
import sqlite3

from harness import wait_for

TRICKS = [
    "UPDATE outbox SET payload = replace(payload, '\"ok\"', '\"failed\"') WHERE seq = :second", "UPDATE outbox SET payload = '{' WHERE seq = :second",
    "UPDATE outbox SET actor = 'nobody at all' WHERE seq = :second", "DELETE FROM outbox WHERE seq = :second", "UPDATE outbox SET seq = -1 WHERE seq = :second",
    "UPDATE outbox SET payload = '' WHERE seq = :first", "DELETE FROM outbox WHERE seq = :first",
]


def tampered(pair):
    _, threads = pair.in_background([f"evidence {n}" for n in range(3)], takes_ms=1000)
    pair.open_count(3)
    pair.agentd.kill()
    for thread in threads:
        thread.join()
    pair.probe.kill()
    size = None
    for trick in TRICKS:
        db = sqlite3.connect(pair.database)
        rows = db.execute("SELECT * FROM outbox ORDER BY seq").fetchall()
        with db:
            db.execute(trick, {"first": rows[0][0], "second": rows[1][0]})
        changed, seen = db.execute("SELECT * FROM outbox ORDER BY seq").fetchall(), len(pair.probe.log())
        pair.agentd.start()
        size = size or len(pair.events())
        pair.probe.start()
        wait_for(f"{trick}: refused", lambda: "the ledger refuses the outbox" in pair.probe.log()[seen:], 10)
        assert "ledger.fork" in pair.probe.log()[seen:] or ":first" in trick, trick
        assert len(pair.events()) == size and pair.probe.health()["outbox_pending"] == len(changed), trick
        assert pair.write("on a fork").code == "ledger.unavailable", trick
        pair.probe.kill()
        pair.agentd.kill()
        assert db.execute("SELECT * FROM outbox ORDER BY seq").fetchall() == changed, f"{trick}: the evidence changed"
        with db:
            db.execute("DELETE FROM outbox")
            db.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        db.close()
    pair.agentd.start()
    pair.probe.start()
    pair.settled()
    assert len(pair.events()) == size + 3
