# The heartbeat of a machine that somebody ordered: off unless the installer was given a callback URL, whose file is the
# condition. It tells the order, how agentd is and its version; it is no option, because it is not the configuration's.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.osmoda;
  ours = import ./lib.nix { inherit lib; };
  program = pkgs.writeScriptBin "osmoda-callback" (builtins.readFile ../scripts/osmoda-callback);
  given = {
    ConditionPathExists = "/var/lib/osmoda/config/callback-url";
  };
  exceptions = {
    IPAddressDeny = {
      value = "";
      reason = "It calls an address that is not known beforehand.";
    };
    PrivateNetwork = {
      value = false;
      reason = "As IPAddressDeny.";
    };
    RestrictAddressFamilies = {
      value = [
        "AF_UNIX"
        "AF_INET"
        "AF_INET6"
      ];
      reason = "agentd's socket, and the address it calls.";
    };
  };
in
{
  config = lib.mkIf cfg.enable {
    services.osmoda.sandboxExceptions.osmoda-callback = exceptions;

    systemd.services.osmoda-callback = {
      description = "osModa heartbeat to the address given at the installation";
      after = [
        "osmoda-agentd.socket"
        "network-online.target"
      ];
      wants = [ "network-online.target" ];
      unitConfig = given;
      path = [
        pkgs.curl
        pkgs.gnugrep
      ];
      environment.CURL_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";
      serviceConfig = ours.sandbox exceptions // {
        Type = "oneshot";
        ExecStart = lib.getExe' program "osmoda-callback";
        DynamicUser = true;
        SupplementaryGroups = [ "osmoda" ]; # agentd's socket
        LoadCredential = [
          "callback-url:/var/lib/osmoda/config/callback-url"
          "order-id:/var/lib/osmoda/config/order-id"
        ];
        SetCredential = [ "order-id:none" ];
        TimeoutStartSec = 60;
      };
    };

    systemd.timers.osmoda-callback = {
      description = "osModa heartbeat to the address given at the installation";
      wantedBy = [ "timers.target" ];
      unitConfig = given;
      timerConfig = {
        OnActiveSec = "1min";
        OnUnitActiveSec = "5min";
        RandomizedDelaySec = 20;
      };
    };
  };
}
