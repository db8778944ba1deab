#!/bin/bash
# Measures S3 against peers on the same disk, one after the other: moto_server where it
# is on PATH, versitygw where it builds from the Go module proxy. Needs no root.
# Everything it starts ends with it. KEYS (100000), SECONDS_PER_ROW (3), ROWS and SIZES
# choose less or more.
#
# Durability: hardstand syncs the bytes and the row of a write before it answers, always.
# moto keeps everything in memory. versitygw (posix) leaves the bytes to the kernel; it
# has no switch to sync them, so its numbers are those of a weaker promise.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${BENCH_PORT:-4699}
dir=$(mktemp -d /var/tmp/hardstand-bench.XXXXXX)
pid=
stop() {
  [ -z "$pid" ] || { kill -TERM "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; } || true
  pid=
}
finish() {
  stop
  rm -rf --one-file-system "$dir"
}
trap finish EXIT

ready() {
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.05
  done
}
measure() {
  "$dir/bench" -endpoint "http://127.0.0.1:$port" -for "${SECONDS_PER_ROW:-3}s" -keys "${KEYS:-100000}" -pid "$pid" \
    -rows "${ROWS:-objects,list,multipart,memory}" -sizes "${SIZES:-4096,1048576,67108864}"
}

go build -o "$dir/bench" ./bench/s3
echo "machine: $(nproc) cores, $(awk '/MemTotal/ {printf "%d", $2/1048576}' /proc/meminfo) GiB, kernel $(uname -r), $(stat -f -c %T "$dir")"
export AWS_ACCESS_KEY_ID=AKIABENCHBENCHBENCH1 AWS_SECRET_ACCESS_KEY=bench-bench-bench-bench-bench-bench-1234

echo "== hardstand: bytes and rows synced before the answer"
HARDSTAND_ROOT_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID HARDSTAND_ROOT_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY \
  bin/hardstand serve --data-dir "$dir/hardstand" --listen "127.0.0.1:$port" --instances fake --log-level warn >"$dir/log" 2>&1 &
pid=$!
ready
measure
stop

if GOBIN=$dir GOFLAGS=-trimpath go install github.com/versity/versitygw/cmd/versitygw@latest >"$dir/log" 2>&1; then
  echo "== versitygw, posix: bytes left to the kernel"
  mkdir "$dir/versitygw.d"
  ROOT_ACCESS_KEY=$AWS_ACCESS_KEY_ID ROOT_SECRET_KEY=$AWS_SECRET_ACCESS_KEY "$dir/versitygw" --quiet --port "127.0.0.1:$port" posix "$dir/versitygw.d" >"$dir/log" 2>&1 &
  pid=$!
  ready
  measure
  stop
else
  echo "== versitygw does not build here"
fi

if command -v moto_server >/dev/null; then
  echo "== moto_server: in memory"
  moto_server -p "$port" >"$dir/log" 2>&1 &
  pid=$!
  ready
  KEYS=${MOTO_KEYS:-10000} measure
  stop
else
  echo "== moto_server is not installed"
fi
