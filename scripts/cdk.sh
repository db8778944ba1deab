#!/bin/bash
# The AWS CDK against a running server: bootstraps the account, deploys an app with a
# file asset and a fleet behind load balancers (test/e2e/cdk), shows and deploys a
# change, destroys it all. As its users do, it works as an IAM user, whom the
# bootstrap's roles trust, and over https, which the bucket of the assets demands.
# HARDSTAND_BIN names another server than bin/hardstand. Needs node and npm; the
# packages come from npm's registry.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/isolated.sh

prepare() {
  for tool in npm aws; do
    if ! command -v "$tool" >/dev/null; then
      echo "cdk: $tool is missing: apt-get install npm awscli" >&2
      exit 1
    fi
  done
  cp -r test/e2e/cdk "$work/app"
  (cd "$work/app" && npm ci --no-audit --no-fund --loglevel=error)
}
isolate prepare
serve
export HOME=$work CDK_DISABLE_VERSION_CHECK=1 CI=1
CDK_DEFAULT_ACCOUNT=$(aws sts get-caller-identity --query Account --output text)
export CDK_DEFAULT_ACCOUNT CDK_DEFAULT_REGION=us-east-1

aws iam create-user --user-name builder >/dev/null
aws iam attach-user-policy --user-name builder --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY < <(aws iam create-access-key --user-name builder \
  --query 'AccessKey.[AccessKeyId,SecretAccessKey]' --output text)
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export AWS_ENDPOINT_URL=https://127.0.0.1:4566 NODE_EXTRA_CA_CERTS=$work/data/ca.pem

cd "$work/app"
cdk() { npx --no-install cdk "$@" 2>&1; }
output() { aws cloudformation describe-stacks --stack-name HardstandCdk --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text; }
page() { # what the fleet's balancer shows, as soon as a target is healthy
  local address
  address=$(aws ec2 describe-network-interfaces --filters 'Name=description,Values=ELB app/*' \
    --query 'NetworkInterfaces[0].Association.PublicIp' --output text)
  curl -sS --fail --retry 100 --retry-delay 1 --retry-all-errors --max-time 3 "http://$address/"
}
must() { # TEXT WHAT COMMAND...: the command prints the text
  local text=$1 what=$2
  shift 2
  "$@" >"$work/out" || { cat "$work/out" >&2; echo "cdk: $what failed" >&2; exit 1; }
  grep -qF -- "$text" "$work/out" || { cat "$work/out" >&2; echo "cdk: $what does not show $text" >&2; exit 1; }
  echo "ok    $what"
}

must bootstrapped 'cdk bootstrap' cdk bootstrap "aws://$CDK_DEFAULT_ACCOUNT/$CDK_DEFAULT_REGION"
must 'no changes' 'cdk bootstrap again' cdk bootstrap "aws://$CDK_DEFAULT_ACCOUNT/$CDK_DEFAULT_REGION"
must HardstandCdk.BucketName 'cdk deploy' cdk deploy HardstandCdk
bucket=$(output BucketName)
for _ in $(seq 100); do # the instance's user data brings the asset there
  aws s3 cp "s3://$bucket/page.txt" "$work/page" --only-show-errors 2>/dev/null && break
  sleep 0.2
done
must 'a file that the app carries' 'the asset, by way of the instance' cat "$work/page"
must 'no changes' 'cdk deploy again' cdk deploy HardstandCdk
must HardstandFleet.Url 'cdk deploy of a fleet' cdk deploy HardstandFleet
must first 'the fleet behind its balancer' page
must 'There were no differences' 'cdk diff without a change' cdk diff
export VALUE=second
must second 'cdk diff' cdk diff HardstandCdk
must HardstandCdk 'cdk deploy of a change' cdk deploy HardstandCdk
must HardstandFleet 'a rolling update of the fleet' cdk deploy HardstandFleet
must second 'the new fleet behind its balancer' page
must second 'the changed parameter' aws ssm get-parameter --name "$(output ParameterName)"
for stack in HardstandCdk HardstandFleet; do
  must IN_SYNC "cdk drift of $stack" aws cloudformation describe-stack-drift-detection-status \
    --stack-drift-detection-id "$(aws cloudformation detect-stack-drift --stack-name $stack --query StackDriftDetectionId --output text)"
done
aws s3 rm --recursive --only-show-errors "s3://$bucket"
must destroyed 'cdk destroy' cdk destroy --all --force
