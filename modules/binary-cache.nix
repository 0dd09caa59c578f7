# Taking osModa's packages from a binary cache; without one each machine compiles them (docs/cache.md).
{ config, lib, ... }:
let
  cfg = config.services.osmoda.binaryCache;
in
{
  options.services.osmoda.binaryCache = {
    enable = lib.mkEnableOption "taking osModa's packages from a binary cache. There is no public one yet: it is one of yours (docs/cache.md)";
    url = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "https://cache.example.org";
      description = "Where the cache is.";
    };
    publicKey = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "cache.example.org-1:bDxOyJcKPDmZVNkUvkaVvXdFWmA5iNaRYI8bDvFk3s0=";
      description = "The key that its packages are signed with.";
    };
  };

  config = lib.mkIf (config.services.osmoda.enable && cfg.enable) {
    assertions = [
      {
        assertion = cfg.url != null && cfg.publicKey != null;
        message = "services.osmoda.binaryCache.enable needs the url and the publicKey of a cache: there is no public one yet, docs/cache.md says how to run your own.";
      }
    ];
    nix.settings = {
      extra-substituters = lib.optional (cfg.url != null) cfg.url;
      extra-trusted-public-keys = lib.optional (cfg.publicKey != null) cfg.publicKey;
    };
  };
}
