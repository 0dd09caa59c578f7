# What of an evaluated system is osModa's, as plain data: a function of the system, given to `nix eval --apply`.
# `files` are texts by path; a file that only a build can make is null. The rest is what NixOS makes of options.
system:
let
  inherit (system) config;
  begins = start: text: builtins.substring 0 (builtins.stringLength start) text == start;
  ours = name: begins "osmoda" name;
  keep = test: set: removeAttrs set (builtins.filter (name: !test name) (builtins.attrNames set));
  below =
    folder: text: set:
    builtins.listToAttrs (
      map (name: {
        name = "${folder}/${name}";
        value = builtins.unsafeDiscardStringContext (text set.${name});
      }) (builtins.attrNames set)
    );
  # A configuration file keeps its text beside the command that makes and checks it.
  etcText = entry: if entry.text != null then entry.text else entry.source.text or "";
  service = name: config.systemd.services.${name};
  scripts = builtins.filter (name: ours name && (service name).script != "") (
    builtins.attrNames config.systemd.services
  );
in
{
  files =
    below "units" (unit: unit.text) (keep ours config.systemd.units)
    // below "etc" etcText (keep (begins "osmoda/") config.environment.etc)
    // below "scripts" (unit: unit.script) (
      builtins.listToAttrs (
        map (name: {
          inherit name;
          value = service name;
        }) scripts
      )
    );
  users = builtins.mapAttrs (_: user: { inherit (user) group extraGroups home; }) (
    keep ours config.users.users
  );
  groups = builtins.mapAttrs (_: group: group.members) (keep ours config.users.groups);
  tmpfiles = builtins.filter (rule: builtins.length (builtins.split "osmoda" rule) > 1) (
    map builtins.unsafeDiscardStringContext config.systemd.tmpfiles.rules
  );
  wanted = builtins.mapAttrs (_: unit: unit.wantedBy ++ unit.requiredBy) (
    keep ours config.systemd.units
  );
  firewall = {
    inherit (config.networking.firewall) allowedTCPPorts allowedUDPPorts;
    tables = builtins.mapAttrs (_: table: table.content) (keep ours config.networking.nftables.tables);
  };
  failed = map (entry: entry.message) (builtins.filter (entry: !entry.assertion) config.assertions);
  inherit (config) warnings;
}
