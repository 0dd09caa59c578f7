"""memory_forget: by id or by source; the ledger names what went, never what it said."""
import json, uuid


def checks(agentd):
    store = lambda headers=(), **body: agentd.call("POST", "/memory/store", body, headers).json["id"]
    forget = lambda headers=(), **body: agentd.call("POST", "/memory/forget", body, headers)
    found = lambda word: [one["id"] for one in agentd.call("POST", "/memory/recall", {"query": word}).json["memories"]]

    def one():
        word = uuid.uuid4().hex
        first, second = store(summary=f"{word} one"), store(summary=f"{word} two")
        assert forget(id=first).json == {"forgotten": 1, "ids": [first], "kept": 0, "more": False}
        assert found(word) == [second] and not list((agentd.state / "memory").glob(f"*/*/{first}.md"))
        assert forget(id=first).code == "memory.not_found"

    def by_source():
        word, page = uuid.uuid4().hex, f"https://example.org/{uuid.uuid4()}"
        ids = {store(summary=f"{word} claim {n}", source=page) for n in range(5)}
        shared = store(summary=f"{word} claim 0", source="a book")
        assert shared in ids, "the same text is one memory"
        own = store(summary=f"{word} own")
        answer = forget(source=page).json
        assert set(answer["ids"]) == ids - {shared} and answer["kept"] == 1 and not answer["more"], answer
        assert set(found(word)) == {shared, own}
        assert page not in json.dumps(agentd.call("GET", f"/memory?id={shared}").json)

    def by_session():
        word = uuid.uuid4().hex
        bad = store({"X-Osmoda-Session": f"sess-{word}"}.items(), summary=f"{word} told")
        assert forget(source=f"sess-{word}").json["ids"] == [bad] and found(word) == []

    def recorded():
        word = uuid.uuid4().hex
        secret = store(summary=f"{word}", detail="x" * 9000)
        before = agentd.call("GET", "/ledger/head").json["size"]
        forget({"X-Osmoda-Actor": "agent:forgetful"}.items(), id=secret)
        events = agentd.call("GET", f"/events/log?after_id={before}&actor=agent:forgetful").json["events"]
        fact = next(event for event in events if event["type"] == "agentd.memory.forgotten")
        assert fact["payload"] == {"v": 1, "ids": [secret], "kept": [], "source": None}, fact
        intent = next(event for event in events if event["type"] == "agentd.memory.forget.intent")
        assert intent["payload"]["effect"] == "destroy" and word not in json.dumps(events)

    def refused():
        for body in ({}, {"source": ""}, {"id": "mem_x"}, {"id": 7}, {"id": "mem_01kaq3v8e2m6zr0t5h9xw4c7yd", "source": "x"}, {"all": True}):
            assert forget(**body).code == "request.field", body
        assert forget(source="nobody ever").json["forgotten"] == 0

    yield "one memory goes, its neighbour stays", one
    yield "a source takes what came from it alone", by_source
    yield "a session is a source", by_session
    yield "the ledger names ids, not content", recorded
    yield "wrong arguments are refused", refused
