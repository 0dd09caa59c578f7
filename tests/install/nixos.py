"""NixOS, as far as it goes without one: Nix itself is real and evaluates what install.sh writes. nixos-rebuild is not there;
a stand-in writes down its calls, and its `build` succeeds only where real Nix finds osModa in the configuration. Nothing is
switched, so agentd never answers, and each run that gets so far ends with saying that."""
import json, re

from place import GIT, PATH_FIRST, REPOSITORY, traces

ON = ["trixie"]
# What a flake's nixpkgs and its modules are to this test: a function that keeps its arguments.
NIXPKGS = "{ outputs = { self }: { lib.nixosSystem = arguments: arguments; }; }"
HEAD, HOST = '{\n  description = "mine";\n  inputs.nixpkgs.url = "path:/srv/nixpkgs";\n', "nixosConfigurations.machine = nixpkgs.lib.nixosSystem"
FLAKES = {
    "as nixfmt writes it": HEAD + "\n  outputs =\n    {\n      self,\n      nixpkgs,\n      ...\n    }:\n    {\n      " + HOST + " {\n        modules = [\n          ./configuration.nix\n        ];\n      };\n    };\n}\n",
    "on one line, closed": HEAD + "  outputs = { self, nixpkgs }: { " + HOST + " { modules = [ ./configuration.nix ]; }; };\n}\n",
    "with inputs by name": '# My machine: { modules = [ ]; }\n{\n  inputs = {\n    nixpkgs.url = "path:/srv/nixpkgs";\n  };\n  outputs = inputs@{ nixpkgs, ... }: {\n    # modules = [ ];\n    ' + HOST + " { modules = [ ./configuration.nix ]; };\n  };\n}\n",
    "with inputs by name, last": HEAD + "  outputs = { nixpkgs, ... }@inputs: { " + HOST + " { modules = [ ./configuration.nix ]; }; };\n}\n",
}
CONFIGURATION = "{ config, pkgs, ... }:\n\n{\n  imports =\n    [ # Include the results of the hardware scan.\n      ./hardware-configuration.nix\n    ];\n  networking.hostName = \"machine\"; # [ not here ]\n}\n"
REBUILD = r"""echo "$*" >>/root/rebuilt
[ "$1" = build ] || exit 0
[ ! -e /root/broken ] || exit 1
export NIX_CONFIG='experimental-features = nix-command flakes' HOME=/root
case $2 in
  --flake) nix eval --json "${3%#*}#nixosConfigurations.${3##*#}.modules" --apply 'builtins.map (m: m.key or (builtins.baseNameOf m))' ;;
  *) nix eval --json --impure --expr 'let c = import ('"${3#nixos-config=}"') { config = { }; pkgs = { }; }; in map baseNameOf c.imports ++ builtins.concatMap (p: map builtins.readDir (import p).imports or [ ]) (builtins.filter (p: baseNameOf p == "osmoda.nix") c.imports)' ;;
esac >/root/built || exit 1
mkdir -p result/etc/systemd/system
if grep -q 'osmoda\.nix' /root/built; then touch result/etc/systemd/system/osmoda-agentd.service; fi"""


def checks(site):
    succeed = site.succeed
    built = lambda: json.loads(succeed("cat /root/built"))
    rebuilt = lambda: succeed("cut -d' ' -f1 /root/rebuilt; rm -f /root/rebuilt").split()
    head = lambda: succeed(f"git -C {REPOSITORY} rev-parse HEAD").strip()
    read = lambda name: succeed(f"cat /etc/nixos/{name}")
    site.release(ID="nixos", VERSION_ID="26.05")
    site.stand_in("nixos-rebuild", REBUILD)
    site.write("/srv/nixpkgs/flake.nix", NIXPKGS)

    def configured(**files):
        succeed("rm -rf /etc/nixos /root/rebuilt")
        site.write("/etc/nixos/hardware-configuration.nix", "{ }\n")
        for name, text in {"configuration": CONFIGURATION, **files}.items():
            if text is not None:
                site.write(f"/etc/nixos/{name}.nix", text)

    def go(words="", expect=1):
        said = site.install(words, before=PATH_FIRST, expect=expect)
        if expect == 1 and "switching to it" in said:
            assert "agentd does not answer" in said, said[-400:]  # nothing was switched here
        return said

    def unchanged(words, text, expect=1):
        before = traces(site)
        said = go(words, expect)
        assert text in said and traces(site) == before, said[-600:]
        return said

    def flakes():
        for name, text in FLAKES.items():
            configured(flake=text)
            said = go("--skip-nixos")
            assert rebuilt() == ["build", "switch"] and built() == ["osmoda", "osmoda.nix", "configuration.nix"], (name, built(), said[-600:])
            assert '+  inputs.osmoda.url = "git+file:///srv/os-moda?ref=main";' in said and read("flake.nix.before-osmoda") == text, said
            assert json.loads(read("flake.lock"))["nodes"]["osmoda"]["locked"]["rev"] == head()
            assert eval_osmoda() == {"enable": True, "apiKeyFile": "/var/lib/osmoda/config/api-key"}

    def eval_osmoda():
        return json.loads(succeed("nix --extra-experimental-features nix-command eval --json --impure --expr '(import /etc/nixos/osmoda.nix).services.osmoda' 2>/dev/null"))

    def again():
        files = read("flake.nix"), succeed("sed -i 's/enable = true;/enable = true; # mine/' /etc/nixos/osmoda.nix; cat /etc/nixos/osmoda.nix")
        lock = read("flake.lock")
        go()
        assert (read("flake.nix"), read("osmoda.nix"), read("flake.lock")) == (*files, lock) and rebuilt() == ["build", "switch"]
        succeed(f"cd {REPOSITORY} && echo >>README.md && {GIT} commit -qam newer")
        go("--skip-nixos")
        assert (read("flake.nix"), read("osmoda.nix")) == files and json.loads(read("flake.lock"))["nodes"]["osmoda"]["locked"]["rev"] == head()

    def channels():
        configured()
        said = go("--skip-nixos --order-id 123e4567-e89b-42d3-a456-426614174000")
        assert built()[:2] == ["osmoda.nix", "hardware-configuration.nix"] and "default.nix" in built()[2] and rebuilt() == ["build", "switch"], (built(), said[-600:])
        assert "+    [ ./osmoda.nix # Include" in said and read("configuration.nix.before-osmoda") == CONFIGURATION and "[ not here ]" in read("configuration.nix")
        assert f'rev = "{head()}"' in read("osmoda.nix") and eval_osmoda()["enable"]
        assert succeed("cat /var/lib/osmoda/config/order-id; stat -c %a /var/lib/osmoda/config/order-id").split() == ["123e4567-e89b-42d3-a456-426614174000", "600"]
        old, configuration = head(), read("configuration.nix")
        succeed(f"cd {REPOSITORY} && echo >>README.md && {GIT} commit -qam newer && sed -i 's/enable = true;/enable = true; # mine/' /etc/nixos/osmoda.nix")
        go()
        assert old not in read("osmoda.nix") and head() in read("osmoda.nix") and "# mine" in read("osmoda.nix") and read("configuration.nix") == configuration

    def github():
        """Without OSMODA_REPOSITORY, the dry run's text: there is no GitHub here."""
        configured()
        said = site.install("--dry-run", before=PATH_FIRST, run=f"cat {REPOSITORY}/scripts/install.sh | bash -s --")
        assert re.search(r'builtins\.fetchTarball \{ url = "https://github\.com/[^"]+/archive/REVISION\.tar\.gz"; sha256 = "HASH"; \}', said), said
        configured(flake=FLAKES["on one line, closed"])
        said = site.install("--dry-run --branch next", before=PATH_FIRST, run=f"cat {REPOSITORY}/scripts/install.sh | bash -s --")
        assert 'inputs.osmoda.url = "github:bolivian-peru/os-moda/next";' in said

    def dry():
        for files in ({}, {"flake": FLAKES["as nixfmt writes it"]}):
            configured(**files)
            said = unchanged("--dry-run --api-key sk-test", "This was a dry run", expect=0)
            assert "+ nixos-rebuild switch" in said and "+  services.osmoda.enable = true;" in said and "sk-test" not in said

    def never_broken():
        hand = "/etc/nixos is as it was"
        configured(flake=HEAD + "  outputs = inputs: { nixosConfigurations.machine = inputs.nixpkgs.lib.nixosSystem { inherit inputs; }; };\n}\n")
        assert "inputs.osmoda.nixosModules.default" in unchanged("", f"has a shape this script does not know; {hand}")
        configured(configuration="{ config, ... }: { networking.hostName = \"machine\"; }\n")
        unchanged("", f"has no list of imports; {hand}")
        configured(configuration=None)
        unchanged("", f"neither flake.nix nor configuration.nix in /etc/nixos; {hand}")
        succeed("touch /root/broken")
        for files in ({}, {"flake": FLAKES["as nixfmt writes it"]}):
            configured(**files)
            unchanged("", f"the system does not build with osModa in it; {hand}")
        succeed("rm /root/broken")
        # The first list of modules is another machine's.
        two = FLAKES["with inputs by name"].replace("    nixosConf", "    nixosConfigurations.other = nixpkgs.lib.nixosSystem { modules = [ ]; };\n    nixosConf")
        configured(flake=two)
        unchanged("", f"has no system {succeed('uname -n').strip()}, and not one alone; {hand}")
        succeed("hostname machine")
        unchanged("", f"was built and has no osModa in it; {hand}")
        assert "switch" not in rebuilt()

    def there_already():
        flake = HEAD + f'  inputs.osmoda.url = "git+file://{REPOSITORY}?ref=main";\n  outputs = {{ self, nixpkgs, osmoda }}: {{ ' + HOST + ' { modules = [ osmoda.nixosModules.default ./osmoda.nix ]; }; };\n}\n'
        configured(flake=flake, osmoda="{ services.osmoda.enable = true; }\n")
        go("--skip-nixos")
        assert succeed("tail -n 1 /root/rebuilt") == "switch --flake /etc/nixos#machine\n"
        assert read("flake.nix") == flake and read("osmoda.nix") == "{ services.osmoda.enable = true; }\n" and built() == ["osmoda", "osmoda.nix"] and rebuilt() == ["build", "switch"]

    def in_git():
        configured(flake=FLAKES["as nixfmt writes it"])
        succeed(f"cd /etc/nixos && git init -q && git add -A && {GIT} commit -qm mine")
        go()
        assert succeed("git -C /etc/nixos ls-files").split() == ["configuration.nix", "flake.nix", "hardware-configuration.nix", "osmoda.nix"]
        assert json.loads(succeed("cd /etc/nixos && nix --extra-experimental-features 'nix-command flakes' eval --json .#nixosConfigurations.machine.modules --apply builtins.length 2>/dev/null")) == 3

    yield "a flake of each usual shape gets the input and the module, and the old file is kept", flakes
    yield "a second run changes nothing but the lock, and that where there is something newer", again
    yield "a configuration without flakes gets the module by commit and hash, and an update moves them", channels
    yield "from GitHub it is a flake reference, or a tarball with its hash", github
    yield "a dry run shows the difference and makes none", dry
    yield "where it does not know better, or it would not build, /etc/nixos stays as it was", never_broken
    yield "a configuration that has osModa is updated and rebuilt", there_already
    yield "in a git repository the new file is one that git knows", in_git
