# agentd-root: the privileged half of agentd. Root, without HTTP, database or state; it takes closed verbs from agentd.
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

  settings = lib.recursiveUpdate {
    callers = [ "osmoda-agentd" ];
    shell_user = "osmoda-shell";
    own = [
      "/var/lib/osmoda"
      cfg.backup.dir
    ];
    inherit (cfg) files;
  } cfg.agentdRoot.settings;

  # The table stands in one file, which other distributions include as it is.
  ruleset = lib.readFile ../docs/osmoda.nft;
  table = lib.removeSuffix "}\n" (lib.last (lib.splitString "table inet osmoda {\n" ruleset));
  mark = lib.head (lib.match ".*meta mark set meta mark \\| (0x[0-9a-f]+).*" ruleset);

  exceptions = {
    CapabilityBoundingSet = {
      value = [
        "CAP_CHOWN"
        "CAP_DAC_OVERRIDE"
        "CAP_FOWNER"
        "CAP_FSETID"
        "CAP_KILL"
        "CAP_NET_ADMIN"
        "CAP_SETGID"
        "CAP_SETPCAP"
        "CAP_SETUID"
      ];
      reason = "It changes files of any owner, signals processes, fills the firewall's sets, and gives its rights away before it runs a program as another user.";
    };
    MemoryDenyWriteExecute = {
      value = false;
      reason = "Programs that shell_exec runs may compile while they run, as node does.";
    };
    PrivateNetwork = {
      value = false;
      reason = "The sets of the firewall are those of the machine's network namespace.";
    };
    PrivateTmp = {
      value = false;
      reason = "/tmp is one of the folders that agents may write, the same that everybody sees.";
    };
    ProcSubset = {
      value = "all";
      reason = "Kernel parameters are written in /proc/sys.";
    };
    ProtectHome = {
      value = false;
      reason = "Homes may be read, keys in them not: the program itself knows which.";
    };
    ProtectHostname = {
      value = false;
      reason = "A namespace of its own would hide the name that the machine gets later.";
    };
    ProtectKernelLogs = {
      value = false;
      reason = "Where anything is mounted over a part of /proc, the kernel lets no user namespace mount its own, and shell_exec runs in one.";
    };
    ProtectKernelTunables = {
      value = false;
      reason = "sysctl_set writes them; and as ProtectKernelLogs.";
    };
    ProtectProc = {
      value = "default";
      reason = "It signals processes of every user, and looks first at what they are.";
    };
    ProtectSystem = {
      value = false;
      reason = "Files below the declared roots are written, wherever these lie.";
    };
    RestrictAddressFamilies = {
      value = [
        "AF_INET"
        "AF_INET6"
        "AF_NETLINK"
        "AF_UNIX"
      ];
      reason = "nft speaks netlink; a program of shell_exec that asks for the network is told that there is none.";
    };
    RestrictNamespaces = {
      value = false;
      reason = "Every program of shell_exec gets its own.";
    };
    RestrictSUIDSGID = {
      value = false;
      reason = "systemd forbids openat2(2) with it, and every path an agent names is opened with that.";
    };
    SystemCallFilter = {
      value = [
        "~@clock"
        "~@cpu-emulation"
        "~@module"
        "~@obsolete"
        "~@raw-io"
        "~@reboot"
        "~@swap"
      ];
      reason = "What shell_exec runs is not known beforehand; these no program of an agent needs.";
    };
    UMask = {
      value = "0022";
      reason = "A new file is 0644, as docs/files.md says.";
    };
  };
in
{
  options.services.osmoda = {
    agentdRoot = {
      package = lib.mkOption {
        type = lib.types.package;
        default = cfg.package;
        defaultText = lib.literalExpression "config.services.osmoda.package";
        example = lib.literalExpression "pkgs.osmoda.overrideAttrs (old: { patches = [ ./agentd-root.patch ]; })";
        description = "Where agentd-root comes from.";
      };
      settings = ours.settingsOption {
        inherit pkgs;
        daemon = "agentd-root";
        example.shell_user = "ann";
      };
    };

    files = {
      read = lib.mkOption {
        type = lib.types.listOf lib.types.externalPath;
        default = [ "/" ];
        example = [
          "/etc/nixos"
          "/srv"
          "/var/log"
        ];
        description = ''
          Folders whose files agents may read. Credentials, kernel files and osModa's own state are out of reach
          whatever stands here.
        '';
      };
      write = lib.mkOption {
        type = lib.types.listOf lib.types.externalPath;
        default = [
          "/etc/nixos"
          "/srv"
          "/tmp"
          "/var/tmp"
          "/var/www"
        ];
        example = [ "/srv" ];
        description = "Folders whose files agents may write, move and delete.";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    services.osmoda.sandboxExceptions.osmoda-agentd-root = exceptions;

    assertions = ours.bothSet {
      inherit (cfg.agentdRoot) settings;
      prefix = "services.osmoda.agentdRoot";
      keys = {
        "files.read" = own.files.read;
        "files.write" = own.files.write;
      };
    };

    environment.etc."osmoda/agentd-root.json".source = ours.configFile {
      inherit pkgs settings;
      name = "agentd-root";
      program = lib.getExe' cfg.agentdRoot.package "agentd-root";
      check = cfg.checkConfig;
    };

    # The table whose sets it fills, and the one rule that lets through what they allow (docs/network.md).
    networking = lib.mkIf config.networking.nftables.enable {
      nftables.tables.osmoda = {
        family = "inet";
        content = table;
      };
      firewall.extraInputRules = "meta mark & ${mark} != 0 accept comment \"opened by osModa\"";
    };

    users.users.osmoda-shell = {
      isSystemUser = true;
      group = "osmoda-shell";
      home = "/var/lib/osmoda";
      description = "osModa commands of agents";
    };
    users.groups.osmoda-shell = { };

    systemd.sockets.osmoda-agentd-root =
      ours.socket {
        path = "/run/osmoda/root.sock";
        type = "SequentialPacket";
        user = "osmoda-agentd";
        mode = "0600";
      }
      // {
        description = "Socket of osModa agentd-root";
      };

    systemd.services.osmoda-agentd-root = {
      description = "osModa agentd-root: what agentd does as root";
      requires = [ "osmoda-agentd-root.socket" ];
      after = [ "osmoda-agentd-root.socket" ];
      # Openings are made with nft, programs of shell_exec are set apart with setpriv and unshare.
      environment.PATH = lib.mkForce (
        lib.makeBinPath [
          pkgs.nftables
          pkgs.util-linux
        ]
      );
      stopIfChanged = false;
      # However often it is killed or restarted, it comes back; RestartSec keeps that from being a busy loop.
      startLimitIntervalSec = 0;
      restartTriggers = [ (builtins.hashString "sha256" (builtins.toJSON settings)) ];
      serviceConfig = ours.sandbox exceptions // {
        Type = "notify";
        Restart = "on-failure";
        RestartSec = 1;
        RestartPreventExitStatus = 78;
        # A call of agentd's that is being answered may take as long as its program runs.
        TimeoutStopSec = 30;
        ExecStart = "${lib.getExe' cfg.agentdRoot.package "agentd-root"} --config /etc/osmoda/agentd-root.json";
      };
    };
  };
}
