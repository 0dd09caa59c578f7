# What every cloud image is: no disk layout, no secret, no identity baked in. It takes the provider's ssh key, grows to
# the disk it is put on and speaks on a serial console. What a provider needs comes with its variant (./default.nix).
{
  config,
  lib,
  pkgs,
  ...
}:
{
  options.osmodaImage.variant = lib.mkOption {
    type = lib.types.str;
    description = "The variant of image.modules that this system is an image of.";
  };

  config = {
    services.osmoda.enable = true;
    system.stateVersion = lib.mkDefault "26.05";
    # Where the platform names none; below the defaults that some give.
    boot.loader.grub.device = lib.mkOverride 1400 "/dev/vda";
    boot.growPartition = true;
    boot.kernelParams = [ "console=ttyS0,115200" ];

    # The machine described as it is, so that its first rebuild changes nothing but what was edited.
    systemd.services.osmoda-first-flake = {
      description = "A first /etc/nixos";
      wantedBy = [ "multi-user.target" ];
      unitConfig.ConditionPathExists = "!/etc/nixos/flake.nix";
      path = [ pkgs.git ];
      script = ''
        mkdir -p /etc/nixos
        cp --recursive --no-preserve=mode ${../templates/cloud}/. /etc/nixos/
        sed -i 's/@variant@/${config.osmodaImage.variant}/; s/@system@/${pkgs.stdenv.hostPlatform.system}/' /etc/nixos/flake.nix
        git -C /etc/nixos init --quiet --initial-branch=main
        git -C /etc/nixos add --all
      '';
      serviceConfig.Type = "oneshot";
    };
  };
}
