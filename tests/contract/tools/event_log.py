"""event_log, event_watch and the proofs, as a client that checks them."""
import base64, hashlib, json


def checks(agentd):
    log = lambda query: agentd.call("GET", f"/events/log?{query}").json

    def chained():
        events = list(reversed(log("limit=1000")["events"]))
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        previous = "0" * 64
        for event in events:
            payload = json.dumps(event["payload"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            text = "|".join([str(event["id"]), event["ts"], event["type"], event["actor"], payload, previous])
            assert hashlib.sha256(text.encode()).hexdigest() == event["hash"] and event["prev_hash"] == previous, event
            previous = event["hash"]
        assert agentd.call("GET", "/ledger/head").json["hash"] == previous

    def proved():
        proof = agentd.call("GET", "/events/1/proof").json
        node, size, index = hashlib.sha256(b"\0" + proof["event"]["hash"].encode()).digest(), proof["size"] - 1, proof["index"]
        for sibling in map(base64.b64decode, proof["path"]):
            left = index % 2 == 1 or index == size
            node = hashlib.sha256(b"\1" + (sibling + node if left else node + sibling)).digest()
            while left and index % 2 == 0 and index:
                index, size = index // 2, size // 2
            index, size = index // 2, size // 2
        assert base64.b64encode(node).decode() == proof["root"], proof

    def filtered():
        assert {event["type"] for event in log("type=agentd.ledger.")["events"]} == {"agentd.ledger.created"}
        assert log("type=agentd.ledger")["events"] == [] and log("actor=agent:nobody")["events"] == []
        assert log("after_id=0&limit=1")["events"][0]["id"] == 1
        answer = agentd.call("GET", "/events/log?limit=1", headers={"Accept": "application/x-ndjson"}.items())
        assert len(answer.body.decode().splitlines()) == 1 and json.loads(answer.body)["id"]

    yield "ids have no gap, and every hash can be computed here", chained
    yield "an inclusion proof leads to the root", proved
    yield "filters, order and JSON lines are as documented", filtered
