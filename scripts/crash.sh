#!/bin/bash
# Kills a server at 100 random points of a stack's life and compares how it ends.
# KILLS and SEED choose others; STORY=objects has clients write objects instead. Needs no root: its instances are fake.
set -euo pipefail
cd "$(dirname "$0")/.."
exec "${GO:-go}" run ./test/crash -server "${HARDSTAND_BIN:-$PWD/bin/hardstand}" -story "${STORY:-stacks}" -kills "${KILLS:-100}" -seed "${SEED:-1}"
