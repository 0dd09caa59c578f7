#!/usr/bin/env bash
# Installs osModa on NixOS, Debian 12+ and Ubuntu 22.04+; docs/install.md says what it does on each.
# One file, because it is run as `curl … | bash -s -- …`: all of it is functions, and a download that was cut off never
# reaches the closing brace of the last line, so it does nothing.

usage() {
  cat <<'TEXT'
usage: install.sh [options]

  --no-convert         keep this Debian or Ubuntu, and install osModa on it
  --skip-nixos         the same; on NixOS: add osModa and rebuild
  --image PATH|URL     the installer to start by kexec where Debian or Ubuntu becomes NixOS
  --binaries DIR       take the programs from DIR instead of building them
  --branch NAME        what to install (default: main)
  --api-key KEY|@FILE  the model's key, kept in /var/lib/osmoda/config/api-key
  --order-id UUID      kept beside it
  --callback-url URL   kept beside it; a heartbeat goes there every five minutes
  --dry-run            print what would be done, and do nothing
  --yes                do not ask

The environment variable OSMODA_REPOSITORY names another git repository to install from.
TEXT
}

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
at_least() { printf '%s\n%s\n' "$2" "$1" | sort -C -V; }

# fail STATUS TEXT: the end, with what can be done about it.
fail() {
  say "install.sh: $2"
  told=1
  exit "$1"
}

die() { fail 1 "$*"; }

# What ends a real run and is only worth a word in a dry one.
unless_dry() {
  [ "$dry" = 1 ] || die "$*"
  say "without --dry-run this would end here: $*"
}

# Says what comes, for the reader and for `stopped`.
begin() {
  doing=$*
  say "== $*"
}

# Says what it runs, then runs it.
step() {
  say "+ $*"
  [ "$dry" = 1 ] || "$@"
}

# Nobody is left without a word on how to go on.
# shellcheck disable=SC2317 # called by the trap
stopped() {
  local status=$?
  [ -z "$work" ] || rm -rf "$work"
  if [ "$status" != 0 ] && [ -z "$told" ]; then
    say "install.sh: stopped while $doing; the lines above say why. What ran before still runs, and the same command goes on from here."
    exit 1
  fi
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
      --image | --binaries | --branch | --api-key | --order-id | --callback-url)
        [ -n "${2:-}" ] || fail 2 "$1 needs a value; --help lists the options"
        case $1 in
          --image) image=$2 ;;
          --binaries) binaries=$2 ;;
          --branch) branch=$2 ;;
          --api-key) key=$2 ;;
          --order-id) order_id=$2 ;;
          --callback-url) callback_url=$2 ;;
        esac
        [ "$1" = --api-key ] || rest+=("$1" "$2")
        shift
        ;;
      --no-convert | --skip-nixos) convert=0 rest+=("$1") ;;
      --dry-run) dry=1 rest+=("$1") ;;
      --yes) yes=1 rest+=("$1") ;;
      -h | --help) usage && exit 0 ;;
      *) fail 2 "there is no option $1; --help lists the options" ;;
    esac
    shift
  done
  [[ $branch =~ ^[A-Za-z0-9][A-Za-z0-9._/-]*$ ]] || fail 2 "--branch: $branch is no name of a branch"
  [[ -z $order_id || $order_id =~ ^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$ ]] || fail 2 "--order-id: $order_id is no UUID"
  local address='^https?://[][A-Za-z0-9._~:/?#@!$&()*+,;=%-]+$'
  [[ -z $callback_url || $callback_url =~ $address ]] || fail 2 "--callback-url: that is no http or https address"
  [ -z "$binaries" ] || [ -x "$binaries/agentd" ] || fail 2 "--binaries: there is no agentd in $binaries"
}

# Everybody can read the command line of a process in /proc. Where the key stands on ours, the same functions go on in a
# process that gets it from a pipe.
hide_key() {
  case $key in '' | @*) return ;; esac
  local script value
  exec {script}< <(declare -f && printf 'main "$@"; exit\n') {value}< <(printf '%s' "$key")
  exec "$BASH" "/dev/fd/$script" --api-key "@/dev/fd/$value" "${rest[@]}"
}

read_key() {
  [ -n "$key" ] || return 0
  IFS= read -r key <"${key#@}" || [[ $key != @* ]] || die "--api-key: ${key#@} cannot be read, or is empty"
  [[ $key =~ ^[[:graph:]]+$ ]] || die "--api-key: a key is one word of visible characters"
}

# The names under which providers present their machines, each with the flake's image for it where there is one.
provider() {
  case $(cd /sys/class/dmi/id 2>/dev/null && cat sys_vendor product_name bios_vendor chassis_asset_tag 2>/dev/null) in
    *Amazon*) echo "Amazon EC2:amazon" ;;
    *Google*) echo "Google Compute Engine:google-compute" ;;
    *7783-7084-3265-9085-8269-3286-77*) echo "Microsoft Azure:azure" ;; # cloud-init tells Azure from Hyper-V by this tag
    *OracleCloud.com*) echo "Oracle Cloud:oci" ;;
    *DigitalOcean*) echo "DigitalOcean:digital-ocean" ;;
    *Hetzner*) echo "Hetzner:" ;;
    *Vultr*) echo "Vultr:" ;;
    *Linode* | *Akamai*) echo "Akamai:" ;;
    *Scaleway*) echo "Scaleway:" ;;
    *UpCloud*) echo "UpCloud:" ;;
    *Alibaba*) echo "Alibaba Cloud:" ;;
    *OpenStack*) echo "OpenStack:" ;;
    *QEMU* | *VMware* | *VirtualBox* | *Xen*) echo "a virtual machine:" ;;
    '') echo "a machine that does not name its maker:" ;;
    *) echo "bare metal:" ;;
  esac
}

preflight() {
  local supported="supported are NixOS 26.05+, Debian 12+ and Ubuntu 22.04+, on x86_64 and aarch64" name version variant
  # shellcheck disable=SC1091 # the machine's own
  read -r os version variant < <(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-rolling} ${VARIANT_ID:-none}") || os=unknown version=''
  name="$os $version on $(uname -m)"
  case $os in
    nixos) at_least "$version" 26.05 || die "this is $name; $supported. Upgrade it first: nixos.org/manual, chapter Upgrading NixOS" ;;
    debian) at_least "$version" 12 || die "this is $name; $supported" ;;
    ubuntu) at_least "$version" 22.04 || die "this is $name; $supported" ;;
    *) die "this is $name; $supported. Elsewhere ./start in a clone of $repository builds osModa and runs it" ;;
  esac
  case $(uname -m) in x86_64 | aarch64) ;; *) die "this is $name; $supported" ;; esac
  [ "$variant" != installer ] || die "this is the installer: run osmoda-install"
  [ "$(id -u)" = 0 ] || unless_dry "this needs root: curl … | sudo bash -s -- …"
  memory=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
  cloud=$(provider)
  say "$name, $memory MB of memory, ${cloud%:*}"
  [ "$memory" -ge 3600 ] || say "warning: 4 GB of memory are recommended; building takes 2 GB"
}

# room FOLDER MEGABYTES: what FOLDER's file system must have.
room() {
  local folder=$1 free
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$2" ] || unless_dry "$1 needs $2 MB and has $free MB: make room there, then run the same command again"
}

packages() {
  step env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  step env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
}

# keep NAME VALUE: for agentd's user alone, which the folder belongs to. Written as that user where there is one, because
# root must not follow what it may have put there; before that as root, and systemd hands the folder over at the first start.
keep() {
  [ -n "$2" ] || return 0
  local as=() config=/var/lib/osmoda/config
  doing="writing $config/$1"
  say "+ write $config/$1, mode 0600"
  [ "$dry" = 0 ] || return 0
  install -d -m 755 "${config%/*}"
  [ -d "$config" ] || install -d -m 700 "$config"
  [ "$(stat -c %U "$config")" != osmoda-agentd ] || as=(setpriv --reuid=osmoda-agentd --regid=osmoda-agentd --clear-groups)
  # shellcheck disable=SC2016 # for the inner shell to expand
  printf '%s\n' "$2" | "${as[@]}" sh -c 'umask 077 && cat >"$1.new" && mv -f "$1.new" "$1"' sh "$config/$1"
}

keep_all() {
  keep api-key "$key"
  keep order-id "$order_id"
  keep callback-url "$callback_url"
}

# A degraded machine answers too; agentctl says why it is so.
healthy() {
  begin "asking agentd how it is"
  say "+ agentctl status"
  [ "$dry" = 0 ] || return 0
  local tries answer status
  for ((tries = 0; tries < 60; tries++)); do
    status=0
    answer=$(agentctl status 2>&1) || status=$?
    case $status in
      0) say "$answer" && return ;;
      1) say "$answer" && say "agentd runs, and something is not well: the lines above say what" && return ;;
      127) break ;; # there is no agentctl, and none will come
    esac
    sleep 1
  done
  die "agentd does not answer; journalctl -u osmoda-agentd -n 50 says why
$answer"
}

### Debian and Ubuntu, kept as they are

plain() {
  local options=()
  [ -d /run/systemd/system ] || unless_dry "this machine does not run systemd; ./start in a clone of $repository works without"
  if [ -n "$binaries" ]; then options=(--binaries "$(realpath "$binaries")"); fi
  room "$home" "$([ -n "$binaries" ] && echo 300 || echo 6000)"
  begin "fetching $branch of $repository into $home"
  fetch
  keep_all
  begin "installing what is in $home"
  if [ "$dry" = 1 ] && [ -x "$home/scripts/systemd-install" ]; then
    "$home/scripts/systemd-install" "${options[@]}" --dry-run
  else
    step "$home/scripts/systemd-install" "${options[@]}" # programs, users, folders, configuration, units, start
  fi
  healthy
  [ "$dry" = 1 ] || say "Installed. To remove it again: $home/scripts/systemd-install --remove"
}

# The same for the first time and for an update; nothing that a killed run left is in the way.
fetch() {
  have git || packages git ca-certificates
  local git=(git -C "$home" -c gc.auto=0) unfinished=$home/.git/osmoda-unfinished
  if [ -d "$home/.git" ]; then
    [ -e "$unfinished" ] || [ -z "$("${git[@]}" status --porcelain --untracked-files=no)" ] ||
      unless_dry "files in $home were changed by hand: keep them elsewhere, then git -C $home checkout . and the same command again"
  elif [ -n "$(ls -A "$home" 2>/dev/null)" ]; then
    unless_dry "$home is no clone of osModa: move it away, then run the same command again"
  fi
  step git init --quiet "$home"
  step touch "$unfinished"
  step rm -f "$home"/.git/{index,shallow,HEAD}.lock
  step "${git[@]}" fetch --quiet --depth 1 "$repository" "$branch"
  step "${git[@]}" checkout --quiet --force --detach FETCH_HEAD
  step rm -f "$unfinished"
}

### NixOS

flake() {
  case $repository in
    https://github.com/*) echo "github:${repository#https://github.com/}/$branch" ;;
    *) echo "git+$repository?ref=$branch" ;;
  esac
}

by_hand() {
  cat >&2 <<TEXT
By hand it is this, and then nixos-rebuild switch:
  in a flake       inputs.osmoda.url = "$(flake)";
                   imports = [ inputs.osmoda.nixosModules.default ];  services.osmoda.enable = true;
  without a flake  imports = [ "\${builtins.fetchTarball "$repository/archive/$branch.tar.gz"}/modules" ];  services.osmoda.enable = true;
TEXT
  die "$1; /etc/nixos is as it was"
}

# Inserts after what nearly every flake has; the build decides whether that was right.
edit_flake() {
  awk -v url="$(flake)" '
    /^[[:space:]]*#/ { print; next }
    !input && /^[[:space:]]*\{/ { input = sub(/\{/, "{\n  inputs.osmoda.url = \"" url "\";") }
    /outputs[[:space:]]*=/ { outputs = 1 }
    outputs && !arguments && /\{/ { arguments = sub(/outputs[[:space:]]*=[^{:]*\{|^[^{:]*\{/, "& osmoda,") }
    !modules && /modules[[:space:]]*=[[:space:]]*\[/ { modules = sub(/modules[[:space:]]*=[[:space:]]*\[/, "& osmoda.nixosModules.default ./osmoda.nix") }
    { print }
    END { exit !(input && arguments && modules) }' flake.nix >flake.nix.new && mv flake.nix.new flake.nix
}

edit_configuration() {
  awk '
    /^[[:space:]]*#/ { print; next }
    /imports[[:space:]]*=/ { imports = 1 }
    imports && !done && /\[/ { done = sub(/\[/, "[ ./osmoda.nix") }
    { print }
    END { exit !done }' configuration.nix >configuration.nix.new && mv configuration.nix.new configuration.nix
}

# The module for a configuration without flakes, pinned to a commit and its hash.
pinned() {
  local found="REVISION HASH" source
  if [ "$dry" = 0 ]; then
    found=$("${nix[@]}" eval --refresh --raw --impure --expr "with builtins.fetchTree \"$(flake)\"; \"\${rev} \${narHash}\"") || return
  fi
  source="builtins.fetchTarball { url = \"$repository/archive/${found% *}.tar.gz\"; sha256 = \"${found#* }\"; }"
  [[ $repository == https://github.com/* ]] || source="builtins.fetchGit { url = \"$repository\"; ref = \"$branch\"; rev = \"${found% *}\"; }"
  echo "  imports = [ \"\${$source}/modules\" ]; # an update rewrites this line"
}

# The system of the flake here that is this machine: the one of its name, else the only one.
system_of() {
  local names
  [ "$dry" = 0 ] || { uname -n && return; }
  names=$("${nix[@]}" eval --raw "path:$PWD#nixosConfigurations" --apply 'set: toString (builtins.attrNames set)') || return
  case " $names " in *" $(uname -n) "*) uname -n ;; *" "*" "*" "*) return 1 ;; *) echo "$names" ;; esac
}

# In a copy, so that the configuration of this machine is changed once a system with osModa has been built from it.
nixos() {
  local etc=/etc/nixos copy=$work/nixos line='' file system
  local build=(-I "nixos-config=$copy/configuration.nix") switch=()
  begin "adding osModa to a copy of $etc"
  [ -e "$etc/flake.nix" ] || [ -e "$etc/configuration.nix" ] || by_hand "there is neither flake.nix nor configuration.nix in $etc"
  cp -a "$etc/." "$copy"
  cd "$copy"
  if [ -e flake.nix ]; then
    system=$(system_of) || by_hand "$etc/flake.nix has no system $(uname -n), and not one alone"
    grep -q osmoda flake.nix || edit_flake || by_hand "$etc/flake.nix has a shape this script does not know"
    build=(--flake "path:$copy#$system") switch=(--flake "$etc#$system")
  elif [ -e osmoda.nix ] || ! grep -q osmoda configuration.nix; then
    line=$(pinned) || by_hand "Nix could not fetch $(flake)"
    grep -q '\./osmoda\.nix' configuration.nix || edit_configuration || by_hand "$etc/configuration.nix has no list of imports"
  fi
  if [ -e osmoda.nix ]; then
    [ -z "$line" ] || sed -i "s|^  imports = .* # an update rewrites this line\$|${line//&/\\&}|" osmoda.nix
  elif grep -qs '\./osmoda\.nix' flake.nix configuration.nix; then
    printf '%s\n' "# osModa on this machine; yours to change." "{" ${line:+"$line"} "  services.osmoda.enable = true;" \
      '  services.osmoda.apiKeyFile = "/var/lib/osmoda/config/api-key";' "}" >osmoda.nix
  fi
  diff -ruN --exclude=.git "$etc" "$copy" >&2 || true
  keep_all
  if grep -qs '"osmoda"' flake.lock; then step "${nix[@]}" flake update osmoda --flake "path:$copy" || by_hand "osModa's input could not be updated"; fi
  begin "building the system"
  cd "$work"
  step nixos-rebuild build "${build[@]}" || by_hand "the system does not build with osModa in it"
  [ "$dry" = 1 ] || [ -e result/etc/systemd/system/osmoda-agentd.service ] || by_hand "the system was built and has no osModa in it"
  begin "switching to it; nixos-rebuild switch --rollback brings the old one back"
  for file in flake.nix flake.lock configuration.nix osmoda.nix; do
    if [ ! -e "$copy/$file" ] || cmp -s "$copy/$file" "$etc/$file"; then continue; fi
    if [ -e "$etc/$file" ] && [ ! -e "$etc/$file.before-osmoda" ]; then step cp -a "$etc/$file" "$etc/$file.before-osmoda"; fi
    step cp "$copy/$file" "$etc/$file"
  done
  # In a git repository a flake sees what git knows.
  if [ -e "$etc/.git" ] && [ -e "$etc/osmoda.nix" ]; then step git -C "$etc" add --intent-to-add osmoda.nix; fi
  step nixos-rebuild switch "${switch[@]}"
  if [ -n "$callback_url" ]; then step systemctl start osmoda-callback.timer; fi
  healthy
}

### Debian and Ubuntu that become NixOS

# What would keep the installer from running, or its owner from getting in.
obstacles() {
  local container
  if container=$(systemd-detect-virt --container); then echo "this is a container ($container), and kexec replaces a kernel"; fi
  [ "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null)" != 1 ] || echo "kexec is switched off until the next boot (kernel.kexec_load_disabled)"
  if grep -qs '\[\(integrity\|confidentiality\)\]' /sys/kernel/security/lockdown; then echo "the kernel is locked down: switch Secure Boot off"; fi
  [ "$memory" -ge 1900 ] || echo "the installer runs in memory and needs 2 GB"
  grep -qsE '^[^#]*(ssh|ecdsa)-' ~/.ssh/authorized_keys || echo "root has no key in ~/.ssh/authorized_keys, so nobody could log in to the installer"
  [ -n "$image" ] || have nix || echo "there is no installer: give --image PATH|URL, or install Nix, which builds it"
}

# What is on this disk that somebody may miss.
losses() {
  local folder
  for folder in /home /root /srv /var/www /var/lib/{postgresql,mysql,docker,osmoda} /etc/letsencrypt /opt; do
    if [ -n "$(ls -A "$folder" 2>/dev/null)" ]; then timeout 20 du -sh "$folder" 2>/dev/null | sed 's/^/     /'; fi
  done
}

plan() {
  cat >&2 <<TEXT
This machine becomes NixOS with osModa:
  1. the installer comes from ${image:-"$(flake)#images.kexec, which Nix builds here"}
  2. kexec starts it in memory, with this machine's ssh host keys, root's authorized keys, addresses and routes
  3. you log in (ssh root@ the same address) and run osmoda-install, which asks for the disk and ERASES it
  4. on the new system the line you ran now, with --skip-nixos, checks its health
Until step 3 nothing on the disk is touched: switching the machine off and on brings this system back.
After step 3 the disk is gone. Keep elsewhere what you need of /etc, of what you installed, of databases, and of:
$(losses)
TEXT
  [ -z "${cloud#*:}" ] || say "For ${cloud%:*} there is an image, which is the shorter way: nix build $(flake)#images.${cloud#*:}"
  [ -z "$key$order_id$callback_url" ] || say "API key, order id and callback URL are for the new system: give them again in step 4."
}

consent() {
  local answer='' tty
  { exec {tty}<>/dev/tty; } 2>/dev/null || fail 2 "there is no terminal to ask at: --yes goes ahead, --no-convert keeps this system"
  printf 'Start the installer now? Type yes: ' >&"$tty"
  read -r answer <&"$tty" || true
  [ "$answer" = yes ] || die "nothing was done"
}

to_nixos() {
  local problems tarball=$image file
  plan
  problems=$(obstacles)
  if [ "$yes$dry" = 00 ]; then consent; fi
  [ -z "$problems" ] || unless_dry "nothing was done, because it cannot work:
$problems
--no-convert keeps this system and installs osModa on it."
  begin "getting the installer"
  room "$work" 2500
  have cpio || packages cpio
  case $image in
    https://*)
      tarball=$work/image.tar
      step curl --proto =https -fL --retry 3 -o "$tarball" "$image"
      ;;
    *://*) die "--image: an address begins with https://" ;;
    '')
      step "${nix[@]}" build --out-link "$work/image" "$(flake)#images.kexec"
      [ "$dry" = 1 ] || tarball=$(find -L "$work/image" -name '*.tar*' -print -quit)
      ;;
  esac
  if [ "$dry" = 0 ] || [ -f "$tarball" ]; then
    tar -xf "$tarball" -C "$work" || die "--image: $tarball cannot be unpacked; nothing was changed"
    for file in run kexec bzImage initrd; do
      [ -f "$work/kexec/$file" ] || die "--image: there is no kexec/$file in $tarball, so it is no kexec installer; nothing was changed"
    done
  fi
  begin "starting the installer; in a minute or two: ssh root@ this address, then osmoda-install"
  step "$work/kexec/run"
  [ "$dry" = 1 ] || work='' # it goes on in the background and needs its files
}

main() {
  set -euo pipefail
  umask 022
  export LC_ALL=C PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin:/run/current-system/sw/bin
  repository=${OSMODA_REPOSITORY:-https://github.com/bolivian-peru/os-moda} home=/opt/osmoda
  image='' binaries='' branch=main key='' order_id='' callback_url='' convert=1 dry=0 yes=0 rest=()
  doing="reading the options" told='' work=''
  nix=(nix --extra-experimental-features "nix-command flakes")
  parse "$@"
  hide_key
  exec </dev/null
  trap stopped EXIT
  begin "looking at this machine"
  preflight
  read_key
  if [ "$dry" = 0 ]; then
    exec {lock}>/run/osmoda-install.lock
    flock --nonblock "$lock" || die "another install.sh is at work here"
  fi
  work=$(mktemp -d /var/tmp/osmoda-install.XXXXXX)
  if [ "$os" = nixos ]; then nixos; elif [ "$convert" = 1 ]; then to_nixos; else plain; fi
  [ "$dry" = 0 ] || say "This was a dry run: nothing was done."
}

{ main "$@"; exit; }
