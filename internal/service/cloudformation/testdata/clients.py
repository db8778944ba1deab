"""Drive CloudFormation through boto3 and print what it understood."""

import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

cfn = boto3.client(
    "cloudformation",
    endpoint_url=sys.argv[1],
    region_name="us-east-1",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    config=Config(retries={"total_max_attempts": 1}),
)

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Description: as the tutorial's
Parameters:
  Port: {Type: Number, Default: 8000}
Conditions:
  High: !Equals [!Ref Port, '8000']
Resources:
  Group: {Type: 'Test::Fake::Thing', Properties: {Size: '22'}}
  Web:
    Type: Test::Fake::Thing
    Properties:
      Value:
        Fn::Base64: !Join ['', ['port=', !Ref Port]]
      Any: !If [High, !GetAtt Group.Arn, !Ref 'AWS::NoValue']
Outputs:
  Id: {Value: !Ref Web, Description: the id}
"""

WAIT = {"Delay": 1, "MaxAttempts": 30}

print(cfn.validate_template(TemplateBody=TEMPLATE)["Parameters"])
cfn.create_stack(StackName="boto", TemplateBody=TEMPLATE, Tags=[{"Key": "k", "Value": "v"}])
cfn.get_waiter("stack_create_complete").wait(StackName="boto", WaiterConfig=WAIT)
stack = cfn.describe_stacks(StackName="boto")["Stacks"][0]
print(stack["StackStatus"], stack["Outputs"], stack["Tags"], stack["Parameters"])
for r in cfn.get_paginator("list_stack_resources").paginate(StackName="boto").search("StackResourceSummaries"):
    print(r["LogicalResourceId"], r["ResourceType"], r["ResourceStatus"])
print(cfn.get_template(StackName="boto")["TemplateBody"] == TEMPLATE)
print(cfn.get_template(StackName="boto", TemplateStage="Processed")["TemplateBody"] == TEMPLATE)
try:
    cfn.update_stack(StackName="boto", UsePreviousTemplate=True)
except ClientError as e:
    print(e)
cfn.update_stack(
    StackName="boto", UsePreviousTemplate=True, Parameters=[{"ParameterKey": "Port", "ParameterValue": "9000"}]
)
cfn.get_waiter("stack_update_complete").wait(StackName="boto", WaiterConfig=WAIT)
cfn.create_change_set(
    StackName="other", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=TEMPLATE
)
cfn.get_waiter("change_set_create_complete").wait(StackName="other", ChangeSetName="c", WaiterConfig=WAIT)
for c in cfn.describe_change_set(StackName="other", ChangeSetName="c")["Changes"]:
    print(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"])
cfn.execute_change_set(StackName="other", ChangeSetName="c")
cfn.get_waiter("stack_create_complete").wait(StackName="other", WaiterConfig=WAIT)
for name in "boto", "other":
    cfn.delete_stack(StackName=name)
    cfn.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=WAIT)
# A replacement, foretold by a change set; then drift, and a rollback that is asked for.
REPLACED = TEMPLATE.replace("Properties: {Size: '22'}", "Properties: {Size: '22', Kind: K}")
cfn.create_stack(StackName="kinds", TemplateBody=REPLACED.replace("Kind: K", "Kind: old"))
cfn.get_waiter("stack_create_complete").wait(StackName="kinds", WaiterConfig=WAIT)
cfn.create_change_set(StackName="kinds", ChangeSetName="r", TemplateBody=REPLACED.replace("Kind: K", "Kind: new"))
cfn.get_waiter("change_set_create_complete").wait(StackName="kinds", ChangeSetName="r", WaiterConfig=WAIT)
for c in cfn.describe_change_set(StackName="kinds", ChangeSetName="r", IncludePropertyValues=True)["Changes"]:
    rc = c["ResourceChange"]
    print(rc["LogicalResourceId"], rc["Action"], rc["Replacement"], rc.get("PolicyAction"), rc["Scope"])
    for d in rc["Details"]:
        print("", d["ChangeSource"], d["Evaluation"], d.get("CausingEntity"), sorted(d["Target"].items()))
cfn.execute_change_set(StackName="kinds", ChangeSetName="r")
cfn.get_waiter("stack_update_complete").wait(StackName="kinds", WaiterConfig=WAIT)
for e in reversed(cfn.describe_stack_events(StackName="kinds")["StackEvents"][:12]):
    print(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"))
detection = cfn.detect_stack_drift(StackName="kinds")["StackDriftDetectionId"]
status = cfn.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
print(status["DetectionStatus"], status["StackDriftStatus"], status["DriftedStackResourceCount"])
for d in cfn.describe_stack_resource_drifts(StackName="kinds")["StackResourceDrifts"]:
    print(d["LogicalResourceId"], d["StackResourceDriftStatus"], d["PropertyDifferences"], d["ExpectedProperties"] != "")
print(len(cfn.describe_events(StackName="kinds")["OperationEvents"]) > 10)
print(cfn.estimate_template_cost(TemplateBody=TEMPLATE)["Url"])

for call in (
    lambda: cfn.describe_stacks(StackName="boto"),
    lambda: cfn.describe_change_set(StackName=stack["StackId"], ChangeSetName="nope"),
    lambda: cfn.list_stack_refactors(),
):
    try:
        call()
    except ClientError as e:
        print(e.response["ResponseMetadata"]["HTTPStatusCode"], str(e).replace(stack["StackId"], "ARN"))
