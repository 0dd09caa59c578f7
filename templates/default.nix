{
  default = {
    path = ./default;
    description = "A machine with osModa, for BIOS and UEFI: edit machine.nix, rebuild";
    welcomeText = "Edit machine.nix: the disk and your ssh key. Then `nixos-rebuild build --flake .#machine`.";
  };
  secure-boot = {
    path = ./secure-boot;
    description = "The same for UEFI with Secure Boot, through lanzaboote";
  };
}
