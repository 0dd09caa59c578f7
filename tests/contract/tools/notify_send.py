"""notify_send: an alert that stands in the ledger between its intent and its outcome."""


def checks(agentd):
    def recorded():
        headers = {"X-Osmoda-Actor": "agent:tester", "X-Osmoda-Tool": "notify_send"}.items()
        before = agentd.call("GET", "/ledger/head").json["size"]
        answer = agentd.call("POST", "/notify", {"title": "Disk at 91 %", "severity": "warning", "links": ["evt 7"]}, headers)
        assert answer.status == 200 and answer.json == {"channels": ["ledger"]}, answer
        events = agentd.call("GET", f"/events/log?after_id={before}&actor=agent:tester").json["events"]
        intent, alert, outcome = [event for event in events if not event["type"].endswith(".session.read")]
        assert [intent["type"], alert["type"], outcome["type"]] == ["agentd.notify.intent", "agentd.alert.raised", "agentd.notify.outcome"]
        request = answer.headers["X-Request-Id"]
        assert intent["payload"]["request_id"] == outcome["payload"]["request_id"] == request
        assert intent["payload"]["args"]["title"] == alert["payload"]["title"] == "Disk at 91 %"
        assert (alert["payload"]["severity"], alert["payload"]["source"], outcome["payload"]["result"]) == ("warning", "agent:tester", "ok")

    def once():
        key = {"Idempotency-Key": "alert-of-today"}.items()
        alerts = lambda: len(agentd.call("GET", "/events/log?type=agentd.alert.raised&limit=1000").json["events"])
        before = alerts()
        first, second = (agentd.call("POST", "/notify", {"title": "once"}, key) for _ in range(2))
        assert first.body == second.body and second.headers["Idempotency-Replayed"] == "true"
        other = agentd.call("POST", "/notify", {"title": "another"}, key)
        assert other.code == "idempotency.mismatch" and alerts() == before + 1

    def refused():
        for body in ({}, {"title": ""} | {"colour": 1}, {"title": "x" * 201}, {"title": "x", "severity": "bad"}, {"title": 7}):
            before = agentd.call("GET", "/ledger/head").json["size"]
            answer = agentd.call("POST", "/notify", body)
            assert answer.code == "request.field" and answer.json["errors"], (body, answer)
            assert agentd.call("GET", "/ledger/head").json["size"] == before, "a refused call left a record"

    yield "intent, alert and outcome are recorded under the caller's name", recorded
    yield "one key, one alert", once
    yield "wrong arguments are refused before anything is recorded", refused
