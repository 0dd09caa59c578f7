# A machine with osModa. Edit machine.nix, then:
#   nixos-rebuild switch --flake .#machine        on the machine
#   nix run github:nix-community/nixos-anywhere -- --flake .#machine root@HOST      from elsewhere; HOST's disk is erased
{
  inputs = {
    osmoda.url = "github:bolivian-peru/os-moda";
    nixpkgs.follows = "osmoda/nixpkgs";
    disko.follows = "osmoda/disko";
  };

  outputs =
    {
      disko,
      nixpkgs,
      osmoda,
      ...
    }:
    {
      nixosConfigurations.machine = nixpkgs.lib.nixosSystem {
        modules = [
          osmoda.nixosModules.default
          osmoda.nixosModules.server
          disko.nixosModules.disko
          ./configuration.nix
          ./disk.nix
          ./machine.nix
          # What agents propose and you accept is written here.
          (osmoda.lib.importDir ./osmoda.d)
        ]
        ++ nixpkgs.lib.optional (builtins.pathExists ./hardware-configuration.nix) ./hardware-configuration.nix;
      };
    };
}
