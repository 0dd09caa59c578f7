# A machine without a way out: nothing is fetched, nothing is reached, builds come by `nixos-rebuild --target-host` or
# on a stick.
{ lib, ... }:
{
  imports = [ ./example-uefi.nix ];

  networking = {
    useDHCP = false;
    interfaces.eth0.ipv4.addresses = [
      {
        address = "192.0.2.10";
        prefixLength = 24;
      }
    ];
    usePredictableInterfaceNames = false;
  };
  nix.settings.substituters = lib.mkForce [ ];
  services.timesyncd.enable = false;
}
