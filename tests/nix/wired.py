"""Every option that is documented changes the system when it is set, but for those named here."""
import functools, json, re

from evaluate import ROOT, evaluate

# Read later: the gateway.
NOT_YET = {"services.osmoda.apiKeyFile"}
# Nix expressions for options whose example is one.
SAMPLES = {
    "services.osmoda.package": "pkgs.hello",
    "services.osmoda.agentd.package": "pkgs.hello",
    "services.osmoda.agentdRoot.package": "pkgs.hello",
    "services.osmoda.remoteAccess.cloudflare.package": "pkgs.hello",
}
# What must be on for the others to mean anything.
AROUND = """{
  services.osmoda = {
    enable = true;
    binaryCache = { enable = true; url = "https://a.example"; publicKey = "a.example-1:AAAA"; };
    remoteAccess.cloudflare = { enable = true; credentialFile = "/run/a"; tunnelId = "a"; };
    remoteAccess.tailscale.enable = true;
  };
}"""
# (each option by name): a system with it, and one without
SYSTEMS = """flake:
let
  host = flake.nixosConfigurations.example;
  lib = host.pkgs.lib;
  around = host.extendModules { modules = [ AROUND ]; };
  with' = modules: (around.extendModules { inherit modules; }).config.system.build.toplevel.drvPath;
  samples = pkgs: { SAMPLES };
  documented = lib.filter (option: option.visible && !option.internal && !option.readOnly) (lib.optionAttrSetToDocList around.options.services.osmoda);
  # A switch is thrown, another option takes its example.
  other = option: pkgs:
    let now = lib.getAttrFromPath option.loc around.config; in
    if lib.isBool now then !now else (samples pkgs).${option.name} or (lib.getAttrFromPath option.loc around.options).example;
  set = option: { pkgs, ... }: lib.setAttrByPath option.loc (lib.mkForce (other option pkgs));
in
{
  plain = with' [ ];
  hidden = map (option: option.name) (lib.filter (option: !option.visible || option.internal) (lib.optionAttrSetToDocList around.options.services.osmoda));
  options = lib.listToAttrs (map (option: { inherit (option) name; value = with' [ (set option) ]; }) documented);
}"""


@functools.cache
def systems():
    samples = "".join(f'"{name}" = {value}; ' for name, value in SAMPLES.items())
    return evaluate(".", SYSTEMS.replace("AROUND", AROUND).replace("SAMPLES", samples))


def checks():
    """(option, check) of each; one check that fails or is skipped where nothing evaluates."""
    try:
        found = systems()
    except Exception as error:
        def why(error=error):
            raise error
        return [("every option does something", why)]
    return [("no hidden option but the one docs/nixos.md is made from", functools.partial(hidden, found["hidden"]))] + [(f"{name} does something", functools.partial(differs, name, system == found["plain"])) for name, system in sorted(found["options"].items())]


def hidden(found):
    assert [name for name in found if ".<name>" not in name] == ["services.osmoda.sandboxExceptions"], found


def differs(name, same):
    if name in NOT_YET:
        assert same, f"{name} does something: take it off the list of those that do not yet"
    else:
        assert not same, f"{name} is documented, and the system is the same without it"


def same_roots():
    """Nix's defaults are those of rust/root, which are used where nothing is said."""
    code = (ROOT / "rust/root/src/serve.rs").read_text()
    usual = json.loads(re.search(r"fn usual\(\) -> Vec<PathBuf> \{\s*(\[[^\]]*\])", code)[1])
    said = evaluate("nixosConfigurations.example.options.services.osmoda.files", "files: { read = files.read.default; write = files.write.default; }")
    assert said == {"read": ["/"], "write": usual}, (said, usual)
