"""agent_card: absent before it is generated, then a valid registration file and A2A card, both signed, of what answers."""
import base64, hashlib, json, os

from wire import canonical

ERC = {"type", "name", "description", "image", "services", "x402Support", "active", "registrations", "supportedTrust"}
A2A = {"name", "description", "supportedInterfaces", "version", "capabilities", "defaultInputModes", "defaultOutputModes", "skills", "signatures"}
unpad = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
pad = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def verified(key, jws, what):
    """The JWS over the canonical form of `what`, by OpenSSL's Ed25519 where Python has no other."""
    import ed25519
    header = json.loads(unpad(jws["protected"]))
    assert header["alg"] == "EdDSA" and header["kid"] == key, header
    message = f"{jws['protected']}.{pad(canonical(what).encode())}".encode()
    return ed25519.verify(unpad(key.removeprefix("ed25519:")), message, unpad(jws["signature"]))


def checks(agentd):
    import pathlib, sys
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "docs/ledger"))

    def generated():
        absent = agentd.call("GET", "/agent/card")
        assert absent.code == "card.not_found" and "/agent/card/generate" in absent.json["next_step"], absent
        asked = {"name": "build-host", "description": "Builds our packages.", "services": [{"name": "web", "endpoint": "https://build.example", "version": "1"}]}
        answer = agentd.call("POST", "/agent/card/generate", asked)
        assert answer.status == 200, answer
        card = answer.json
        assert agentd.call("GET", "/agent/card").json == card
        assert ERC <= card.keys() and card["type"] == "https://eips.ethereum.org/EIPS/eip-8004#registration-v1" and card["active"] is True
        assert card["services"] == [{"name": "x-osmoda", "endpoint": f"unix:{agentd.sock}", "version": agentd.health()["version"]}, asked["services"][0]]
        assert A2A == card["a2a"].keys() and card["a2a"]["supportedInterfaces"][0]["url"] == f"unix:{agentd.sock}"
        tools = {tool for skill in card["a2a"]["skills"] for tool in skill["tags"]}
        assert {"system_health", "event_log", "agent_card", "incident_create"} <= tools, tools
        fact = agentd.call("GET", "/events/log?type=agentd.card.generated&limit=1").json["events"][0]["payload"]
        registration = {name: card[name] for name in ERC}
        assert fact["digest"] == "sha256:" + hashlib.sha256(canonical(registration).encode()).hexdigest()
        assert fact["key"] == card["osmoda"]["key"] and card["osmoda"]["machine_id"] == (agentd.state / "agentd/machine-id").read_text().strip()

    def signed():
        card = agentd.call("GET", "/agent/card").json
        key, registration = card["osmoda"]["key"], {name: card[name] for name in ERC}
        a2a = {name: value for name, value in card["a2a"].items() if name != "signatures"}
        assert verified(key, card["osmoda"]["signature"], registration) and verified(key, card["a2a"]["signatures"][0], a2a)
        assert not verified(key, card["osmoda"]["signature"], registration | {"name": "other"})
        path = agentd.state / "agentd/card.key"
        assert os.stat(path).st_mode & 0o777 == 0o600
        again = agentd.call("POST", "/agent/card/generate", {"name": "b", "description": "d"}).json
        assert again["osmoda"]["key"] == key and len(again["services"]) == 1

    def refused():
        for body, at in (({"name": "x"}, "/description"), ({"name": "x" * 101, "description": ""}, "/name"), ({"name": "x", "description": "", "services": [{"name": "web"}]}, "/services/0"), ({"name": "x", "description": "", "colour": 1}, "/colour")):
            answer = agentd.call("POST", "/agent/card/generate", body)
            assert answer.code == "request.field" and answer.json["errors"][0]["at"].startswith(at), (body, answer)

    yield "the card is absent, then valid, then in the ledger", generated
    yield "both documents are signed by a key of their own that stays the same", signed
    yield "wrong arguments are refused", refused
