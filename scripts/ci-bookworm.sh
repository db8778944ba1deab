#!/bin/bash
# `make demo` as a newcomer runs it: in a minimal bookworm tree that has nothing but
# Go, make, git and ca-certificates.
set -euo pipefail
cd "$(dirname "$0")/.."
go=$(go env GOROOT)
tree=$(mktemp -d /var/tmp/hardstand-bookworm.XXXXXX)
finish() {
  # Nothing may be mounted below a tree that is removed.
  if grep -q " $tree" /proc/self/mountinfo; then
    echo "mounts are left below $tree" >&2
    exit 1
  fi
  rm -rf --one-file-system "$tree"
}
trap finish EXIT
mmdebstrap --quiet --variant=minbase --include=make,git,ca-certificates bookworm "$tree"
mkdir -p "$tree/usr/local/go" "$tree/src" "$tree/gomod" "$tree/gocache"
git archive HEAD | tar -x -C "$tree/src"
modules=$(go env GOMODCACHE)
cache=$(go env GOCACHE)
# Mounts live in a mount namespace of their own and end with it.
unshare --mount --pid --fork --kill-child bash -euo pipefail -c '
  tree=$1 go=$2 modules=$3 cache=$5
  mount --make-rprivate /
  mount --bind "$tree" "$tree"
  mount --bind "$go" "$tree/usr/local/go"
  mount --bind "$modules" "$tree/gomod"
  mount --bind "$cache" "$tree/gocache"
  mount -t proc proc "$tree/proc"
  mount --rbind /sys "$tree/sys"
  mount --rbind /dev "$tree/dev"
  mount -t tmpfs tmpfs "$tree/run"
  cp /etc/resolv.conf "$tree/etc/resolv.conf"
  # A process in a chroot may make no user namespace, so this tree becomes the root.
  mkdir "$tree/old"
  cd "$tree"
  pivot_root . old
  cd /
  umount -l /old
  exec env -i HOME=/root CI=1 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin \
    GOMODCACHE=/gomod GOCACHE=/gocache GOFLAGS=-buildvcs=false "GOPROXY=$4" "DEMO_FLAGS=--yes --once" \
    make -C /src demo
' bash "$tree" "$go" "$modules" "$(go env GOPROXY)" "$cache"
