#!/usr/bin/env python3
"""run.py BIN_DIR: a daemon's way to the ledger under kill -9, lost replies and tampering, tried with the runtime's probe."""
import json, pathlib, random, signal, sqlite3, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(pathlib.Path(__file__).parent)]
from harness import Suite, playground, wait_for
from pair import Pair
from tampering import tampered
from wire import ulid


def without_agentd(pair):
    for number, away in enumerate([signal.SIGKILL, signal.SIGSTOP]):
        before = pair.lines()
        pair.agentd.process.send_signal(away)
        if away == signal.SIGKILL:
            pair.agentd.process.wait()
        reply = pair.write("never", key=f"while-away-{number}")
        assert (reply.status, reply.code) == (503, "ledger.unavailable") and pair.lines() == before, reply
        pair.agentd.start() if away == signal.SIGKILL else pair.agentd.process.send_signal(signal.SIGCONT)
        wait_for("agentd is back", lambda: pair.write(f"back {number}", key=f"while-away-{number}x").status == 200)
        assert pair.write(f"again {number}", key=f"while-away-{number}").status in (200, 422)
    assert "never" not in pair.lines()
    pair.settled()


def kept_across_kills(pair):
    contents = [f"kept {n}" for n in range(20)]
    replies, threads = pair.in_background(contents, takes_ms=1200, file="kept")
    pair.open_count(20)
    pair.agentd.kill()
    for thread in threads:
        thread.join()
    assert {reply.status for reply in replies.values()} == {200} and sorted(pair.lines("kept")) == sorted(contents), replies
    assert pair.probe.health()["outbox_pending"] == 20 and pair.write("too late").code == "ledger.unavailable"
    pair.probe.kill()
    kept = [row[0] for row in sqlite3.connect(pair.database).execute("SELECT payload FROM outbox ORDER BY seq")]
    pair.probe.start()
    assert pair.probe.health()["outbox_pending"] == 20
    pair.agentd.start()
    for _ in range(8):
        time.sleep(random.random() * 0.12)
        pair.probe.kill()
        pair.probe.start()
    pair.settled()
    delivered = [json.dumps(e["payload"], sort_keys=True) for e in pair.events() if e["type"].endswith(".outcome")]
    kept = [json.dumps(json.loads(text), sort_keys=True) for text in kept]
    assert [text for text in delivered if text in kept] == kept, "not in the order in which they were kept"


def lost_replies(pair):
    contents = [f"once {n}" for n in range(40)]
    pair.road.loses = 0.25
    for content in contents:
        while (reply := pair.write(content, key=f"key-of-{content.replace(' ', '-')}", file="once")).status != 200:
            assert reply.code == "ledger.unavailable", f"{reply}: the daemon never died, so it knows every outcome"
            time.sleep(0.01)
    pair.road.loses = 0.0
    assert pair.road.lost > 10 and pair.lines("once") == contents, (pair.road.lost, pair.lines("once"))
    pair.settled()
    done = [e for e in pair.events() if e["type"].endswith(".intent") and e["payload"]["args"]["name"] == "once" and pair.results()[e["payload"]["request_id"]] == ["ok"]]
    assert [e["payload"]["args"]["content"] for e in done] == contents, "an effect without its one intent"


def killed_in_the_middle(pair):
    request, key = f"req_{ulid()}", "killed-in-the-middle"
    pair.in_background(["cut"], key=key, takes_ms=1500, request=request)
    pair.open_count()
    pair.probe.kill()
    pair.probe.start()
    pair.settled()
    assert pair.results()[request] == ["unknown"]
    reply = pair.write("cut", key=key, takes_ms=1500)
    assert (reply.status, reply.code) == (500, "outcome.unknown") and "cut" not in pair.lines(), reply


def keys(pair):
    first, again = pair.write("key", key="same-key-1"), pair.write("key", key="same-key-1")
    assert first.status == again.status == 200 and first.body == again.body and again.headers["idempotency-replayed"] == "true" and not first.headers["idempotency-replayed"]
    assert pair.lines().count("key") == 1
    other = pair.write("another", key="same-key-1")
    assert (other.status, other.code) == (422, "idempotency.mismatch"), other
    replies, threads = pair.in_background(["slow"], key="same-key-2", takes_ms=1000)
    pair.open_count()
    busy = pair.write("slow", key="same-key-2", takes_ms=1000)
    assert (busy.status, busy.code) == (409, "idempotency.busy") and busy.json["retry_after_secs"] >= 1, busy
    threads[0].join()
    assert replies["slow"].status == 200 and pair.write("slow", key="same-key-2", takes_ms=1000).headers["idempotency-replayed"] == "true"
    for key in ["short", "k" * 129, "white space"]:
        assert pair.write("key", key=key).code == "idempotency.key", key
    timed_out = pair.write("late", key="same-key-3", takes_ms=3000)
    assert (timed_out.status, timed_out.code) == (500, "outcome.unknown"), timed_out
    repeated = pair.write("late", key="same-key-3", takes_ms=3000)
    assert repeated.code == "outcome.unknown" and sum(r == ["unknown"] for r in pair.results().values()) == pair.unknown + 1, "a call whose outcome is unknown ran again under its key"


def panics(pair):
    reply = pair.probe.call("POST", "/probe/panic", {})
    assert (reply.status, reply.code) == (500, "internal.panic") and pair.write("after the panic").status == 200, reply


def main(bin_dir):
    suite = Suite()
    with playground() as (root, make):
        pair = Pair(root, make, bin_dir)
        for name, test in {
            "agentd killed or stopped: 503 ledger.unavailable, nothing done, and it works again when agentd is back": without_agentd,
            "outcomes that agentd could not take are kept in order across kill -9 of the daemon and delivered once": kept_across_kills,
            "lost replies never write twice, and no effect is without its intent": lost_replies,
            "a daemon killed in the middle of an effect says unknown afterwards, also under the same key": killed_in_the_middle,
            "a kept row that was tampered with is refused and kept as evidence": tampered,
            "a key replays, refuses other arguments, is busy while it runs, and never runs an unknown outcome again": keys,
            "a panic is a failed call, not a dead daemon": panics,
        }.items():
            with suite.check(name):
                for daemon in (pair.agentd, pair.probe):
                    daemon.alive() or daemon.start()
                pair.unknown = sum(r == ["unknown"] for r in pair.results().values())
                test(pair)
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
