# What the daemons' modules share: how options become configuration files, and the one sandbox.
{ lib }:
let
  snake = lib.replaceStrings lib.upperChars (map (letter: "_${lib.toLower letter}") lib.upperChars);
in
rec {
  # Option values as a daemon reads them: camelCase names become snake_case, what is null is left to the daemon.
  toSettings =
    value:
    if lib.isAttrs value then
      lib.mapAttrs' (name: inner: lib.nameValuePair (snake name) (toSettings inner)) (
        lib.filterAttrs (_: inner: inner != null) value
      )
    else
      value;

  settingsOption =
    {
      pkgs,
      daemon,
      example,
    }:
    lib.mkOption {
      type = lib.types.attrsOf (pkgs.formats.json { }).type;
      default = { };
      inherit example;
      description = ''
        Keys of `/etc/osmoda/${daemon}.json`, as the daemon names them, laid over what the typed options say.
        A key that has an option of its own, set there as well, is an error.
      '';
    };

  # A secret: the path of a file on the machine, never a file of the Nix store, which everybody may read.
  secretOption =
    { what, example }:
    lib.mkOption {
      type = lib.types.nullOr lib.types.externalPath;
      default = null;
      inherit example;
      description = ''
        File on the machine that holds ${what}; a string, so that it is never copied into the store. It may be missing
        when the system is activated.
      '';
    };

  # The oldest NixOS whose modules and packages these ones were written for.
  newEnough = release: {
    assertion = lib.versionAtLeast release "26.05";
    message = "services.osmoda needs NixOS 26.05 or newer, this system is ${release}: let the input nixpkgs follow github:NixOS/nixpkgs/nixos-26.05.";
  };

  # Typed options whose key `settings` sets as well. `keys` maps the key's path to the option.
  bothSet =
    {
      settings,
      prefix,
      keys,
    }:
    lib.mapAttrsToList (path: option: {
      assertion = !(lib.hasAttrByPath (lib.splitString "." path) settings && option.highestPrio < 1500);
      message = "${prefix}.settings.${path} and ${lib.showOption option.loc} are both set: keep the option, remove the key from settings.";
    }) keys;

  # The file a daemon reads, tried on that daemon's own program while it is built.
  configFile =
    {
      pkgs,
      program,
      name,
      settings,
      check,
    }:
    let
      runs = pkgs.stdenv.buildPlatform.system == pkgs.stdenv.hostPlatform.system;
    in
    pkgs.runCommand "osmoda-${name}.json"
      {
        text = builtins.toJSON settings;
        passAsFile = [ "text" ];
      }
      ''
        ${pkgs.buildPackages.jq}/bin/jq . < "$textPath" > $out
        ${lib.optionalString (check && runs) "${program} --check-config --config $out"}
      '';

  # A socket that no rebuild ever changes: systemd holds it, so that callers wait while their daemon restarts.
  socket =
    {
      path,
      type ? "Stream",
      user ? "root",
      group ? "root",
      mode,
    }:
    {
      wantedBy = [ "sockets.target" ];
      socketConfig = {
        "Listen${type}" = path;
        SocketUser = user;
        SocketGroup = group;
        SocketMode = mode;
      };
    };

  # The strictest sandbox, with exceptions `{ Setting = { value = …; reason = "…"; }; }`. A daemon is given what it
  # uses and says here why.
  sandbox = exceptions: strict // lib.mapAttrs (_: exception: exception.value) exceptions;

  strict = {
    AmbientCapabilities = "";
    CapabilityBoundingSet = "";
    DevicePolicy = "closed";
    IPAddressDeny = "any";
    KeyringMode = "private";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateMounts = true;
    PrivateNetwork = true;
    PrivateTmp = true;
    # Not in a user namespace: there every peer of a socket reads as 65534, and the ledger would name nobody.
    PrivateUsers = false;
    ProcSubset = "pid";
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    RestrictAddressFamilies = [ "AF_UNIX" ];
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "~@privileged"
      "~@resources"
    ];
    UMask = "0077";
  };

  # How every daemon starts, reloads and stops.
  lifecycle = pkgs: {
    Type = "notify";
    # The daemon says RELOADING=1 and READY=1 around what it reads again.
    ExecReload = "${lib.getExe' pkgs.coreutils "kill"} -HUP $MAINPID";
    WatchdogSec = 30;
    Restart = "always";
    RestartSec = 1;
    # 78: the configuration is wrong, and starting again would not mend it.
    RestartPreventExitStatus = 78;
    TimeoutStopSec = 30;
  };
}
