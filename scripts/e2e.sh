#!/bin/bash
# Stock clients against a running server: starts one in namespaces of its own, tells
# it the stories of test/e2e through SDK for Go v2 and boto3, and removes everything.
# HARDSTAND_BIN names another server than bin/hardstand, E2E=go or E2E=boto3 chooses.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${HARDSTAND_E2E_INSIDE:-}" = "" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "e2e: instances need root: run  sudo -E $0" >&2
    exit 1
  fi
  if [ "${E2E:-}" != go ] && ! python3 -c 'import boto3' 2>/dev/null; then
    echo "e2e: boto3 is missing: pip install boto3 (or choose E2E=go)" >&2
    exit 1
  fi
  work=$(mktemp -d)
  # Compiled outside: inside there is no network for modules.
  if [ "${E2E:-}" != boto3 ]; then
    (cd test/e2e && CGO_ENABLED=0 "${GO:-go}" test -c -o "$work/stories" .)
  fi
  code=0
  HARDSTAND_E2E_INSIDE=$work unshare -n -m -p -i -f --mount-proc --kill-child "$0" || code=$?
  # Control groups outlive namespaces; the mounts below $work do not.
  prefix=hs$(cat "$work/data/id" 2>/dev/null || echo -none)
  find /sys/fs/cgroup -depth -type d \( -path "*/$prefix" -o -path "*/$prefix/*" \) -exec rmdir {} + 2>/dev/null || true
  rm -rf "$work"
  exit "$code"
fi

work=$HARDSTAND_E2E_INSIDE
mount -t tmpfs tmpfs /run
ip link set lo up
server=${HARDSTAND_BIN:-$PWD/bin/hardstand}
"$server" serve --data-dir "$work/data" --listen 127.0.0.1:4566 --allow-reset --log-level "${E2E_LOG:-warn}" >"$work/server.log" 2>&1 &
serving=$!
for _ in $(seq 200); do
  curl -sf -o /dev/null http://127.0.0.1:4566/_hardstand/health && break
  sleep 0.05
done
eval "$("$server" env --data-dir "$work/data")"
export AWS_EC2_METADATA_DISABLED=true

code=0
if [ "${E2E:-}" != boto3 ]; then
  (cd test/e2e && "$work/stories" -test.v) || code=1
fi
if [ "${E2E:-}" != go ]; then
  python3 test/e2e/boto3_stories.py || code=1
fi
# What was checked is what AWS's authorization reference lists, but for what AWS checks
# otherwise (internal/app/condition_keys_test.go) and what a story sets out to get wrong.
env -u AWS_ENDPOINT_URL "$server" policy suggest arn:aws:iam::123456789012:root --data-dir "$work/data" >/dev/null 2>"$work/unlisted" || code=1
if grep 'does not list' "$work/unlisted" | grep -vE ' for (iam:List(Groups|InstanceProfiles|Roles|Users|Policies|OpenIDConnectProviders)|logs:(DescribeLogGroups|ListLogGroups|DescribeIndexPolicies)|cloudformation:CreateStackSet|sts:TagSession)\.$| no-arn for '; then
  echo "e2e: the checks above do not fit AWS's authorization reference" >&2
  code=1
fi
curl -sf -X POST -o /dev/null http://127.0.0.1:4566/_hardstand/reset || code=1
kill "$serving"
wait "$serving" || code=1
if [ "$code" != 0 ]; then
  echo "== the server's log ends:" >&2
  tail -n 40 "$work/server.log" >&2
fi
exit "$code"
