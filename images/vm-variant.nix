# `nixos-rebuild build-vm`.
{ virtualisation.vmVariant = ./vm.nix; }
