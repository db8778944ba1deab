#!/bin/bash
# All tests. As root directly; as another user the tests are built as that user and
# sudo is used for the one step that needs it. What cannot run is listed at the end.
set -uo pipefail
cd "$(dirname "$0")/.."
go=$(command -v "${GO:-go}")
"$go" build -o bin/testreport ./internal/testreport || exit 1
packages=(./...)
run=()
missing=
if [ "$(id -u)" != 0 ]; then
  if command -v sudo >/dev/null 2>&1; then
    run=(sudo env "PATH=$PATH" "HOME=$HOME" "GOCACHE=$("$go" env GOCACHE)" "GOMODCACHE=$("$go" env GOMODCACHE)" GOFLAGS=-buildvcs=false CGO_ENABLED=0)
  else
    # These make namespaces, mounts or files of other users from their first line on.
    missing='internal/network|internal/instance/container|internal/guest/(cfn|pkgshim|sshd|userdata)|internal/agent/install'
    mapfile -t packages < <("$go" list ./... | grep -vE "/($missing)\$")
  fi
fi
"${run[@]}" "$go" test -json -timeout 9m "${packages[@]}" 2>&1 | bin/testreport
code=$?
if [ -n "$missing" ]; then
  echo "not run here, because this user is not root and there is no sudo:"
  "$go" list ./... | grep -E "/($missing)\$" | sed 's/^/  /'
fi
exit "$code"
