# The lines to edit.
{
  nixpkgs.hostPlatform = "x86_64-linux";
  networking.hostName = "machine";
  disko.devices.disk.main.device = "/dev/sda";
  users.users.admin.openssh.authorizedKeys.keys = [
    # "ssh-ed25519 AAAA… you@laptop"
  ];
}
