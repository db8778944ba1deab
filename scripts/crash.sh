#!/bin/bash
# Kills a server at 100 random points of a stack's life, and servers, agents and both
# at 100 points of rollouts to five instances, and compares how it ends.
# KILLS and SEED choose others; STORY=stacks, rollouts or objects (clients write objects
# instead) chooses one. Rollouts have real instances: they need root, and take place in
# namespaces of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/isolated.sh
server=$(realpath "${HARDSTAND_BIN:-bin/hardstand}")
work=$(mktemp -d)
clean() {
  remove_groups "$work/rollouts/data"
  [ -e "$work/rollouts" ] || rm -rf "$work"
}
trap clean EXIT
"${GO:-go}" build -o "$work/crash" ./test/crash
play() { "$work/crash" -server "$server" -kills "${KILLS:-100}" -seed "${SEED:-1}" -story "$@"; }
export -f play
export work server KILLS SEED

for story in ${STORY:-stacks rollouts}; do
  if [ "$story" != rollouts ]; then
    play "$story"
  elif [ "$(id -u)" = 0 ]; then
    mkdir "$work/rollouts"
    unshare -n -m -p -i -f --mount-proc --kill-child bash -c \
      'mount -t tmpfs tmpfs /run && ip link set lo up && play rollouts -dir "$work/rollouts"; code=$?; exit $code'
  else
    echo "crash: rollouts are left out: instances need root" >&2
  fi
done
