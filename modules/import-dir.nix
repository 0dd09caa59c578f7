# A module that imports every .nix file of a folder, in the order of their names; nothing where there is no folder.
{ lib }:
folder: {
  imports = map (file: folder + "/${file}") (
    lib.optionals (builtins.pathExists folder) (
      lib.filter (lib.hasSuffix ".nix") (lib.attrNames (builtins.readDir folder))
    )
  );
}
