# `nix fmt`, and the check that everything is formatted.
{
  projectRootFile = "flake.nix";
  programs = {
    deadnix.enable = true;
    nixfmt.enable = true;
    taplo.enable = true;
  };
}
