# services.osmoda: imports one file for each daemon and each capability, and holds what they share. Defines nothing
# unless enabled. A new daemon is a file here and its line in `imports`.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.osmoda;
  inherit (import ./lib.nix { inherit lib; }) newEnough secretOption;
in
{
  imports = [
    ./agentd.nix
    ./agentd-root.nix
    ./binary-cache.nix
    ./callback.nix
    ./persistence.nix
    ./remote-access.nix
  ];

  options.services.osmoda = {
    enable = lib.mkEnableOption "osModa, which lets an agent work on this machine through typed, recorded tools";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.osmoda or (import ../. { inherit pkgs; }).packages.osmoda;
      defaultText = lib.literalExpression "pkgs.osmoda, with osModa's overlay; else osModa built with this system's packages";
      example = lib.literalExpression "pkgs.osmoda.overrideAttrs (old: { patches = [ ./mine.patch ]; })";
      description = "Where the programs come from. Each daemon has a `package` of its own that follows this one.";
    };

    checkConfig = lib.mkOption {
      type = lib.types.bool;
      default = true;
      example = false;
      description = ''
        Whether each configuration file is read by its daemon while the system is built, so that a wrong setting fails
        the build. Where the machine that builds cannot run the daemon (another architecture), nothing is read.
      '';
    };

    apiKeyFile = secretOption {
      what = "the key of the model's provider, for the gateway";
      example = "/var/lib/osmoda/config/api-key";
    };

    sandboxExceptions = lib.mkOption {
      type = lib.types.attrsOf lib.types.anything;
      default = { };
      internal = true;
      description = "What each unit's sandbox lets through and why, for docs/nixos.md.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      (newEnough config.system.nixos.release)
      {
        assertion = (config.boot.kernel.sysctl."user.max_user_namespaces" or 1) != 0;
        message = "services.osmoda runs commands for agents in user namespaces, and boot.kernel.sysctl.\"user.max_user_namespaces\" is 0: remove that setting.";
      }
    ];

    warnings = lib.optional (
      cfg.apiKeyFile != null
    ) "services.osmoda.apiKeyFile is not read yet: it is for the gateway, which is still to come.";

    environment.systemPackages = [ cfg.package ];

    users.groups = {
      osmoda = { }; # may open the daemons' sockets
      osmoda-operator = { }; # answers for the machine
    };

    systemd.tmpfiles.settings."10-osmoda" = {
      # Nobody but root adds a socket here: a member of the group could pose as a daemon.
      "/run/osmoda".d = {
        user = "root";
        group = "osmoda";
        mode = "0755";
      };
      "/var/lib/osmoda".d = {
        user = "root";
        group = "root";
        mode = "0755";
      };
    };
  };
}
