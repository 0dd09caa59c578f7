# shellcheck shell=bash
# What ./start and ./test need from the machine, and how they get it. Sourced, not run.
# With dry=1 each step is printed and nothing is done.

rust_least=1.95

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Says what it runs, then runs it.
step() {
  say "+ $*"
  [ "${dry:-0}" = 1 ] || "$@"
}

# need_apt PACKAGE...: installs Debian packages that are known to be missing.
need_apt() {
  [ $# -gt 0 ] || return 0
  say "missing Debian packages: $*"
  have apt-get || die "this is no Debian: install the equivalent of: $*"
  if [ "$(id -u)" != 0 ] && [ "${dry:-0}" != 1 ]; then
    die "they need root. Run this, then try again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
  fi
  step env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  step env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
}

# A C compiler that finds the C library: SQLite is compiled in.
need_compiler() {
  local missing=()
  have cc || missing+=(gcc)
  [ -e /usr/include/stdlib.h ] || missing+=(libc6-dev)
  have setpriv || missing+=(util-linux)
  need_apt "${missing[@]}"
}

# cargo is there and not older than rust_least.
rust_is_new_enough() {
  local version
  version=$(cargo --version 2>/dev/null) || return 1
  version=${version#cargo } version=${version%% *}
  printf '%s\n%s\n' "$rust_least" "$version" | sort -C -V
}

need_rust() {
  local own=${CARGO_HOME:-~/.cargo}/bin
  PATH=$PATH:$own
  rust_is_new_enough && return 0
  if have rustup; then
    say "Rust $rust_least or newer is missing: installing the stable toolchain with rustup"
    step rustup toolchain install stable --profile minimal
    export RUSTUP_TOOLCHAIN=stable
  else
    say "Rust $rust_least or newer is missing: installing it with rustup (https://rustup.rs) for this user"
    local missing=()
    have curl || missing+=(curl)
    [ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
    need_apt "${missing[@]}"
    # Downloaded as a whole before it runs: half a script must not.
    # shellcheck disable=SC2016 # for the inner shell to expand
    step sh -c 'file=$(mktemp) && curl --proto "=https" --tlsv1.2 -fsSL https://sh.rustup.rs -o "$file" && sh "$file" -y --quiet --profile minimal --default-toolchain stable --no-modify-path; done=$?; rm -f "$file"; exit $done'
    PATH=$own:$PATH
  fi
  [ "${dry:-0}" = 1 ] || rust_is_new_enough || die "cargo $rust_least or newer is still missing"
}
