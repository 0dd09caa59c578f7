# A server on aarch64.
{
  imports = [
    ../templates/secure-boot/configuration.nix
    ../templates/secure-boot/disk.nix
  ];
  boot.loader.systemd-boot.enable = true;
  disko.devices.disk.main.device = "/dev/vda";
  nixpkgs.hostPlatform = "aarch64-linux";
}
