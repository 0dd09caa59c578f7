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
    {
      self,
      nixpkgs,
      crane,
      disko,
      treefmt-nix,
    }:
    let
      inherit (nixpkgs) lib;
      each = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
      pkgsFor = system: nixpkgs.legacyPackages.${system};
      workspace = pkgs: import ./pkgs { inherit pkgs crane; };
      formatting = system: treefmt-nix.lib.evalModule (pkgsFor system) ./treefmt.nix;

      # The .nix files of a folder, by name.
      filesOf =
        folder:
        lib.mapAttrs' (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (folder + "/${file}")) (
          lib.filterAttrs (file: _: lib.hasSuffix ".nix" file) (
            lib.optionalAttrs (builtins.pathExists folder) (builtins.readDir folder)
          )
        );
      hosts = lib.mapAttrs (
        name: host:
        lib.nixosSystem {
          modules = [
            self.nixosModules.default
            self.nixosModules.server
            disko.nixosModules.disko
            host
            {
              networking.hostName = lib.mkOverride 90 name;
              virtualisation.vmVariant = ./images/vm.nix;
            }
          ];
        }
      ) (filesOf ./hosts);
      images = import ./images { inherit self lib filesOf; };
    in
    {
      nixosModules = {
        # The key keeps it one module, however often it is imported.
        default = {
          key = "osmoda";
          _file = ./flake.nix;
          imports = [
            ./modules
            (
              { pkgs, ... }:
              {
                # crane is this flake's input; without a flake it is read from the lock file.
                services.osmoda.package = lib.mkDefault (pkgs.osmoda or (workspace pkgs).packages.osmoda);
              }
            )
          ];
        };
        server = ./modules/server.nix;
      };
      overlays.default = final: _: { inherit ((workspace final).packages) osmoda; };
      lib = {
        inherit (images) cloudSystem mkInstaller;
        importDir = import ./modules/import-dir.nix { inherit lib; };
      };
      nixosConfigurations = hosts;

      packages =
        each (
          system:
          (workspace (pkgsFor system)).packages
          // {
            default = (workspace (pkgsFor system)).packages.osmoda;
            docs = images.docs (pkgsFor system);
            iso = images.iso hosts.installer system;
            vm = images.vm hosts.${images.vmHost system};
          }
        )
        // images.elsewhere nixpkgs.legacyPackages;

      checks = each (
        system:
        (workspace (pkgsFor system)).checks
        // {
          treefmt = (formatting system).config.build.check self;
          docs = images.docsAreCurrent (pkgsFor system);
          # In one, so that `nix flake show` evaluates none of them.
          hosts = images.systems (pkgsFor system) hosts;
        }
        // images.drivers (pkgsFor system)
      );
      legacyPackages = each (system: {
        tests = images.tests (pkgsFor system);
        images = images.cloud system // {
          kexec = images.kexec system;
        };
      });

      apps = each (system: images.apps (pkgsFor system) self.packages.${system});
      formatter = each (system: (formatting system).config.build.wrapper);
      devShells = each (system: {
        default = (workspace (pkgsFor system)).shell;
      });
      templates = import ./templates;
    };
}
