# The installer on a medium that a machine boots from.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
{
  imports = [
    (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix")
    ./installer.nix
  ];
  image.baseName = lib.mkForce "osmoda-${config.system.nixos.release}-${pkgs.stdenv.hostPlatform.system}";
}
