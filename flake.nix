{
  description = "osModa: NixOS on which an agent works through typed, policy-governed, recorded tools";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    crane.url = "github:ipetkov/crane";
    disko.url = "github:nix-community/disko";
    disko.inputs.nixpkgs.follows = "nixpkgs";
    treefmt-nix.url = "github:numtide/treefmt-nix";
    treefmt-nix.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { self, nixpkgs, crane, disko, treefmt-nix }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      workspace = pkgs: import ./pkgs { inherit pkgs crane; };
      formatting = pkgs: treefmt-nix.lib.evalModule pkgs ./treefmt.nix;
      modulesIn = folder: lib.mapAttrs' (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (folder + "/${file}")) (
        lib.filterAttrs (file: _: lib.hasSuffix ".nix" file) (builtins.readDir folder)
      );
    in
    {
      packages = each (pkgs: (workspace pkgs).packages // { default = (workspace pkgs).packages.osmoda; });
      overlays.default = final: _: { inherit (workspace final) osmoda; };
      nixosModules.default = {
        key = "osmoda";
        _file = ./flake.nix;
        imports = [
          ./modules
          (
            { pkgs, ... }:
            {
              # Crane comes from this flake's input; a module without a flake reads it from the lock file.
              services.osmoda.package = lib.mkDefault (pkgs.osmoda or (workspace pkgs).packages.osmoda);
            }
          )
        ];
      };
      checks = each (pkgs: (workspace pkgs).checks // { treefmt = (formatting pkgs).config.build.check self; });
      formatter = each (pkgs: (formatting pkgs).config.build.wrapper);
      devShells = each (pkgs: { default = (workspace pkgs).shell; });
      nixosConfigurations = lib.mapAttrs (
        name: host:
        lib.nixosSystem {
          modules = [
            self.nixosModules.default
            disko.nixosModules.disko
            host
            { networking.hostName = lib.mkDefault name; }
          ];
        }
      ) (modulesIn ./hosts);
    };
}
