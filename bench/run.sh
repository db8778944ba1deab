#!/bin/bash
# Measures what docs/performance.md reports. Needs root; moto_server on PATH for the
# ratios. Everything it starts ends with it.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${BENCH_PORT:-4699}
peer=$((port + 1))
dir=$(mktemp -d /var/tmp/hardstand-bench.XXXXXX)
server=
moto=
stop_server() {
  [ -z "$server" ] || { kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
  server=
}
finish() {
  stop_server
  [ -z "$moto" ] || { kill -TERM "$moto" 2>/dev/null && wait "$moto" 2>/dev/null; } || true
  rm -rf --one-file-system "$dir"
}
trap finish EXIT

# start DIR FLAGS...: starts a server and says after how long it was ready.
start() {
  local data=$1 began now
  shift
  began=$(date +%s%N)
  bin/hardstand serve --data-dir "$data" --listen "127.0.0.1:$port" --log-level warn --stop-instances "$@" >"$dir/log" 2>&1 &
  server=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port" && printf 'GET /_hardstand/health HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200 ' <&3) 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.002
  done
  now=$(date +%s%N)
  echo $(((now - began) / 1000000))
}
median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }

go build -o "$dir/bench" ./bench
echo "machine: $(nproc) cores, $(awk '/MemTotal/ {printf "%d", $2/1048576}' /proc/meminfo) GiB, kernel $(uname -r)"

for i in 1 2 3 4 5 6 7; do start "$dir/cold$i" >>"$dir/cold.ms"; stop_server; done
echo "ready on an empty data dir: $(median <"$dir/cold.ms") ms"
for _ in 1 2 3 4 5 6 7; do start "$dir/cold1" >>"$dir/warm.ms"; stop_server; done
echo "ready on a warm data dir: $(median <"$dir/warm.ms") ms"

start "$dir/main" >/dev/null
eval "$(bin/hardstand env --data-dir "$dir/main")"
"$dir/bench" -n 20 -pid "$server" -prefix "hs$(cat "$dir/main/id")" memory
"$dir/bench" -n 50 -pause 100ms launch
"$dir/bench" -n 50 launch

# From nothing to HTTP 200, on a running server, with names that are new each time.
for i in 1 2 3 4 5; do
  began=$(date +%s%N)
  bin/hardstand deploy --plain --with-identity --stack "bench$i" --application "bench$i" --target gTag="bench$i" -p AppTag="bench$i" examples/tutorial >"$dir/deploy.log"
  now=$(date +%s%N)
  echo $(((now - began) / 1000000)) >>"$dir/deploy.ms"
done
echo "hardstand deploy from nothing to HTTP 200: $(median <"$dir/deploy.ms") ms"
stop_server

if command -v moto_server >/dev/null; then
  start "$dir/fake" --instances fake >/dev/null
  eval "$(bin/hardstand env --data-dir "$dir/fake")"
  moto_server -p "$peer" >"$dir/moto.log" 2>&1 &
  moto=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$peer") 2>/dev/null; do sleep 0.1; done
  "$dir/bench" -n 30 -peer "http://127.0.0.1:$peer" describe
  "$dir/bench" -n 3 -peer "http://127.0.0.1:$peer" stacks
else
  echo "moto_server is not installed: no ratios"
fi
