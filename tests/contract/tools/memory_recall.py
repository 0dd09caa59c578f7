"""memory_recall: any text is a query, the best match comes first, and no memory of another kind slips in."""
import uuid


def checks(agentd):
    store = lambda **body: agentd.call("POST", "/memory/store", body).json["id"]
    recall = lambda **body: agentd.call("POST", "/memory/recall", body)

    def ranked():
        word = uuid.uuid4().hex
        low = store(summary="something", detail=f"far below {word} " + "other words " * 50)
        high = store(summary=f"{word} restarts", category="diagnosis", tags=["web"])
        answer = recall(query=f"{word} restarting", max_results=5).json
        assert [one["id"] for one in answer["memories"]] == [high, low] and answer["capped"] is False, answer
        first = answer["memories"][0]
        assert (first["summary"], first["category"], first["tags"], first["trusted"]) == (f"{word} restarts", "diagnosis", ["web"], True)
        assert first["score"] > answer["memories"][1]["score"] > 0 and word in answer["memories"][1]["snippet"]
        assert len(recall(query=word, max_results=1).json["memories"]) == 1
        assert [one["id"] for one in recall(query=word, category="diagnosis").json["memories"]] == [high]

    def any_text():
        store(summary="near and or not select", detail="drop table entries")
        for query in ('"', "'; DROP TABLE entries; --", "NEAR(a b)", "a AND", "NOT near", "near*", "summary:near", "^near", "{near}", "near\u0301", "\ud7ff", "x" * 65_000, "near " * 13_000, "🦀", "日本語", "%s%n", "\\"):
            answer = recall(query=query)
            assert answer.status == 200 or answer.code == "request.field" and answer.json["errors"][0]["at"] == "/query", (query[:40], answer)
        assert recall(query="near " * 13_000).json["memories"], "a long query is a query"
        assert recall(query="a" * 70_000).status in (413, 422) and recall(query="").code == "request.field"

    def bounded():
        for body in ({}, {"query": 7}, {"query": "a", "max_results": 0}, {"query": "a", "max_results": 101}, {"query": "a", "timeframe": "soon"}, {"query": "a", "limit": 1}):
            assert recall(**body).code == "request.field", body

    def timeframe():
        word = uuid.uuid4().hex
        old = agentd.state / "memory" / "2020" / "02"
        old.mkdir(parents=True, exist_ok=True)
        (old / f"{word}.md").write_text(f"---\ncreated_at: 2020-02-03T00:00:00Z\n---\n{word} of old\n")
        from harness import wait_for
        wait_for("the file is found", lambda: recall(query=word).json["memories"])
        assert recall(query=word, timeframe="7d").json["memories"] == []
        new = store(summary=f"{word} of now")
        assert [one["id"] for one in recall(query=word, timeframe="7d").json["memories"]] == [new]
        assert len(recall(query=word, timeframe="2020-01-01T00:00:00Z").json["memories"]) == 2
        (old / f"{word}.md").unlink()
        assert len(recall(query=word).json["memories"]) == 1, "a file that is gone is found"

    yield "fields weigh differently, stems match, results are bounded", ranked
    yield "any text is answered, or refused at its field", any_text
    yield "wrong arguments are refused", bounded
    yield "a timeframe cuts, and files by hand are found", timeframe
