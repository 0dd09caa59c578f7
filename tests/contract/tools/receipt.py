"""receipt_list and receipt_get: every call with an effect, joined from the two events it left."""
AGENT = {"X-Osmoda-Actor": "agent:payer", "X-Osmoda-Tool": "notify_send"}.items()


def checks(agentd):
    receipts = lambda query="": agentd.call("GET", f"/receipts?{query}").json["receipts"]

    def joined():
        answer = agentd.call("POST", "/notify", {"title": "paid"}, AGENT)
        [receipt] = receipts("actor=agent:payer&limit=1")
        assert receipt["request_id"] == answer.headers["X-Request-Id"] and receipt["type"] == "agentd.notify", receipt
        assert (receipt["result"], receipt["status"], receipt["code"], receipt["tool"], receipt["effect"]) == ("ok", 200, None, "notify_send", "change"), receipt
        assert receipt["id"] == f"rcp_{receipt['outcome_id']}" and receipt["summary"] == "notify_send: POST /notify", receipt
        whole = agentd.call("GET", f"/receipts/{receipt['id']}").json
        assert {k: whole[k] for k in receipt} == receipt
        event = lambda id: agentd.call("GET", f"/events/log?after_id={id - 1}&limit=1").json["events"][0]
        assert whole["intent"] == event(receipt["intent_id"]) and whole["outcome"] == event(receipt["outcome_id"])
        assert whole["intent"]["payload"]["args"] == {"title": "paid"}

    def failed():
        unknown = "inc_01kaq3v8e2m6zr0t5h9xw4c7yd"
        agentd.call("POST", f"/incident/{unknown}/close", {"cause": "x"}, AGENT)
        [receipt] = receipts("actor=agent:payer&limit=1")
        assert (receipt["type"], receipt["result"], receipt["status"], receipt["code"]) == ("agentd.incident.close", "failed", 404, "incident.not_found"), receipt

    def all_of_them():
        outcomes, after = [], 0
        while True:
            page = agentd.call("GET", f"/events/log?after_id={after}&limit=1000").json
            outcomes += [e["id"] for e in page["events"] if e["type"].endswith(".outcome")]
            if not page["next"]:
                break
            after = page["events"][-1]["id"]
        seen, cursor = [], ""
        while True:
            page = agentd.call("GET", f"/receipts?limit=7{cursor}").json
            seen += page["receipts"]
            if page["next"] is None:
                break
            cursor = f"&after={page['next']}"
        assert [r["outcome_id"] for r in seen] == outcomes[::-1]
        assert all(r["intent_id"] < r["outcome_id"] for r in seen)

    def filtered():
        assert {r["type"] for r in receipts("type=agentd.incident.&limit=1000")} >= {"agentd.incident.close"}
        assert all(r["type"].startswith("agentd.incident.") for r in receipts("type=agentd.incident.&limit=1000"))
        assert {r["type"] for r in receipts("type=agentd.notify&limit=1000")} == {"agentd.notify"}
        assert receipts("type=agentd.not") == receipts("actor=agent:nobody") == receipts("since=2999-01-01T00:00:00Z") == receipts("type=keyd.wallet.") == []
        assert receipts("since=1h&limit=1") == receipts("limit=1")

    def refused():
        for id, code in (("rcp_999999999", "receipt.not_found"), ("rcp_1", "receipt.not_found"), ("rcp_0", "request.id"), ("rcp_01", "request.id"), ("7", "request.id"), ("rcp_9007199254740992", "request.id")):
            assert agentd.call("GET", f"/receipts/{id}").code == code, id
        for query in ("after=x", "limit=0", "limit=1001", "since=soon", "colour=1"):
            assert agentd.call("GET", f"/receipts?{query}").code == "request.field", query

    yield "a receipt is the outcome with its intent, and leads to both events", joined
    yield "a refused call leaves a receipt that says so", failed
    yield "there is one receipt for each outcome, page by page", all_of_them
    yield "type, actor and time narrow the list", filtered
    yield "what is no receipt is refused", refused
