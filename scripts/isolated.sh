# Sourced by the scripts that need instances: they play in namespaces of their own,
# with a server of their own, and leave nothing behind. A script calls isolate and
# then serve: what follows runs inside, with the environment to call the server.

# isolate PREPARE runs PREPARE, for what needs the network, which there is none of
# inside, and then the script once more in new namespaces; there it returns. PREPARE
# and the script find their directory in $work.
isolate() {
  local script name
  name=$(basename "$0" .sh)
  script=$PWD/scripts/$name.sh
  if [ -n "${HARDSTAND_INSIDE:-}" ]; then
    work=$HARDSTAND_INSIDE
    unset HARDSTAND_INSIDE
    mount -t tmpfs tmpfs /run
    ip link set lo up
    return
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "$name: instances need root: run  sudo -E $0" >&2
    exit 1
  fi
  work=$(mktemp -d)
  trap 'remove_groups "$work/data"; rm -rf "$work"' EXIT
  "$1"
  HARDSTAND_INSIDE=$work unshare -n -m -p -i -f --mount-proc --kill-child "$script"
  exit
}

# serve starts a server with its data in $work/data, sets the environment of its root
# user, and ends it when the script ends. A server that cannot clear away its
# instances, or fails when it ends, fails the script. HARDSTAND_BIN names another
# server than bin/hardstand, E2E_LOG a log level.
serve() {
  server=${HARDSTAND_BIN:-$PWD/bin/hardstand}
  "$server" serve --data-dir "$work/data" --listen 127.0.0.1:4566 --allow-reset --log-level "${E2E_LOG:-warn}" >"$work/server.log" 2>&1 &
  serving=$!
  trap finish EXIT
  for _ in $(seq 200); do
    curl -sf -o /dev/null http://127.0.0.1:4566/_hardstand/health && break
    sleep 0.05
  done
  eval "$("$server" env --data-dir "$work/data")"
  export AWS_EC2_METADATA_DISABLED=true
}

finish() {
  local code=$?
  curl -sf -X POST -o /dev/null http://127.0.0.1:4566/_hardstand/reset || code=1
  kill "$serving" || code=1
  wait "$serving" || code=1
  if [ "$code" != 0 ]; then
    echo "== failed; the server's log ends:" >&2
    tail -n 40 "$work/server.log" >&2
  fi
  exit "$code"
}

# remove_groups DATADIR removes the control groups of the server that had the
# directory: they outlive namespaces, unlike mounts. Processes that were killed with
# their namespace take a moment to leave them.
remove_groups() {
  local prefix groups
  prefix=hs$(cat "$1/id" 2>/dev/null || echo -none)
  for _ in $(seq 50); do
    mapfile -t groups < <(find /sys/fs/cgroup -depth -type d \( -path "*/$prefix" -o -path "*/$prefix/*" \) 2>/dev/null)
    [ "${#groups[@]}" != 0 ] || return 0
    rmdir "${groups[@]}" 2>/dev/null || sleep 0.1
  done
}
