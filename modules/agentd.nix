# agentd: the machine's state, its ledger and its memory, as an ordinary user.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.services.osmoda;
  own = options.services.osmoda;
  ours = import ./lib.nix { inherit lib; };
  credential = "backup-identity";

  settings = lib.recursiveUpdate (ours.toSettings {
    rootSocket = "/run/osmoda/root.sock";
    backup = cfg.backup // {
      identityFile =
        if cfg.backup.identityFile == null then
          null
        else
          "/run/credentials/osmoda-agentd.service/${credential}";
    };
  }) cfg.agentd.settings;

  # What a running agentd reads again on SIGHUP; all else needs a restart.
  hot = settings.log.filter or null;
  cold =
    settings // lib.optionalAttrs (settings ? log) { log = removeAttrs settings.log [ "filter" ]; };
  digest = value: builtins.hashString "sha256" (builtins.toJSON value);

  exceptions = {
    PrivateNetwork = {
      value = false;
      reason = "It reports the machine's interfaces, routes and ports, which are those of its own network namespace.";
    };
    RestrictAddressFamilies = {
      value = [
        "AF_UNIX"
        "AF_NETLINK"
      ];
      reason = "The kernel answers questions about interfaces and sockets over netlink.";
    };
    ProtectProc = {
      value = "default";
      reason = "It lists all processes, and says who calls by reading them.";
    };
    ProcSubset = {
      value = "all";
      reason = "Memory, load and kernel parameters are files of /proc beside the processes.";
    };
    ProtectHome = {
      value = "read-only";
      reason = "How full a disk below /home is can only be asked where it is seen.";
    };
    ProtectHostname = {
      value = false;
      reason = "A namespace of its own would hide the name that the machine gets later.";
    };
    RestrictSUIDSGID = {
      value = false;
      reason = "systemd forbids openat2(2) with it, and every path an agent names is opened with that.";
    };
  };
in
{
  options.services.osmoda = {
    agentd = {
      package = lib.mkOption {
        type = lib.types.package;
        default = cfg.package;
        defaultText = lib.literalExpression "config.services.osmoda.package";
        example = lib.literalExpression "pkgs.osmoda.overrideAttrs (old: { patches = [ ./agentd.patch ]; })";
        description = "Where agentd comes from.";
      };
      settings = ours.settingsOption {
        inherit pkgs;
        daemon = "agentd";
        example = {
          log.filter = "debug";
          drain_secs = 20;
        };
      };
    };

    backup = {
      dir = lib.mkOption {
        type = lib.types.externalPath;
        default = "/var/backups/osmoda";
        example = "/srv/backups/osmoda";
        description = "The folder that backups are written to.";
      };
      recipients = lib.mkOption {
        type = lib.types.listOf lib.types.str;
        default = [ ];
        example = [ "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p" ];
        description = ''
          Who can open a backup: age or ssh public keys. With none, agentd makes a key at the first backup, which lies on
          this machine.
        '';
      };
      identityFile = ours.secretOption {
        what = "the age identity that opens backups here, where `recipients` are not this machine's own key";
        example = "/run/secrets/backup-identity";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    services.osmoda.sandboxExceptions.osmoda-agentd = exceptions;

    assertions = ours.bothSet {
      inherit (cfg.agentd) settings;
      prefix = "services.osmoda.agentd";
      keys = {
        "backup.dir" = own.backup.dir;
        "backup.recipients" = own.backup.recipients;
        "backup.identity_file" = own.backup.identityFile;
      };
    };

    environment.etc."osmoda/agentd.json".source = ours.configFile {
      inherit pkgs settings;
      name = "agentd";
      program = lib.getExe' cfg.agentd.package "agentd";
      check = cfg.checkConfig;
    };

    users.users.osmoda-agentd = {
      isSystemUser = true;
      group = "osmoda-agentd";
      home = "/var/lib/osmoda";
      description = "osModa agentd";
    };
    users.groups.osmoda-agentd = { };

    systemd.tmpfiles.settings."10-osmoda".${settings.backup.dir}.d = {
      user = "osmoda-agentd";
      group = "osmoda-agentd";
      mode = "0700";
    };

    systemd.sockets.osmoda-agentd =
      ours.socket {
        path = "/run/osmoda/agentd.sock";
        group = "osmoda";
        mode = "0660";
      }
      // {
        description = "Socket of osModa agentd";
      };

    systemd.services.osmoda-agentd = {
      description = "osModa agentd: the machine, its ledger and its memory";
      documentation = [ "man:agentctl(1)" ];
      wantedBy = [ "multi-user.target" ];
      requires = [ "osmoda-agentd.socket" ];
      wants = [ "osmoda-agentd-root.socket" ];
      after = [
        "osmoda-agentd.socket"
        "osmoda-agentd-root.socket"
        "systemd-tmpfiles-setup.service"
      ];
      # The journal is read with journalctl, backups are locked with age.
      environment.PATH = lib.mkForce (
        lib.makeBinPath [
          config.systemd.package
          pkgs.age
        ]
      );
      stopIfChanged = false;
      # However often it is killed or restarted, it comes back; RestartSec keeps that from being a busy loop.
      startLimitIntervalSec = 0;
      restartTriggers = [ (digest cold) ];
      reloadTriggers = [ (digest hot) ];
      serviceConfig =
        ours.sandbox exceptions
        // ours.lifecycle pkgs
        // {
          ExecStart = "${lib.getExe' cfg.agentd.package "agentd"} --config /etc/osmoda/agentd.json";
          User = "osmoda-agentd";
          Group = "osmoda-agentd";
          SupplementaryGroups = [
            "osmoda" # the other daemons' sockets
            "systemd-journal"
          ];
          StateDirectory = map (folder: "osmoda/${folder}") [
            "agentd"
            "config"
            "ledger"
            "memory"
            "secrets"
          ];
          StateDirectoryMode = "0700";
          ReadWritePaths = [ settings.backup.dir ];
          LoadCredential = lib.optional (
            cfg.backup.identityFile != null
          ) "${credential}:${cfg.backup.identityFile}";
          # Stands in for a file that is not there yet, so that the daemon starts.
          SetCredential = lib.optional (cfg.backup.identityFile != null) "${credential}:unset";
        };
    };
  };
}
