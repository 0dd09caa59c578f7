#!/usr/bin/env python3
"""run.py BIN_DIR: kill -9 of agentd 200 times while 16 writers append; then every claim of the ledger is checked."""
import collections, json, os, pathlib, random, subprocess, sys, time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "tests"), str(pathlib.Path(__file__).parent)]
from harness import Skip, Suite, playground, wait_for
from wire import Source, assert_chain, call, dial, event, export
from writers import SOURCES, AgentWriter, SourceWriter

KILLS = int(os.environ.get("OSMODA_KILLS", 200))


def storm(agentd, writers):
    """Kills at any time: in the middle of writing, of starting, of recovering."""
    for number in range(KILLS):
        if number % 4:
            before, goal = sum(w.acked for w in writers), random.randrange(1, 60)
            wait_for("writers get on", lambda: sum(w.acked for w in writers) >= before + goal or any(w.wrong for w in writers))
        else:
            time.sleep(random.random() * 0.03)
        agentd.kill()
        agentd.spawn() if number % 4 == 3 else agentd.start()


def lost_replies(agentd):
    """Each batch is sent, its answer is thrown away, and it is sent again; at the end nothing may stand twice."""
    source = Source("watch")
    for number in range(100):
        batch = source.batch([event("watch.reply.lost", n=number)])
        body = json.dumps(batch).encode()
        sock = dial(agentd.sock)
        sock.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nX-Osmoda-Actor: daemon:watch\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        sock.close()
        reply = source.post(agentd.sock, batch["events"])
        assert reply.status == 200, reply
    numbers = [json.loads(e["payload"])["n"] for e in export(agentd.sock)[1] if e["type"] == "watch.reply.lost"]
    assert numbers == list(range(100)), numbers


def main(bin_dir):
    suite = Suite()
    with playground() as (root, make):
        agentd = make(bin_dir / "agentd", root).start()
        notify = "/notify" in agentd.call("GET", "/openapi.json").json["paths"]
        sources = [SourceWriter(agentd.sock, name) for name in SOURCES]
        agents = [AgentWriter(agentd.sock, f"w{n}") for n in range(8)] if notify else []
        for writer in sources + agents:
            writer.start()
        with suite.check(f"agentd starts again after each of {KILLS} kills and all of {len(sources + agents)} writers get on"):
            storm(agentd, sources + agents)
            agentd.ready()
            for writer in sources + agents:
                writer.stop.set()
            for writer in sources + agents:
                writer.join(60)
            assert not [w.wrong for w in sources + agents if w.wrong], [w.wrong for w in sources + agents if w.wrong]
            assert all(not w.is_alive() and w.acked for w in sources + agents)
        header, events, checkpoints = export(agentd.sock)
        print(f"      {len(events)} events, {sum(w.acked for w in sources + agents)} acknowledged, {len(checkpoints)} checkpoints", flush=True)
        with suite.check("the chain is whole and ids have no gaps, by our own arithmetic"):
            assert_chain(events)
        with suite.check("no acknowledged event of a source is lost, moved or doubled"):
            for writer in sources:
                mine = {json.loads(e["payload"])["n"]: (e["id"], e["hash"]) for e in events if e["type"].startswith(writer.name + ".")}
                count = sum(e["type"].startswith(writer.name + ".") for e in events)
                assert mine == writer.places and count == len(mine), f"{writer.name}: {count} rows, {len(mine)} different, {len(writer.places)} acknowledged"
        with suite.check("agentd lists as open exactly the calls that each source left open"):
            for writer in sources:
                known = agentd.call("GET", f"/events/source?source={writer.name}", headers=writer.source.headers).json
                assert [o["request_id"] for o in known["open_intents"]] == list(writer.open), writer.name
                assert (known["epoch"], known["last_seq"], known["head"]) == (writer.source.epoch, writer.source.seq, writer.source.head)
        with suite.check("every call of an agent has one intent and one outcome, ran once, and those cut off are unknown"):
            if not agents:
                raise Skip("this release has no call that changes something (POST /notify)")
            calls = collections.defaultdict(lambda: [0, []])
            for e in events:
                payload = json.loads(e["payload"])
                if e["type"] == "agentd.notify.intent":
                    calls[payload["request_id"]][0] += 1
                if e["type"] == "agentd.notify.outcome":
                    calls[payload["request_id"]][1].append(payload["result"])
            assert all(intents == 1 and len(results) == 1 for intents, results in calls.values()), calls
            for writer in agents:
                for key, status in writer.answers.items():
                    results = [result for request in writer.tries[key] for result in calls.get(request, [0, []])[1] if result != "failed"]
                    # Killed between key and intent, nothing happened; between outcome and key, it did: only the caller does not know.
                    assert results == ["ok"] if status == 200 else results in (["unknown"], ["ok"], []), (key, status, results)
            assert any(results == ["unknown"] for _, results in calls.values()), "no kill ever hit a running call"
        with suite.check("a lost reply to POST /events never writes twice"):
            lost_replies(agentd)
        with suite.check("agentctl, agentd itself and the Python verifier all find it whole"):
            file = root / "export.jsonl"
            file.write_bytes(call(agentd.sock, "GET", "/ledger/export", timeout=120).body)
            assert agentd.call("POST", "/ledger/verify", {}).json["exit_code"] == 0
            for command in [[bin_dir / "agentctl", "verify-ledger", "--offline", file], [sys.executable, ROOT / "docs/ledger/verify.py", file]]:
                done = subprocess.run(command, capture_output=True, text=True)
                assert done.returncode == 0, (command[-3:], done.returncode, done.stdout + done.stderr)
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
