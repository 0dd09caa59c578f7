# This machine, as its image is. `nixos-rebuild switch --flake /etc/nixos#machine` applies what you edit.
{
  inputs.osmoda.url = "github:bolivian-peru/os-moda";

  outputs =
    { osmoda, ... }:
    {
      nixosConfigurations.machine = osmoda.lib.cloudSystem {
        system = "@system@";
        variant = "@variant@";
        modules = [
          ./configuration.nix
          (osmoda.lib.importDir ./osmoda.d)
        ];
      };
    };
}
