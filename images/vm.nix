# A host as a virtual machine to look at: no disk layout, no secrets, a login on its console.
{ lib, options, ... }:
{
  config = {
    services.getty.autologinUser = lib.mkForce "root";
    users.users.root.extraGroups = [ "osmoda" ];
    virtualisation = {
      memorySize = 2048;
      cores = 2;
      graphics = false;
    };
    services.osmoda.remoteAccess = {
      cloudflare.enable = lib.mkForce false;
      tailscale.enable = lib.mkForce false;
    };
  }
  // lib.optionalAttrs (options ? disko) { disko.enableConfig = false; };
}
