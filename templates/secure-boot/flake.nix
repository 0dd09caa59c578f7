# A machine with osModa and Secure Boot, for UEFI. Edit machine.nix and follow lanzaboote's guide for the keys:
# `sbctl create-keys` before the first rebuild, `sbctl enroll-keys --microsoft` in the firmware's setup mode after it.
{
  inputs = {
    osmoda.url = "github:bolivian-peru/os-moda";
    nixpkgs.follows = "osmoda/nixpkgs";
    disko.follows = "osmoda/disko";
    lanzaboote.url = "github:nix-community/lanzaboote";
    lanzaboote.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    {
      disko,
      lanzaboote,
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
          lanzaboote.nixosModules.lanzaboote
          ./configuration.nix
          ./disk.nix
          ./machine.nix
          ./secure-boot.nix
          (osmoda.lib.importDir ./osmoda.d)
        ];
      };
    };
}
