#!/bin/bash
# Refuses early, with the remedy, when Go is missing or older than go.mod asks.
set -u
go=${1:-go}
if ! command -v "$go" >/dev/null 2>&1; then
  for d in /usr/local/go/bin /usr/lib/go/bin; do
    if [ -x "$d/go" ]; then
      echo "Go is in $d but not on PATH: run  export PATH=\$PATH:$d" >&2
      exit 1
    fi
  done
  echo "Go 1.26 or newer is needed: https://go.dev/dl/ (unpack to /usr/local/go, add /usr/local/go/bin to PATH)" >&2
  exit 1
fi
v=$("$go" env GOVERSION)
v=${v#go}
major=${v%%.*}
minor=${v#*.}
minor=${minor%%[!0-9]*}
if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -lt 26 ]; }; then
  echo "Go 1.26 or newer is needed, $(command -v "$go") is $v: https://go.dev/dl/" >&2
  exit 1
fi
