#!/usr/bin/env python3
"""run.py BIN_DIR: kill -9 of agentd while clients store and people edit files; afterwards files, index and answers agree."""
import contextlib, http.client, json, os, pathlib, random, sqlite3, sys, threading, time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2])]
from harness import Suite, playground, wait_for
from wire import call

KILLS = int(os.environ.get("OSMODA_KILLS", 40))
CLIENTS = 6


class Client(threading.Thread):
    """Stores a new text each time, and now and then forgets one; what was answered is what counts."""

    def __init__(self, agentd, name):
        super().__init__(daemon=True)
        self.agentd, self.name, self.stop, self.acked, self.gone, self.wrong = agentd, name, threading.Event(), {}, set(), None

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            try:
                self.step(number)
            except (OSError, EOFError, ValueError):
                time.sleep(0.01)  # agentd is gone, perhaps with the answer
            except Exception as error:
                self.wrong = f"{self.name}: {error!r}"
                return

    def step(self, number):
        word = f"{self.name}x{number}"
        if number % 9 == 0 and self.acked:
            victim = random.choice(list(self.acked))
            self.acked.pop(victim)  # an answer that is lost leaves it open whether the memory went
            answer = call(self.agentd.sock, "POST", "/memory/forget", {"id": victim})
            assert answer.status in (200, 404, 500, 503), answer
            self.gone |= {victim} if answer.status == 200 else set()
            return
        answer = call(self.agentd.sock, "POST", "/memory/store", {"summary": f"fact {word}", "detail": "text " * random.randrange(400), "source": self.name})
        if answer.status == 200:
            self.acked[answer.json["id"]] = word
        else:
            assert answer.status in (500, 503), answer


def files(agentd):
    return {str(path.relative_to(agentd.state / "memory")) for path in (agentd.state / "memory").glob("*/*/*.md")}


def indexed(agentd):
    with sqlite3.connect(f"file:{agentd.state}/agentd/memory.db?mode=ro", uri=True) as index:
        return {path for (path,) in index.execute("SELECT path FROM entries UNION ALL SELECT path FROM malformed")}


def settled(agentd):
    wait_for("the index is ready", lambda: agentd.call("GET", "/memory/health").json["index"]["state"] == "ready")
    wait_for("index and files are the same", lambda: files(agentd) == indexed(agentd))


def recalls(agentd, word):
    return agentd.call("POST", "/memory/recall", {"query": word}).json["memories"]


def storm(agentd, clients):
    for number in range(KILLS):
        before = sum(len(client.acked) for client in clients)
        end = time.monotonic() + 10
        while sum(len(client.acked) for client in clients) < before + random.randrange(1, 40) and time.monotonic() < end:
            time.sleep(0.002)
        agentd.kill()
        edits(agentd, number)
        agentd.start()
        edits(agentd, number + KILLS)


def edits(agentd, number):
    """What people do to the folder, running or not."""
    folder = agentd.state / "memory" / "2020" / f"{number % 12 + 1:02}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"note{number}.md").write_text(f"Handwritten note{number}\n")
    if number % 3 == 1:
        (folder / f"note{number}.md").write_text(f"---\ntags: [edited]\n---\n# Rewritten note{number}\n")
    if number % 3 == 2:
        (folder / f"note{number}.md").unlink()


def rebuild(agentd):
    with contextlib.suppress(OSError, http.client.HTTPException):
        agentd.call("POST", "/memory/reindex", {})


def main(bin_dir):
    suite = Suite()
    with playground() as (root, make):
        agentd = make(bin_dir / "agentd", root).start()
        clients = [Client(agentd, f"client{number}") for number in range(CLIENTS)]
        for client in clients:
            client.start()
        with suite.check(f"agentd starts again after each of {KILLS} kills and all of {CLIENTS} clients get on"):
            storm(agentd, clients)
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join(60)
            assert not [client.wrong for client in clients if client.wrong], [client.wrong for client in clients if client.wrong]
            assert all(client.acked for client in clients)
        acked = {memory: word for client in clients for memory, word in client.acked.items()}
        print(f"      {len(acked)} acknowledged, {sum(len(client.gone) for client in clients)} forgotten, {len(files(agentd))} files", flush=True)
        with suite.check("index and files agree, and nothing half written is left"):
            settled(agentd)
            assert not list((agentd.state / "memory").rglob(".next-*")), list((agentd.state / "memory").rglob(".next-*"))
            assert agentd.call("GET", "/memory/health").json["malformed"]["count"] == 0
        with suite.check("every acknowledged memory has its file and is found"):
            for memory, word in acked.items():
                found = recalls(agentd, word)
                assert [one["id"] for one in found] == [memory], (memory, word, found)
            assert {f"{memory}.md" for memory in acked} <= {pathlib.PurePath(path).name for path in files(agentd)}
        with suite.check("nothing that was forgotten came back"):
            gone = set().union(*(client.gone for client in clients))
            assert not gone & {pathlib.PurePath(path).stem for path in files(agentd)}
        with suite.check("what was written, edited and removed by hand is as the files say"):
            for number in range(2 * KILLS):
                found = [one["summary"] for one in recalls(agentd, f"note{number}")]
                assert found == [[f"Handwritten note{number}"], [f"Rewritten note{number}"], []][number % 3], (number, found)
        with suite.check("a killed rebuild ends after the next start"):
            threading.Thread(target=rebuild, args=[agentd], daemon=True).start()
            time.sleep(0.02)
            agentd.kill()
            agentd.start()
            settled(agentd)
        with suite.check("the ledger names every memory that was acknowledged, once"):
            stored, after = [], 0
            while page := agentd.call("GET", f"/events/log?type=agentd.memory.stored&after_id={after}&limit=1000").json["events"]:
                stored += [event["payload"]["id"] for event in page]
                after = page[-1]["id"]
            assert set(acked) <= set(stored) and len(stored) == len(set(stored)), json.dumps(sorted(set(acked) - set(stored))[:3])
    suite.end()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
