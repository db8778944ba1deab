#!/bin/bash
# Measures CodeDeploy: idle agents, a rollout to simulated hosts, deployments to real
# instances (which need root). IDLE, HOSTS and INSTANCES choose other sizes.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${BENCH_PORT:-4699}
dir=$(mktemp -d /var/tmp/hardstand-bench.XXXXXX)
server=
stop_server() {
  [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  server=
}
trap 'stop_server; rm -rf --one-file-system "$dir"' EXIT
start() {
  bin/hardstand serve --data-dir "$dir/$1" --listen "127.0.0.1:$port" --log-level warn --stop-instances "${@:2}" >"$dir/log" 2>&1 &
  server=$!
  until curl -sf -o /dev/null "http://127.0.0.1:$port/_hardstand/health"; do
    kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.05
  done
  eval "$(bin/hardstand env --data-dir "$dir/$1")"
}
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)" # a connection for each simulated host
files=$(ulimit -n)
most=$((files < 20500 ? files - 500 : 20000))
go build -o "$dir/codedeploy" ./bench/codedeploy
for n in ${HOSTS:-10 100 1000}; do
  start "hosts$n" --instances fake
  "$dir/codedeploy" -pid "$server" -n "$n" rollout
  stop_server
done
for n in ${IDLE:-1000 $most}; do
  start "idle$n" --instances fake
  "$dir/codedeploy" -pid "$server" -n "$n" idle
  stop_server
done
# Agents of both kinds at once: the idle ones are as many as there are descriptors for.
if [ "${MIXED-yes}" ]; then
  start mixed --instances fake
  "$dir/codedeploy" -pid "$server" -n 1000 -idle $((most > 19000 ? 19000 : most - 1100)) rollout
  stop_server
fi
for n in ${INSTANCES:-1 10 100}; do
  start "instances$n"
  "$dir/codedeploy" -n "$n" instances
  stop_server
done
