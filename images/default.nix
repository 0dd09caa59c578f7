# Systems and programs that the flake makes of hosts and modules: cloud images, installation media, virtual machines, tests.
{
  self,
  lib,
  filesOf,
}:
let
  modules = [
    self.nixosModules.default
    self.nixosModules.server
  ];
  # Where the platform's own module reads no metadata, cloud-init does, also from a NoCloud volume.
  cloudInit.services.cloud-init.enable = true;
  variants = {
    amazon = { };
    azure = { };
    digital-ocean = { };
    google-compute = { };
    oci = { };
    proxmox = { };
    qemu-efi = cloudInit;
    raw-efi = cloudInit;
  };
  cloudBase =
    system: more:
    lib.nixosSystem {
      modules =
        modules
        ++ more
        ++ [
          ./cloud.nix
          {
            nixpkgs.hostPlatform = system;
            image.modules = lib.mapAttrs (variant: needs: {
              imports = [ needs ];
              osmodaImage = { inherit variant; };
            }) variants;
          }
        ];
    };
  # Each file of tests/nixos but the common module is one test.
  each =
    pkgs:
    lib.mapAttrs (
      _: file:
      pkgs.testers.runNixOSTest {
        imports = [ file ];
        defaults.imports = [ self.nixosModules.default ];
      }
    ) (removeAttrs (filesOf ../tests/nixos) [ "common" ]);
in
rec {
  cloud =
    system:
    lib.mapAttrs (variant: _: (cloudBase system [ ]).config.system.build.images.${variant}) variants;

  # A machine that was started from an image, for its /etc/nixos: what the image is, and the modules given.
  cloudSystem =
    {
      system,
      variant,
      modules,
    }:
    let
      image = cloudBase system modules;
    in
    image.extendModules { modules = [ image.config.image.modules.${variant} ]; };

  # An installation medium for any machine of that architecture.
  iso =
    installer: system:
    (installer.extendModules {
      modules = [
        {
          nixpkgs.hostPlatform = lib.mkForce system;
          osmodaInstaller.flake = self;
        }
      ];
    }).config.system.build.isoImage;

  # The same as a program for a Linux that runs.
  kexec =
    system:
    (lib.nixosSystem {
      modules = modules ++ [
        ./kexec.nix
        {
          nixpkgs.hostPlatform = system;
          osmodaInstaller.flake = self;
        }
      ];
    }).config.system.build.kexecArchive;

  # An installation medium that carries one host, built, and its configuration: it installs that host without a network.
  mkInstaller =
    { host, source }:
    (lib.nixosSystem {
      modules = modules ++ [
        ./iso.nix
        {
          nixpkgs.hostPlatform = host.pkgs.stdenv.hostPlatform.system;
          osmodaInstaller = { inherit host source; };
        }
      ];
    }).config.system.build.isoImage;

  # Every host of the architecture, built.
  systems =
    pkgs: hosts:
    pkgs.linkFarm "osmoda-hosts" (
      lib.mapAttrsToList
        (name: host: {
          inherit name;
          path = host.config.system.build.toplevel;
        })
        (
          lib.filterAttrs (
            _: host: host.pkgs.stdenv.hostPlatform.system == pkgs.stdenv.hostPlatform.system
          ) hosts
        )
    );

  # A host as a virtual machine, and the host that `nix run .#vm` takes.
  vmHost = system: if system == "x86_64-linux" then "example" else "example-arm";
  vm =
    host:
    (host.extendModules {
      modules = [
        ./vm.nix
        ({ modulesPath, ... }: { imports = [ (modulesPath + "/virtualisation/qemu-vm.nix") ]; })
      ];
    }).config.system.build.vm;

  # So that `nix run` on a Mac says why, and what does work there.
  elsewhere =
    packages:
    lib.mapAttrs (_: pkgs: {
      default = pkgs.writeShellScriptBin "osmoda" ''
        echo "osModa runs on Linux only; on a Linux builder: nix build .#packages.aarch64-linux.vm" >&2
        exit 1
      '';
    }) (lib.intersectAttrs { aarch64-darwin = true; } packages);

  # A system with everything on, whose options and sandboxes docs/nixos.md describes.
  documented = lib.nixosSystem {
    modules = modules ++ [
      {
        nixpkgs.hostPlatform = "x86_64-linux";
        services.osmoda = {
          enable = true;
          remoteAccess.cloudflare.enable = true;
        };
      }
    ];
  };

  # The end of docs/nixos.md, and that it is current.
  docs =
    pkgs:
    pkgs.writeText "osmoda-options.md" (
      import ../pkgs/options.nix {
        inherit lib;
        system = documented;
      }
    );
  docsAreCurrent =
    pkgs:
    pkgs.runCommand "options-page-is-current" { } (
      if lib.hasSuffix (docs pkgs).text (lib.readFile ../docs/nixos.md) then
        "touch $out"
      else
        "echo 'docs/nixos.md is not what the options say: run scripts/generate' >&2; exit 1"
    );

  # Running them needs KVM.
  tests =
    pkgs:
    let
      tests = each pkgs;
    in
    tests
    // {
      all = pkgs.linkFarm "osmoda-tests" (lib.mapAttrsToList (name: path: { inherit name path; }) tests);
    };
  # What of a test can be checked without: its machines, and its script.
  drivers =
    pkgs:
    lib.mapAttrs (
      _: test:
      test.driver
      // {
        inherit (test) config containers nodes;
        inherit test;
      }
    ) (each pkgs);

  apps =
    pkgs: packages:
    let
      app = description: program: {
        type = "app";
        inherit program;
        meta = { inherit description; };
      };
      up = pkgs.writeShellApplication {
        name = "osmoda-up";
        runtimeInputs = [
          packages.osmoda
          pkgs.age
          pkgs.nftables
          pkgs.util-linux
        ];
        text = ''
          echo "osModa keeps everything in .osmoda of this folder, unless told with --dir; Ctrl-C ends it." >&2
          exec osmoda up "$@"
        '';
      };
    in
    {
      default = app "Run osModa here as yourself, with its state in ./.osmoda (the first time it is compiled, about half an hour on two cores)" (
        lib.getExe up
      );
      vm = app "Start a virtual machine with osModa on this terminal (Ctrl-A X ends it)" "${packages.vm}/bin/run-${vmHost pkgs.stdenv.hostPlatform.system}-vm";
    };
}
