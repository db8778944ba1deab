#!/bin/bash
# Measures CodeDeploy: idle agents, rollouts to simulated hosts, alone and beside idle
# ones, and deployments to real instances, which need root. HOSTS, IDLE, MIXED and
# INSTANCES choose other sizes, "" none. Root plays in namespaces of its own, which end
# with the script whatever becomes of it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/isolated.sh

if [ -z "${BENCH_INSIDE:-}" ]; then
  dir=$(mktemp -d /var/tmp/hardstand-bench.XXXXXX)
  inside=
  clean() {
    [ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || true # its child ends with it
    wait
    for data in "$dir"/*/; do remove_groups "$data"; done
    rm -rf --one-file-system "$dir"
  }
  trap clean EXIT
  trap 'exit 1' INT TERM HUP
  "${GO:-go}" build -o "$dir/codedeploy" ./bench/codedeploy
  apart=()
  [ "$(id -u)" != 0 ] || apart=(unshare -n -m -p -i -f --mount-proc --kill-child)
  BENCH_INSIDE=$dir "${apart[@]}" "bench/$(basename "$0")" &
  inside=$!
  wait "$inside"
  exit
fi

dir=$BENCH_INSIDE
endpoint=127.0.0.1:${BENCH_PORT:-4699}
server=
stop_server() {
  [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  server=
}
trap stop_server EXIT
if [ "$(id -u)" = 0 ]; then
  mount -t tmpfs tmpfs /run
  ip link set lo up
fi
# start NAME FLAGS... starts a server with its data in $dir/NAME.
start() {
  "${HARDSTAND_BIN:-bin/hardstand}" serve --data-dir "$dir/$1" --listen "$endpoint" --log-level warn --stop-instances "${@:2}" >"$dir/log" 2>&1 &
  server=$!
  until curl -sf -o /dev/null "http://$endpoint/_hardstand/health"; do
    kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.05
  done
  eval "$("${HARDSTAND_BIN:-bin/hardstand}" env --data-dir "$dir/$1")"
}
# measure NAME ARGUMENTS... runs the measurement against a server without real instances.
measure() {
  start "$1" --instances fake
  "$dir/codedeploy" -pid "$server" "${@:2}"
  stop_server
}

ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)" # a connection for each simulated host
files=$(ulimit -n)
most=$((files < 20500 ? files - 500 : 20000))
for n in ${HOSTS-10 100 1000}; do measure "hosts$n" -n "$n" rollout; done
for n in ${IDLE-1000 $most}; do measure "idle$n" -n "$n" idle; done
for n in ${MIXED-$((files < 21500 ? files - 1500 : 20000))}; do measure "mixed$n" -n 1000 -idle "$n" rollout; done
[ "$(id -u)" = 0 ] || exit 0
for n in ${INSTANCES-1 10 100}; do
  start "instances$n"
  "$dir/codedeploy" -n "$n" instances
  stop_server
done
