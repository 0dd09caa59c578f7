"""memory_list and GET /memory/health: pages of what is remembered, and how its index is."""
import uuid

from harness import wait_for


def checks(agentd):
    store = lambda **body: agentd.call("POST", "/memory/store", body).json["id"]
    get = lambda query: agentd.call("GET", f"/memory?{query}")

    def paged():
        kind = f"kind-{uuid.uuid4().hex}"
        ids = [store(summary=f"entry {n}", category=kind) for n in range(7)]
        seen, after = [], ""
        while after is not None:
            page = get(f"category={kind}&limit=3{after and '&after=' + after}").json
            seen += [one["id"] for one in page["memories"]]
            after = page["next"]
        assert seen == ids[::-1], (seen, ids)
        assert get(f"category={kind}&since=1h").json["memories"][0]["id"] == ids[-1] and get("category=nothing").json["memories"] == []
        assert "detail" not in get(f"category={kind}").json["memories"][0]

    def whole():
        one = store(summary="whole", detail="all of it", source="a book")
        found = get(f"id={one}").json["memories"]
        assert len(found) == 1 and found[0]["detail"] == "all of it" and found[0]["origins"][0]["source"] == "a book", found
        assert found[0]["path"].endswith(f"/{one}.md") and (agentd.state / "memory" / found[0]["path"]).is_file()
        assert any(item["id"] == one for item in get("source=a%20book").json["memories"])

    def refused():
        assert get("id=mem_01kaq3v8e2m6zr0t5h9xw4c7yd").code == "memory.not_found"
        for query in ("id=x", "limit=0", "limit=1001", "after=x", "since=soon", "colour=1"):
            assert get(query).code == "request.field", (query, get(query))

    def health():
        health = agentd.call("GET", "/memory/health").json
        assert health["status"] == "ok" and health["index"]["state"] == "ready" and health["embedding_model"]["ready"] is False, health
        size = health["collection_size"]
        store(summary=f"one more {uuid.uuid4()}")
        bad = agentd.state / "memory" / "2021" / "01" / "bad.md"
        bad.parent.mkdir(parents=True, exist_ok=True)
        bad.write_text("---\nno end")
        found = wait_for("it is named", lambda: next((f for f in agentd.call("GET", "/memory/health").json["malformed"]["files"] if f["path"] == "2021/01/bad.md"), None))
        assert "no end" in found["reason"] and agentd.call("GET", "/memory/health").json["collection_size"] == size + 1
        bad.unlink()
        assert [check for check in agentd.health()["checks"] if check["name"] == "memory"][0]["status"] == "ok"

    def reindexed():
        before = agentd.call("GET", "/memory/health").json["collection_size"]
        wait_for("the bad file is forgotten", lambda: agentd.call("GET", "/memory/health").json["malformed"]["count"] == 0)
        assert agentd.call("POST", "/memory/reindex", {}).json == {"indexed": before, "malformed": 0}
        assert len(get("limit=1000").json["memories"]) == before

    yield "pages follow each other, newest first", paged
    yield "one memory is shown whole", whole
    yield "wrong arguments are refused", refused
    yield "health counts, and names files that are no memory", health
    yield "an index is built again", reindexed
