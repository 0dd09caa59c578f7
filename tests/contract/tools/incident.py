"""incident_create, _step, _get, _list and _close: a workspace that outlives a conversation, with every step in the ledger."""
AGENT = {"X-Osmoda-Actor": "agent:tester"}.items()
UNKNOWN = "inc_01kaq3v8e2m6zr0t5h9xw4c7yd"


def checks(agentd):
    post = lambda path, body: agentd.call("POST", path, body, AGENT)
    opened = lambda title="nginx does not start", **more: post("/incident/create", {"title": title, **more}).json["id"]
    facts = lambda kind, **more: [e["payload"] for e in agentd.call("GET", f"/events/log?type=agentd.incident.{kind}&limit=1000").json["events"]]

    def resumed():
        made = post("/incident/create", {"title": "nginx does not start", "description": "since 3 am", "severity": "critical", "events": [1]})
        assert made.status == 200 and (made.json["status"], made.json["created_by"], made.json["step_count"]) == ("open", "agent:tester", 0), made
        id = made.json["id"]
        steps = [("hypothesis", "the certificate is gone"), ("evidence", "ls: no such file"), ("action", "restored it"), ("result", "nginx runs")]
        for number, (kind, text) in enumerate(steps, 1):
            answer = post(f"/incident/{id}/step", {"kind": kind, "text": text, "events": [1]})
            assert answer.status == 200 and (answer.json["id"], answer.json["step"]["number"]) == (id, number), answer
        got = agentd.call("GET", f"/incident/{id}").json
        assert [(s["kind"], s["text"], s["events"], s["by"]) for s in got["steps"]] == [(k, t, [1], "agent:tester") for k, t in steps]
        assert got["description"] == "since 3 am" and got["severity"] == "critical" and got["events"] == [1] and got["step_count"] == 4
        mine = [p for p in facts("extended") if p["incident"] == id]
        assert sorted((p["number"], p["kind"], p["text"]) for p in mine) == [(n, k, t) for n, (k, t) in enumerate(steps, 1)]
        assert [p["title"] for p in facts("opened") if p["incident"] == id] == ["nginx does not start"]

    def closed():
        id = opened()
        answer = post(f"/incident/{id}/close", {"cause": "renamed certificate"})
        assert (answer.json["status"], answer.json["cause"], answer.json["closed_by"]) == ("closed", "renamed certificate", "agent:tester"), answer
        assert post(f"/incident/{id}/step", {"kind": "action", "text": "x"}).code == "incident.closed"
        assert post(f"/incident/{id}/close", {"cause": "again"}).code == "incident.closed"
        assert [p["cause"] for p in facts("closed") if p["incident"] == id] == ["renamed certificate"]
        ids = lambda query: [i["id"] for i in agentd.call("GET", f"/incidents?{query}&limit=1000").json["incidents"]]
        assert id in ids("status=closed") and id not in ids("status=open") and id in ids("")

    def paged():
        for n in range(5):
            opened(f"page {n}")
        whole = [i["id"] for i in agentd.call("GET", "/incidents?limit=1000").json["incidents"]]
        assert whole == sorted(whole, reverse=True)
        seen, after = [], ""
        while True:
            page = agentd.call("GET", f"/incidents?limit=2{after}").json
            seen += [i["id"] for i in page["incidents"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert seen == whole, (seen, whole)

    def refused():
        size = agentd.call("GET", "/ledger/head").json["size"]
        for body, at in (({"title": "x", "events": [1, size + 1000]}, "/events/1"), ({"title": "x", "events": [0]}, "/events/0"), ({}, "/title"),
                         ({"title": "x" * 201}, "/title"), ({"title": "x", "severity": "bad"}, "/severity"), ({"title": "x", "colour": 1}, "/colour")):
            answer = post("/incident/create", body)
            assert answer.code == "request.field" and answer.json["errors"][0]["at"] == at, (body, answer)
        id = opened()
        for body, at in (({"kind": "guess", "text": "x"}, "/kind"), ({"kind": "action"}, "/text"), ({"kind": "action", "text": "x", "events": [size + 1000]}, "/events/0"), ({"kind": "action", "text": "x" * 8001}, "/text")):
            answer = post(f"/incident/{id}/step", body)
            assert answer.code == "request.field" and answer.json["errors"][0]["at"] == at, (body, answer)
        assert agentd.call("GET", f"/incident/{id}").json["steps"] == []
        for method, path, body in (("GET", "/incident/{}", None), ("POST", "/incident/{}/step", {"kind": "action", "text": "x"}), ("POST", "/incident/{}/close", {"cause": "x"})):
            assert agentd.call(method, path.format(UNKNOWN), body).code == "incident.not_found"
            assert agentd.call(method, path.format("nginx"), body).code == "request.id"
        assert agentd.call("GET", "/incidents?after=nginx").code == "request.field"

    def full():
        id = opened("long")
        for number in range(1, 501):
            assert post(f"/incident/{id}/step", {"kind": "evidence", "text": str(number)}).json["step"]["number"] == number
        assert post(f"/incident/{id}/step", {"kind": "evidence", "text": "more"}).code == "incident.full"
        assert len(agentd.call("GET", f"/incident/{id}").json["steps"]) == 500

    yield "steps come back in order, and each is a fact in the ledger", resumed
    yield "a closed incident has its cause and takes no more steps", closed
    yield "the list is newest first, page by page", paged
    yield "wrong arguments, unknown events and unknown incidents are refused and change nothing", refused
    yield "an incident that is full says so", full
