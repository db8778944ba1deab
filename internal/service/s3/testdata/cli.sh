# What a shell user does with the stock aws command, in an empty directory.
set -o pipefail
say() { echo "cli.sh: $*" >&2; }

aws s3 mb s3://cli-bucket
aws s3 ls | grep -q ' cli-bucket$'
echo hello > hello.txt
aws s3 cp hello.txt s3://cli-bucket/dir/hello.txt
aws s3 ls s3://cli-bucket/ | grep -q 'PRE dir/'
aws s3 ls s3://cli-bucket/dir/ | grep -q ' 6 hello.txt$'
aws s3 cp s3://cli-bucket/dir/hello.txt - | cmp - hello.txt
aws s3 cp s3://cli-bucket/dir/hello.txt s3://cli-bucket/copy.txt
aws s3 mv s3://cli-bucket/copy.txt s3://cli-bucket/moved.txt
if aws s3 ls s3://cli-bucket/copy.txt; then say "mv left its source"; exit 1; fi

# 20 MiB in parts
head -c 20971520 /dev/urandom > big
aws s3 cp --no-progress big s3://cli-bucket/big
aws s3 cp --no-progress s3://cli-bucket/big got
cmp big got

mkdir -p tree/sub
echo 1 > tree/one; echo 2 > 'tree/sub/two words'
touch -d '1 minute ago' tree/one 'tree/sub/two words' # S3 keeps whole seconds, sync compares
aws s3 sync tree s3://cli-bucket/tree
test -z "$(aws s3 sync tree s3://cli-bucket/tree)" || { say "a second sync copied again"; exit 1; }
aws s3 sync s3://cli-bucket/tree back
diff -r tree back
rm tree/one
aws s3 sync --delete tree s3://cli-bucket/tree | grep -q 'delete: s3://cli-bucket/tree/one'

url=$(aws s3 presign s3://cli-bucket/dir/hello.txt --expires-in 60)
curl -sf "$url" | cmp - hello.txt
test "$(curl -s -o /dev/null -w '%{http_code}' "${url}0")" = 403

test "$(aws s3api head-object --bucket cli-bucket --key dir/hello.txt --query ContentLength --output text)" = 6
aws s3api put-object --bucket cli-bucket --key api --body hello.txt --metadata a=b > put.json
aws s3api get-object --bucket cli-bucket --key api out.txt > get.json
cmp out.txt hello.txt
grep -q '"a": "b"' get.json
aws s3api get-bucket-location --bucket cli-bucket | grep -q null

if aws s3 rb s3://cli-bucket 2> err; then say "rb removed a full bucket"; exit 1; fi
grep -q BucketNotEmpty err
if aws s3 cp s3://cli-bucket/absent . 2> err; then say "cp of nothing succeeded"; exit 1; fi
grep -q '(404)' err

aws s3 cp s3://aws-codedeploy-eu-west-1/latest/install . --region eu-west-1
head -n 1 install | grep -q '^#!/bin/sh'
aws s3 cp --no-sign-request s3://aws-codedeploy-eu-west-1/latest/install unsigned
cmp install unsigned

aws s3 rm --recursive s3://cli-bucket/tree
aws s3 rb --force s3://cli-bucket
if aws s3 ls | grep cli-bucket; then say "the bucket is still there"; exit 1; fi
