# osModa without flakes: `(import ./. { inherit pkgs; }).packages.osmoda`, `imports = [ ./modules ]`.
# What the flake takes from its inputs comes from the same lock file here.
{
  pkgs ? import <nixpkgs> { },
  crane ? {
    mkLib =
      pkgs:
      let
        inherit ((builtins.fromJSON (builtins.readFile ./flake.lock)).nodes.crane) locked;
        source = fetchTarball {
          url = "https://github.com/${locked.owner}/${locked.repo}/archive/${locked.rev}.tar.gz";
          sha256 = locked.narHash;
        };
      in
      import source { inherit pkgs; };
  },
}:
import ./pkgs { inherit pkgs crane; }
