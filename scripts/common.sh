# shellcheck shell=bash disable=SC2034
# Shared by scripts/invoke, scripts/start-engine and .ci/run; bash reads it with `source`.
# Everything said to a person goes to stderr: stdout belongs to the task (`--json`).

# As portside/errors.py has them: a failure of any kind; no engine, or one that cannot do what is needed.
readonly EXIT_FAILURE=1 EXIT_ENGINE=6

say() { printf 'portside: %s\n' "$*" >&2; }

# die STATUS LINE...: the problem, then what to do about it, and the end.
die() {
  local status=$1
  say "$2"
  shift 2
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit "$status"
}

have() { command -v "$1" >/dev/null 2>&1; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

may_be_root() { [[ $(id -u) == 0 ]] || { have sudo && sudo -n true 2>/dev/null; }; }

# Root's PATH after a plain `su` lacks the sbin folders, and dpkg and dockerd cannot do without them.
as_root() {
  local prefix=()
  [[ $(id -u) == 0 ]] || prefix=(sudo -n)
  "${prefix[@]}" env PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" "$@"
}

# engine_answers PYTHON ADDRESS: 0 if an engine answers at a DOCKER_HOST-like address, 2 if this user may not speak
# to it, else 1. A docker client is not asked: it is slower, and the first one in PATH may be unusable.
# Any HTTP answer counts, because an engine that wants TLS answers a plain request with 400.
engine_answers() {
  "$1" -I -S -c '
import socket, sys
scheme, _, place = sys.argv[1].partition("://")
try:
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(place)
    else:
        host, _, port = place.rstrip("/").rpartition(":")
        connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
    sys.exit(0 if connection.recv(5) == b"HTTP/" else 1)
except PermissionError:
    sys.exit(2)
except (OSError, ValueError):
    sys.exit(1)
' "$2"
}

# apt_install LOG PACKAGE...: the package lists are brought up to date only where they do not lead to the packages.
apt_install() {
  local log=$1 install
  shift
  install=(apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@")
  as_root DEBIAN_FRONTEND=noninteractive "${install[@]}" >>"$log" 2>&1 </dev/null && return
  as_root apt-get update >>"$log" 2>&1 </dev/null &&
    as_root DEBIAN_FRONTEND=noninteractive "${install[@]}" >>"$log" 2>&1 </dev/null
}
