#!/bin/bash
# Stock clients against a running server: starts one in namespaces of its own, tells
# it the stories of test/e2e through SDK for Go v2 and boto3, and removes everything.
# HARDSTAND_BIN names another server than bin/hardstand, E2E=go or E2E=boto3 chooses.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/isolated.sh

prepare() {
  if [ "${E2E:-}" != go ] && ! python3 -c 'import boto3' 2>/dev/null; then
    echo "e2e: boto3 is missing: pip install boto3 (or choose E2E=go)" >&2
    exit 1
  fi
  if [ "${E2E:-}" != boto3 ]; then
    (cd test/e2e && CGO_ENABLED=0 "${GO:-go}" test -c -o "$work/stories" .)
  fi
}
isolate prepare
serve

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
if grep 'does not list' "$work/unlisted" | grep -vE ' for (iam:List(Groups|InstanceProfiles|Roles|Users|Policies|OpenIDConnectProviders)|logs:(DescribeLogGroups|ListLogGroups|DescribeIndexPolicies)|cloudformation:CreateStackSet|elasticloadbalancing:AddTags|sts:TagSession)\.$| no-arn for '; then
  echo "e2e: the checks above do not fit AWS's authorization reference" >&2
  code=1
fi
exit "$code"
