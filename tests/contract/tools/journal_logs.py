"""journal_logs on whatever this machine has: a journal, a closed one, or none."""


def checks(agentd):
    get = lambda query: agentd.call("GET", f"/journal?{query}")

    def read():
        answer = get("limit=5")
        if answer.status == 200:
            assert len(answer.json["lines"]) <= 5 and all(line["at"] and "message" in line for line in answer.json["lines"]), answer
        else:
            assert answer.status == 503 and answer.code in ("journal.absent", "journal.denied") and answer.json["next_step"], answer

    def refused():
        for query, at in (("priority=loud", "/priority"), ("since=soon", "/since"), ("since=1h&until=2h", "/since"), ("limit=1001", "/limit"),
                          ("unit=a%2Fb", "/unit"), ("after=--help", "/after"), ("match=" + "x" * 257, "/match"), ("follow=true", "/follow")):
            answer = get(query)
            assert (answer.code, answer.json["errors"][0]["at"]) == ("request.field", at), (query, answer)

    yield "lines, or why there are none", read
    yield "wrong arguments are named", refused
