# What every installation medium is (./iso.nix, ./kexec.nix): boots to a root shell, on serial consoles too, and installs
# by itself where it is told how.
# With `osmodaInstaller.host` it carries that host, built, and needs no network.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.osmodaInstaller;
  install = pkgs.writeShellApplication {
    name = "osmoda-install";
    runtimeInputs = [
      pkgs.curl
      pkgs.disko
      pkgs.efibootmgr
      pkgs.gawk
      pkgs.git
      pkgs.jq
      pkgs.nixos-install-tools
      pkgs.util-linux
    ];
    text = lib.readFile ./osmoda-install;
  };
  host = pkgs.writeText "host.json" (
    builtins.toJSON {
      disk = cfg.host.config.disko.devices.disk.main.device;
      disko = cfg.host.config.system.build.diskoScript;
      inherit (cfg.host.config.system.build) toplevel;
    }
  );
  # The lock file of the new machine names what this medium was made from, so that both are the same.
  own = lib.importJSON ../flake.lock;
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) repository;
  place = lib.reverseList (lib.splitString "/" repository);
  below = lib.mapAttrs (_: input: if lib.isList input then [ "osmoda" ] ++ input else input);
  lock = {
    version = 7;
    root = "root";
    nodes =
      lib.mapAttrs (
        _: node: node // lib.optionalAttrs (node ? inputs) { inputs = below node.inputs; }
      ) own.nodes
      // {
        root.inputs =
          lib.genAttrs [ "disko" "nixpkgs" ] (input: [
            "osmoda"
            input
          ])
          // {
            osmoda = "osmoda";
          };
        osmoda = {
          inherit (own.nodes.root) inputs;
          locked = {
            inherit (cfg.flake) lastModified narHash rev;
            owner = lib.elemAt place 1;
            repo = lib.head place;
            type = "github";
          };
          original = {
            owner = lib.elemAt place 1;
            repo = lib.head place;
            type = "github";
          };
        };
      };
  };
  source =
    if cfg.flake ? rev then
      pkgs.runCommand "osmoda-machine" {
        lock = builtins.toJSON lock;
        passAsFile = [ "lock" ];
      } "cp -r ${cfg.source} $out; chmod -R u+w $out; cp $lockPath $out/flake.lock"
    else
      cfg.source;
in
{
  options.osmodaInstaller = {
    source = lib.mkOption {
      type = lib.types.path;
      default = ../templates/default;
      description = "The folder that becomes /etc/nixos of the new machine.";
    };
    flake = lib.mkOption {
      type = lib.types.raw;
      default = { };
      description = "osModa's flake, which the new machine's lock file names where it is a commit.";
    };
    host = lib.mkOption {
      type = lib.types.nullOr lib.types.raw;
      default = null;
      description = "A NixOS system with a disko layout whose disk is called main.";
    };
  };

  config = {
    system = {
      # nixos-anywhere skips its kexec where it finds this.
      nixos.variant_id = "installer";
      installer.channel.enable = false;
      stateVersion = config.system.nixos.release;
    };
    documentation.enable = false;

    boot.kernelParams = [
      "console=ttyS0,115200"
      "console=tty0"
    ];
    services.getty.autologinUser = lib.mkForce "root";
    services.getty.helpLine = lib.mkForce "osmoda-install installs osModa on this machine.";
    nix.settings.experimental-features = [
      "nix-command"
      "flakes"
    ];

    # nixpkgs' installers and our server both have a default here; root has no password on the medium.
    services.openssh.settings.PermitRootLogin = "prohibit-password";

    environment.systemPackages = [ install ];
    # So that the new machine need not compile it.
    system.extraDependencies = [ config.services.osmoda.package ];
    environment.etc = {
      "osmoda-install/nixos".source = source;
    }
    // lib.optionalAttrs (cfg.host != null) { "osmoda-install/host.json".source = host; };

    systemd.services.osmoda-install = {
      description = "Unattended installation of osModa";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "multi-user.target"
        "network-online.target"
      ];
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe install} --find";
        # 3: nobody said how, a person will.
        SuccessExitStatus = 3;
        StandardOutput = "journal+console";
      };
    };
  };
}
