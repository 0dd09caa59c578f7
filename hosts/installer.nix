# The installation medium, as a host: `nix build .#iso`.
{
  imports = [ ../images/installer.nix ];
  nixpkgs.hostPlatform = "x86_64-linux";
}
