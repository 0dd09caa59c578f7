# Our opinions on a server, all of which a host may change: `nixosModules.server`. osModa itself needs none of them.
{ lib, ... }:
let
  inherit (lib) mkDefault;
in
{
  # A machine that nobody sits at comes back by itself.
  boot.kernelParams = [
    "panic=30"
    "boot.panic_on_fail"
  ];
  systemd.settings.Manager = {
    RuntimeWatchdogSec = mkDefault "30s";
    RebootWatchdogSec = mkDefault "5min";
  };

  # /boot holds a kernel and an initrd for each entry.
  boot.loader.grub.configurationLimit = mkDefault 15;
  boot.loader.systemd-boot.configurationLimit = mkDefault 15;

  networking.nftables.enable = mkDefault true;

  services.openssh = {
    enable = mkDefault true;
    settings = {
      KbdInteractiveAuthentication = mkDefault false;
      PasswordAuthentication = mkDefault false;
      PermitRootLogin = mkDefault "prohibit-password";
    };
  };

  services.journald.extraConfig = mkDefault ''
    SystemMaxUse=1G
    MaxRetentionSec=3month
  '';

  nix = {
    settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      # A build that would fill the disk frees the store first.
      min-free = mkDefault (1024 * 1024 * 1024);
      max-free = mkDefault (4 * 1024 * 1024 * 1024);
    };
    gc = {
      automatic = mkDefault true;
      dates = mkDefault "weekly";
      options = mkDefault "--delete-older-than 30d";
    };
  };

  users.motd = mkDefault ''

    osModa. agentctl status says how it is, agentctl events what was done.

  '';
}
