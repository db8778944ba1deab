#!/bin/bash
# All tests. As root directly; as another user the tests are built as that user and
# sudo is used for the one step that needs it. What cannot run is listed at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
go=$(command -v "${GO:-go}")
run=("$go" test -json -timeout 9m ./...)
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null 2>&1; then
  run=(sudo env "PATH=$PATH" "HOME=$HOME" "GOCACHE=$("$go" env GOCACHE)" "GOMODCACHE=$("$go" env GOMODCACHE)" GOFLAGS=-buildvcs=false CGO_ENABLED=0 "${run[@]}")
fi
"$go" build -o bin/testreport ./internal/testreport || exit 1
"${run[@]}" 2>&1 | bin/testreport
