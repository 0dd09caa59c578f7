# The installer for a Linux that runs: its kernel takes the place of the running one, in memory, and no disk is touched.
# The archive holds a folder kexec/ whose program `run` does it; scripts/install.sh and nixos-anywhere's --kexec take it.
{
  config,
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  inherit (config.system) build;
  name = "osmoda-kexec-${pkgs.stdenv.hostPlatform.system}.tar";
in
{
  imports = [
    (modulesPath + "/installer/netboot/netboot-minimal.nix")
    ./installer.nix
  ];

  # The addresses that are carried over are files of systemd-networkd, which come before this one.
  networking = {
    hostName = lib.mkDefault "osmoda-installer";
    networkmanager.enable = lib.mkForce false;
    useDHCP = false;
    useNetworkd = true;
  };
  systemd.network.networks."99-leased" = {
    matchConfig.Type = "ether";
    networkConfig.DHCP = "yes";
  };

  # What `run` added to the initrd: ssh keys, machine-id, addresses.
  boot.initrd.systemd = {
    enable = true;
    services.osmoda-carried = {
      description = "What the system before this one left";
      wantedBy = [ "initrd.target" ];
      before = [
        "initrd-nixos-activation.service"
        "initrd-switch-root.target"
      ];
      unitConfig = {
        DefaultDependencies = false;
        RequiresMountsFor = "/sysroot";
        ConditionPathExists = "/carried";
      };
      serviceConfig.Type = "oneshot";
      script = "cp -a /carried/. /sysroot/";
    };
  };

  system.build.kexecArchive =
    pkgs.runCommand name
      {
        parameters = "init=${build.toplevel}/init ${toString config.boot.kernelParams}";
        passAsFile = [ "parameters" ];
      }
      ''
        mkdir -p kexec $out
        cp ${build.netbootRamdisk}/initrd kexec/initrd
        cp ${build.kernel}/${config.system.boot.loader.kernelFile} kexec/bzImage
        cp ${pkgs.pkgsStatic.kexec-tools}/bin/kexec kexec/kexec
        cp ${./kexec-run} kexec/run
        cp "$parametersPath" kexec/parameters
        chmod +x kexec/run
        tar --owner=0 --group=0 --sort=name --mtime=@1 -cf $out/${name} kexec
      '';
}
