# A laptop with a microphone.
{ lib, ... }:
{
  imports = [ ./example-uefi.nix ];

  networking.networkmanager.enable = true;
  users.users.admin.extraGroups = [ "networkmanager" ];
  security.rtkit.enable = true;
  services.pipewire = {
    enable = true;
    alsa.enable = true;
    pulse.enable = true;
  };
  # It is carried around: nobody needs to reach it.
  services.openssh.enable = lib.mkForce false;
}
