# What must outlive a reboot, for systems whose root does not.
{ config, lib, ... }:
let
  cfg = config.services.osmoda;
  covers = folder: path: folder == path || lib.hasPrefix "${folder}/" path;
  mounted = lib.remove "/" (lib.attrNames config.fileSystems);
  # impermanence's option, where its module is there.
  named = map (entry: entry.directory or entry) (
    lib.concatMap (store: store.directories or [ ]) (
      lib.attrValues (config.environment.persistence or { })
    )
  );
  lost = lib.filter (
    path: !lib.any (folder: covers folder path) (mounted ++ named)
  ) cfg.persistentPaths;
in
{
  options.services.osmoda.persistentPaths = lib.mkOption {
    type = lib.types.listOf lib.types.str;
    readOnly = true;
    default = [
      "/var/lib/osmoda"
      cfg.backup.dir
    ]
    ++ lib.optional cfg.remoteAccess.tailscale.enable "/var/lib/tailscale";
    defaultText = lib.literalExpression ''[ "/var/lib/osmoda" config.services.osmoda.backup.dir ] and those of the remote access that is on'';
    example = lib.literalExpression ''environment.persistence."/persist".directories = config.services.osmoda.persistentPaths;'';
    description = "Folders to keep where the root file system is thrown away at each boot. Only to be read.";
  };

  config.warnings =
    lib.mkIf (cfg.enable && (config.fileSystems."/".fsType or "") == "tmpfs" && lost != [ ])
      [
        "services.osmoda: / is a tmpfs, and the ledger is lost at each boot: keep ${lib.concatStringsSep ", " lost} (services.osmoda.persistentPaths)."
      ];
}
