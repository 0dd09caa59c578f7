# Ways to the gateway from elsewhere. Neither opens a port. Until something listens where the gateway will, a tunnel
# answers 502.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.osmoda.remoteAccess;
  ours = import ./lib.nix { inherit lib; };
  inherit (cfg.cloudflare) credentialFile tunnelId;
  gateway = "http://127.0.0.1:18789";
  named = credentialFile != null;

  tunnel = pkgs.writeText "osmoda-cloudflared.json" (
    builtins.toJSON {
      tunnel = tunnelId;
      credentials-file = "/run/credentials/osmoda-cloudflared.service/tunnel";
      ingress = [ { service = gateway; } ];
    }
  );

  network = {
    IPAddressDeny = {
      value = "";
      reason = "It connects to Cloudflare, whose addresses change.";
    };
    PrivateNetwork = {
      value = false;
      reason = "It connects to Cloudflare and to the gateway.";
    };
    RestrictAddressFamilies = {
      value = [
        "AF_INET"
        "AF_INET6"
        "AF_NETLINK"
        "AF_UNIX"
      ];
      reason = "As PrivateNetwork.";
    };
  };
in
{
  options.services.osmoda.remoteAccess = {
    cloudflare = {
      enable = lib.mkEnableOption ''
        a Cloudflare tunnel to the gateway. Without `credentialFile` it is a quick one: no account, a random address that
        changes with each start and stands in the journal of `osmoda-cloudflared`'';
      package = lib.mkPackageOption pkgs "cloudflared" { };
      credentialFile = ours.secretOption {
        what = "the credentials of a tunnel of your own (the JSON file that `cloudflared tunnel create` writes)";
        example = "/var/lib/osmoda/secrets/cf-creds.json";
      };
      tunnelId = lib.mkOption {
        type = lib.types.nullOr lib.types.str;
        default = null;
        example = "6ff42ae2-765d-4adf-8112-31c55c1551ef";
        description = "The id of that tunnel.";
      };
    };
    tailscale = {
      enable = lib.mkEnableOption "Tailscale, which makes the machine a member of your tailnet";
      authKeyFile = ours.secretOption {
        what = "an auth key, with which the machine joins by itself";
        example = "/var/lib/osmoda/secrets/tailscale-key";
      };
    };
  };

  config = lib.mkIf config.services.osmoda.enable (
    lib.mkMerge [
      (lib.mkIf cfg.cloudflare.enable {
        services.osmoda.sandboxExceptions.osmoda-cloudflared = network;

        assertions = [
          {
            assertion = named == (tunnelId != null);
            message = "services.osmoda.remoteAccess.cloudflare: credentialFile and tunnelId belong together, set both for a tunnel of your own and neither for a quick one.";
          }
        ];

        systemd.services.osmoda-cloudflared = {
          description = "osModa's Cloudflare tunnel";
          wantedBy = [ "multi-user.target" ];
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          # Not a failure, only not started, while the file is not there.
          unitConfig = lib.optionalAttrs named { ConditionPathExists = credentialFile; };
          serviceConfig = ours.sandbox network // {
            DynamicUser = true;
            Restart = "always";
            RestartSec = 30;
            LoadCredential = lib.optional named "tunnel:${credentialFile}";
            ExecStart =
              "${lib.getExe cfg.cloudflare.package} tunnel --no-autoupdate "
              + (if named then "--config ${tunnel} run" else "--url ${gateway}");
          };
        };
      })

      (lib.mkIf cfg.tailscale.enable {
        services.tailscale = {
          enable = true;
          authKeyFile = lib.mkIf (cfg.tailscale.authKeyFile != null) cfg.tailscale.authKeyFile;
        };
        # A key that is not there yet does not fail the switch.
        systemd.services.tailscaled-autoconnect = lib.mkIf (cfg.tailscale.authKeyFile != null) {
          unitConfig.ConditionPathExists = cfg.tailscale.authKeyFile;
        };
      })
    ]
  );
}
