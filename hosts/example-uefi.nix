# A server on UEFI, with systemd-boot: an entry can be chosen for one boot.
{
  imports = [
    ../templates/secure-boot/configuration.nix
    ../templates/secure-boot/disk.nix
    ../templates/secure-boot/machine.nix
  ];
  boot.loader.systemd-boot.enable = true;
}
