# shellcheck shell=bash
# What a machine needs besides Python, for scripts/invoke and scripts/setup; bash reads it with `source`, after common.sh.
# engine_python: the Python that asks an engine whether it answers; who sources this sets it afterwards.

scripts=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
packages=() # what apt-get has to install, and why, side by side
reasons=()
start_engine=no

need() { packages+=("$1") reasons+=("$2"); }

# Puts into `commands` what root would run to install what `need` named and to start the engine if asked to.
commands_for_root() {
  commands=()
  if ((${#packages[@]})); then
    have apt-get && commands=("sudo apt-get update" "sudo apt-get install --no-install-recommends ${packages[*]}") ||
      commands=("install with this system's package manager: ${packages[*]} (or what it calls them)")
  fi
  [[ $start_engine == no ]] || commands+=("sudo ${PORTSIDE_ENGINE_ROOT:+PORTSIDE_ENGINE_ROOT=$PORTSIDE_ENGINE_ROOT }$scripts/start-engine")
}

# Installs what `need` named and starts the engine if asked to, or tells a person how to.
install_needed() {
  local i log
  [[ ${#packages[@]} != 0 || $start_engine == yes ]] || return 0
  if ! may_be_root; then
    commands_for_root
    say "missing here, and this user may not install or start it:"
    for i in "${!packages[@]}"; do printf '  %s: %s\n' "${packages[i]}" "${reasons[i]}" >&2; done
    [[ $start_engine == no ]] || printf '  an engine that answers: it executes what a recipe runs\n' >&2
    die "$EXIT_ENGINE" "have these run as root, then try again:" "${commands[@]}"
  fi

  if ((${#packages[@]})); then
    have apt-get || die "$EXIT_ENGINE" "missing here: ${packages[*]}" \
      "this is no Debian or Ubuntu, so install them (or what this system calls them) by hand"
    for i in "${!packages[@]}"; do say "installing ${packages[i]}: ${reasons[i]}"; done
    log=$(mktemp "${TMPDIR:-/tmp}/portside-apt.XXXXXX")
    if ! apt_install "$log" "${packages[@]}"; then
      tail -n 15 "$log" >&2
      die "$EXIT_ENGINE" "apt-get could not install ${packages[*]}" "the whole log: $log"
    fi
    rm -f "$log"
  fi
  packages=() reasons=()
  if [[ $start_engine == yes ]]; then
    as_root ${PORTSIDE_ENGINE_ROOT:+PORTSIDE_ENGINE_ROOT="$PORTSIDE_ENGINE_ROOT"} "$scripts/start-engine" >&2 </dev/null
  fi
}

look_for_mmdebstrap() {
  have mmdebstrap || need mmdebstrap "makes a base image from locked Debian packages"
  [[ $(id -u) == 0 ]] || have newuidmap || need uidmap "lets mmdebstrap do so for users other than root"
}

# another_context: the docker command's current context names an engine that somebody set up.
another_context() {
  local context=${DOCKER_CONTEXT-} file=${DOCKER_CONFIG:-${HOME-}/.docker}/config.json
  if [[ -z $context && -r $file && $(<"$file") =~ \"currentContext\":[[:space:]]*\"([^\"]*)\" ]]; then
    context=${BASH_REMATCH[1]}
  fi
  [[ -n $context && $context != default ]]
}

# an_engine_answers: whether one does; ends here where there is one that this user may not use.
an_engine_answers() {
  local address=${DOCKER_HOST-} status=0
  # what a context or another kind of address means, the task knows; it says so if nothing answers there
  if [[ -z $address ]] && another_context || [[ -n $address && ! $address =~ ^(unix|tcp):// ]]; then return 0; fi
  address=${address:-unix:///var/run/docker.sock}
  # shellcheck disable=SC2154
  engine_answers "$engine_python" "$address" || status=$?
  ((status != 2)) || die "$EXIT_ENGINE" "an engine is at $address, but this user may not speak to it" \
    "sudo usermod -aG docker $(id -un), then log in again; or run this as root"
  return "$status"
}

look_for_engine() {
  if [[ -n ${PORTSIDE_ENGINE_ROOT-} ]]; then
    export DOCKER_HOST=unix://$PORTSIDE_ENGINE_ROOT/docker.sock
  fi
  if ! an_engine_answers; then
    [[ -z ${DOCKER_HOST-} || -n ${PORTSIDE_ENGINE_ROOT-} ]] ||
      die "$EXIT_ENGINE" "no engine answers at $DOCKER_HOST, which DOCKER_HOST names" "start that engine, or unset DOCKER_HOST"
    start_engine=yes
  fi
  if [[ $start_engine == yes ]] && ! have dockerd && ! installed docker.io; then
    need docker.io "the engine that executes what a recipe runs"
    need_client
  elif ! have docker; then
    need docker.io "the engine's client, which builds"
    need_client
  fi
}

# podman_instead: no Docker is installed or answers, and there is a Podman that the tasks then use by themselves.
podman_instead() {
  [[ -z ${DOCKER_HOST-}${PORTSIDE_ENGINE_ROOT-} ]] && ! have dockerd && ! installed docker.io && have podman || return 1
  [[ $(podman --version 2>/dev/null) =~ ^podman\ version\ ([0-9]+)\.([0-9]+) ]] || return 1
  ((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] >= 403)) && ! an_engine_answers
}

# Newer releases have the client and BuildKit in packages of their own, which docker.io only recommends.
need_client() {
  local package
  for package in docker-cli docker-buildx; do
    [[ -z $(apt-cache show --no-all-versions "$package" 2>/dev/null) ]] || need "$package" "the engine's client, which builds"
  done
}
