# A server that boots on BIOS and on UEFI: the very files of templates/default.
{
  imports = [
    ../templates/default/configuration.nix
    ../templates/default/disk.nix
    ../templates/default/machine.nix
  ];
}
