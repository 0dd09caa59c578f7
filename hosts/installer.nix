# The installation medium, as a host: `nix build .#iso`.
{
  imports = [ ../images/iso.nix ];
  nixpkgs.hostPlatform = "x86_64-linux";
}
