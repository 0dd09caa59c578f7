# The Rust workspace: its dependencies are built once, all of it is built once, and each program is split off as a
# package of its own. `crane` is the flake input, or what ../default.nix takes from the lock file.
{ pkgs, crane }:
let
  inherit (pkgs) lib;
  inherit (lib) fileset;
  craneLib = crane.mkLib pkgs;
  root = ../.;
  manifest = (lib.importTOML ../Cargo.toml).workspace.package;

  crates = lib.attrNames (lib.filterAttrs (_: kind: kind == "directory") (builtins.readDir ../rust));
  # What only tests read lies in these folders of a crate.
  testFolders = fileset.unions (
    lib.concatMap (
      crate:
      map (folder: fileset.maybeMissing (../rust + "/${crate}/${folder}")) [
        "tests"
        "examples"
        "golden"
      ]
    ) crates
  );
  manifests = fileset.unions [
    ../.cargo
    ../Cargo.lock
    ../Cargo.toml
  ];
  # Programs come from code, manifests and migrations alone: a change of a test or a page rebuilds none.
  programSource = fileset.difference (fileset.union manifests (
    fileset.fileFilter (
      file: file.hasExt "rs" || file.hasExt "sql" || file.name == "Cargo.toml"
    ) ../rust
  )) testFolders;
  # Checks read the printed pages, the golden files and the benchmarks as well.
  checkSource = fileset.unions [
    manifests
    ../rust
    ../bench
    ../docs
    ../clippy.toml
    ../deny.toml
    ../rustfmt.toml
  ];
  source =
    files:
    fileset.toSource {
      inherit root;
      fileset = files;
    };

  common = {
    pname = "osmoda";
    inherit (manifest) version;
    src = source programSource;
    strictDeps = true;
    cargoExtraArgs = "--locked --workspace";
  };
  cargoArtifacts = craneLib.buildDepsOnly common;
  checked = common // {
    inherit cargoArtifacts;
    src = source checkSource;
  };

  meta = {
    description = "NixOS on which an agent works through typed, policy-governed, recorded tools";
    homepage = manifest.repository;
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
  };
  runs = pkgs.stdenv.buildPlatform.system == pkgs.stdenv.hostPlatform.system;

  osmoda = craneLib.buildPackage (
    common
    // {
      inherit cargoArtifacts;
      doCheck = false; # `checks.nextest` runs the tests
      nativeBuildInputs = [ pkgs.installShellFiles ];
      postInstall = lib.optionalString runs ''
        $out/bin/agentctl man man
        installManPage man/*
        installShellCompletion --cmd agentctl ${
          lib.concatMapStringsSep " " (shell: "--${shell} <($out/bin/agentctl completions ${shell})") [
            "bash"
            "fish"
            "zsh"
          ]
        }
      '';
      meta = meta // {
        mainProgram = "osmoda";
      };
    }
  );

  # A crate with a main.rs is a program of the crate's name.
  programs = map (crate: (lib.importTOML (../rust + "/${crate}/Cargo.toml")).package.name) (
    lib.filter (crate: builtins.pathExists (../rust + "/${crate}/src/main.rs")) crates
  );
  split =
    program:
    pkgs.runCommand "${program}-${manifest.version}" {
      meta = meta // {
        mainProgram = program;
      };
    } "install -D -t $out/bin ${osmoda}/bin/${program}";
in
{
  packages = lib.genAttrs programs split // {
    inherit osmoda;
  };
  checks = {
    clippy = craneLib.cargoClippy (
      checked // { cargoClippyExtraArgs = "--all-targets -- --deny warnings"; }
    );
    nextest = craneLib.cargoNextest (
      checked
      // {
        # nft is left out: there it is, an ordinary user may not ask it, and the tests would see that.
        nativeBuildInputs = [
          pkgs.age
          pkgs.python3
          pkgs.util-linux
        ];
        # It needs namespaces within the sandbox, which not every kernel allows; tests/machine runs it.
        cargoNextestExtraArgs = "-E 'not test(a_command_is_shown_as_it_ended)'";
      }
    );
    fmt = craneLib.cargoFmt { inherit (checked) pname version src; };
    deny = craneLib.cargoDeny { inherit (checked) pname version src; };
  };
  shell = craneLib.devShell {
    packages = [
      pkgs.age
      pkgs.cargo-deny
      pkgs.cargo-nextest
      pkgs.nftables
      pkgs.python3
      pkgs.ruff
    ];
  };
}
