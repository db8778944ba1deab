package codedeploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// raw calls an operation with the members of its JSON, as a client sends them that
// checks nothing itself.
func (w *world) raw(operation, body string) error {
	w.t.Helper()
	for _, op := range w.s.Wire().Operations {
		if op.Name == operation {
			in := op.New()
			if err := codec.DecodeJSON([]byte(body), api.Model().Operations[operation].Input, in, true); err != nil {
				w.t.Fatalf("%s: %v", body, err)
			}
			_, err := w.server.Invoke(as("deployer"), "codedeploy", operation, in)
			return err
		}
	}
	w.t.Fatalf("no operation %s", operation)
	return nil
}

// Each operation that takes a name: what it answers when the name is missing, what no
// name can be, or the name of nothing. - stands for an answer without an error.
func TestNamesOfNothing(t *testing.T) {
	const (
		noApp    = "ApplicationDoesNotExistException"
		badApp   = "InvalidApplicationNameException"
		needApp  = "ApplicationNameRequiredException"
		noGroup  = "DeploymentGroupDoesNotExistException"
		badGroup = "InvalidDeploymentGroupNameException"
		noDep    = "DeploymentDoesNotExistException"
		badDep   = "InvalidDeploymentIdException"
		needDep  = "DeploymentIdRequiredException"
		noBox    = "InstanceNotRegisteredException"
		badBox   = "InvalidInstanceNameException"
		needBox  = "InstanceNameRequiredException"
		noCfg    = "DeploymentConfigDoesNotExistException"
		badCfg   = "InvalidDeploymentConfigNameException"
		needCfg  = "DeploymentConfigNameRequiredException"
		rev      = `"revision": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}`
		revs     = `"revisions": [{"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}]`
		role     = `"serviceRoleArn": "` + roleARN + `"`
		tags     = `"tags": [{"Key": "k", "Value": "v"}]`
	)
	// %s is where the name goes; in lists too.
	rows := []struct{ operation, body, missing, malformed, absent string }{
		{"CreateApplication", `{"applicationName": %s}`, needApp, badApp, "-"},
		{"GetApplication", `{"applicationName": %s}`, needApp, badApp, noApp},
		{"BatchGetApplications", `{"applicationNames": [%s]}`, needApp, badApp, noApp},
		{"UpdateApplication", `{"applicationName": %s, "newApplicationName": "n"}`, needApp, badApp, noApp},
		{"UpdateApplication", `{"applicationName": "a", "newApplicationName": %s}`, needApp, badApp, "-"},
		{"DeleteApplication", `{"applicationName": %s}`, needApp, badApp, "-"},
		{"RegisterApplicationRevision", `{"applicationName": %s, ` + rev + `}`, needApp, badApp, noApp},
		{"GetApplicationRevision", `{"applicationName": %s, ` + rev + `}`, needApp, badApp, noApp},
		{"BatchGetApplicationRevisions", `{"applicationName": %s, ` + revs + `}`, needApp, badApp, noApp},
		{"ListApplicationRevisions", `{"applicationName": %s}`, needApp, badApp, noApp},
		{"CreateDeploymentGroup", `{"applicationName": %s, "deploymentGroupName": "h", ` + role + `}`, needApp, badApp, noApp},
		{"CreateDeploymentGroup", `{"applicationName": "b", "deploymentGroupName": %s, ` + role + `}`, "DeploymentGroupNameRequiredException", badGroup, "-"},
		{"CreateDeploymentGroup", `{"applicationName": "b", "deploymentGroupName": "h", "deploymentConfigName": %s, ` + role + `}`, "-", badCfg, noCfg},
		{"UpdateDeploymentGroup", `{"applicationName": %s, "currentDeploymentGroupName": "g"}`, needApp, badApp, noApp},
		{"UpdateDeploymentGroup", `{"applicationName": "b", "currentDeploymentGroupName": %s}`, "DeploymentGroupNameRequiredException", badGroup, noGroup},
		{"UpdateDeploymentGroup", `{"applicationName": "b", "currentDeploymentGroupName": "g", "deploymentConfigName": %s}`, "-", badCfg, noCfg},
		{"GetDeploymentGroup", `{"applicationName": %s, "deploymentGroupName": "g"}`, needApp, badApp, noApp},
		{"GetDeploymentGroup", `{"applicationName": "b", "deploymentGroupName": %s}`, "DeploymentGroupNameRequiredException", badGroup, noGroup},
		{"BatchGetDeploymentGroups", `{"applicationName": %s, "deploymentGroupNames": ["g"]}`, needApp, badApp, noApp},
		{"BatchGetDeploymentGroups", `{"applicationName": "b", "deploymentGroupNames": [%s]}`, "DeploymentGroupNameRequiredException", badGroup, "-"},
		{"ListDeploymentGroups", `{"applicationName": %s}`, needApp, badApp, noApp},
		{"DeleteDeploymentGroup", `{"applicationName": %s, "deploymentGroupName": "g"}`, needApp, badApp, "-"},
		{"DeleteDeploymentGroup", `{"applicationName": "b", "deploymentGroupName": %s}`, "DeploymentGroupNameRequiredException", badGroup, "-"},
		{"CreateDeployment", `{"applicationName": %s}`, needApp, badApp, noApp},
		{"CreateDeployment", `{"applicationName": "b", "deploymentGroupName": %s}`, "DeploymentGroupNameRequiredException", badGroup, noGroup},
		{"CreateDeployment", `{"applicationName": "b", "deploymentGroupName": "g", "deploymentConfigName": %s, ` + rev + `}`, "-", badCfg, noCfg},
		{"ListDeployments", `{"applicationName": %s, "deploymentGroupName": "g"}`, needApp, badApp, noApp},
		{"ListDeployments", `{"applicationName": "b", "deploymentGroupName": %s}`, "DeploymentGroupNameRequiredException", badGroup, noGroup},
		{"GetDeployment", `{"deploymentId": %s}`, needDep, badDep, noDep},
		{"BatchGetDeployments", `{"deploymentIds": [%s]}`, needDep, badDep, "-"},
		{"StopDeployment", `{"deploymentId": %s}`, needDep, badDep, noDep},
		{"ContinueDeployment", `{"deploymentId": %s}`, needDep, badDep, noDep},
		{"SkipWaitTimeForInstanceTermination", `{"deploymentId": %s}`, needDep, badDep, noDep},
		{"PutLifecycleEventHookExecutionStatus", `{"deploymentId": %s, "status": "Failed"}`, needDep, badDep, noDep},
		{"ListDeploymentTargets", `{"deploymentId": %s}`, needDep, badDep, noDep},
		{"GetDeploymentTarget", `{"deploymentId": %s, "targetId": "i-1"}`, needDep, badDep, noDep},
		{"GetDeploymentTarget", `{"deploymentId": "$d", "targetId": %s}`, "DeploymentTargetIdRequiredException", "DeploymentTargetDoesNotExistException", "DeploymentTargetDoesNotExistException"},
		{"BatchGetDeploymentTargets", `{"deploymentId": %s, "targetIds": ["i-1"]}`, needDep, badDep, noDep},
		{"BatchGetDeploymentTargets", `{"deploymentId": "$d", "targetIds": [%s]}`, "DeploymentTargetIdRequiredException", "DeploymentTargetDoesNotExistException", "DeploymentTargetDoesNotExistException"},
		{"ListDeploymentInstances", `{"deploymentId": %s}`, needDep, badDep, noDep},
		{"GetDeploymentInstance", `{"deploymentId": %s, "instanceId": "i-1"}`, needDep, badDep, noDep},
		{"GetDeploymentInstance", `{"deploymentId": "$d", "instanceId": %s}`, "InstanceIdRequiredException", "InstanceDoesNotExistException", "InstanceDoesNotExistException"},
		{"BatchGetDeploymentInstances", `{"deploymentId": %s, "instanceIds": ["i-1"]}`, needDep, badDep, noDep},
		{"BatchGetDeploymentInstances", `{"deploymentId": "$d", "instanceIds": [%s]}`, "InstanceIdRequiredException", "-", "-"},
		{"GetDeploymentConfig", `{"deploymentConfigName": %s}`, needCfg, badCfg, noCfg},
		{"DeleteDeploymentConfig", `{"deploymentConfigName": %s}`, needCfg, badCfg, "-"},
		{"CreateDeploymentConfig", `{"deploymentConfigName": %s, "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}}`, needCfg, badCfg, "-"},
		{"RegisterOnPremisesInstance", `{"instanceName": %s, "iamUserArn": "` + userARN + `"}`, needBox, badBox, "-"},
		{"GetOnPremisesInstance", `{"instanceName": %s}`, needBox, badBox, noBox},
		{"BatchGetOnPremisesInstances", `{"instanceNames": [%s]}`, needBox, badBox, "-"},
		{"DeregisterOnPremisesInstance", `{"instanceName": %s}`, needBox, badBox, "-"},
		{"AddTagsToOnPremisesInstances", `{"instanceNames": [%s], ` + tags + `}`, needBox, badBox, noBox},
		{"RemoveTagsFromOnPremisesInstances", `{"instanceNames": [%s], ` + tags + `}`, needBox, badBox, noBox},
		{"ListTagsForResource", `{"ResourceArn": %s}`, "ResourceArnRequiredException", "InvalidArnException", "InvalidArnException"},
		{"TagResource", `{"ResourceArn": %s, "Tags": [{"Key": "k", "Value": "v"}]}`, "ResourceArnRequiredException", "InvalidArnException", "InvalidArnException"},
		{"UntagResource", `{"ResourceArn": %s, "TagKeys": ["k"]}`, "ResourceArnRequiredException", "InvalidArnException", "InvalidArnException"},
		{"DeleteGitHubAccountToken", `{"tokenName": %s}`, "GitHubAccountTokenNameRequiredException", "InvalidGitHubAccountTokenNameException", "GitHubAccountTokenDoesNotExistException"},
	}
	asked := map[string]bool{}
	for _, row := range rows {
		asked[row.operation] = true
		t.Run(row.operation+" "+row.body, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			must[api.UpdateApplicationOutput](w, "UpdateApplication", &api.UpdateApplicationInput{ApplicationName: aws.Ptr("a"), NewApplicationName: aws.Ptr("b")})
			must[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("a")})
			body := row.body
			if strings.Contains(body, "$d") {
				id := *must[api.CreateDeploymentOutput](w, "CreateDeployment", &api.CreateDeploymentInput{ApplicationName: aws.Ptr("b"), DeploymentGroupName: aws.Ptr("g"), Revision: revisionOf("v1")}).DeploymentId
				w.await(id, "targets", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
				body = strings.ReplaceAll(body, "$d", id)
			}
			with := func(name string) string { return fmt.Sprintf(body, name) }
			cases := []struct{ body, want string }{
				{fmt.Sprintf(strings.Replace(body, "[%s]", "%s", 1), "null"), row.missing},
				{with(`"no/name at all"`), row.malformed},
				{with(`"d-ABCDEFGHI"`), row.absent},
			}
			if strings.Contains(body, "[%s]") {
				cases = append(cases, struct{ body, want string }{with(""), row.missing})
			}
			for _, tc := range cases {
				switch err := w.raw(row.operation, tc.body); {
				case tc.want == "-" && err != nil:
					t.Errorf("%s: %v, want no error", tc.body, err)
				case tc.want != "-" && !awserr.Is(err, tc.want):
					t.Errorf("%s: %v, want %s", tc.body, err, tc.want)
				}
			}
		})
	}
	// Lists of everything take no name; this one belongs to another platform.
	free := []string{"ListApplications", "ListDeploymentConfigs", "ListOnPremisesInstances", "ListGitHubAccountTokenNames", "DeleteResourcesByExternalId"}
	for _, op := range newWorld(t).s.Wire().Operations {
		if asked[op.Name] == slices.Contains(free, op.Name) {
			t.Errorf("%s takes a name and has no row, or the other way round", op.Name)
		}
	}
}

// Values that an enumeration or a limit excludes have exceptions of their own.
func TestValuesThatAreNone(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	id := w.deploy("v1")
	w.await(id, "targets", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.InProgress == 1 })
	group := func(members string) string {
		return `{"applicationName": "a", "deploymentGroupName": "h", "serviceRoleArn": "` + roleARN + `", ` + members + `}`
	}
	deploy := func(members string) string {
		return `{"applicationName": "a", "deploymentGroupName": "g", ` + members + `}`
	}
	many := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+", ", n), ", ") }
	const s3 = `{"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}`
	tests := []struct{ operation, body, code string }{
		{"CreateApplication", `{"applicationName": "x", "computePlatform": "Moon"}`, "InvalidComputePlatformException"},
		{"CreateApplication", `{"applicationName": "x", "tags": [{"Key": "", "Value": "v"}]}`, "InvalidTagsToAddException"},
		{"CreateApplication", `{"applicationName": "` + strings.Repeat("x", 101) + `"}`, "InvalidApplicationNameException"},
		{"UpdateApplication", `{"applicationName": "a", "newApplicationName": "` + strings.Repeat("x", 101) + `"}`, "InvalidApplicationNameException"},
		{"CreateDeploymentGroup", group(`"deploymentStyle": {"deploymentType": "IN_PLACE"}`), "InvalidDeploymentStyleException"},
		{"CreateDeploymentGroup", group(`"deploymentStyle": {"deploymentType": "IN_PLACE", "deploymentOption": "Yes"}`), "InvalidDeploymentStyleException"},
		{"CreateDeploymentGroup", group(`"ec2TagFilters": [{"Key": "k", "Type": "KEY"}]`), "InvalidEC2TagException"},
		{"CreateDeploymentGroup", group(`"ec2TagFilters": [` + many(11, `{"Key": "k", "Type": "KEY_ONLY"}`) + `]`), "InvalidEC2TagException"},
		{"CreateDeploymentGroup", group(`"ec2TagSet": {"ec2TagSetList": [` + many(4, `[{"Key": "k", "Type": "KEY_ONLY"}]`) + `]}`), "TagSetListLimitExceededException"},
		{"CreateDeploymentGroup", group(`"onPremisesInstanceTagFilters": [{"Key": "k", "Type": "KEY"}]`), "InvalidTagException"},
		{"CreateDeploymentGroup", group(`"triggerConfigurations": [{"triggerName": "t", "triggerTargetArn": "arn:aws:sns:us-east-1:123456789012:t", "triggerEvents": ["DeploymentOver"]}]`), "InvalidTriggerConfigException"},
		{"CreateDeploymentGroup", group(`"autoRollbackConfiguration": {"enabled": true, "events": ["DEPLOYMENT"]}`), "InvalidAutoRollbackConfigException"},
		{"CreateDeploymentGroup", group(`"outdatedInstancesStrategy": "LEAVE"`), "InvalidInputException"},
		{"CreateDeploymentGroup", group(`"deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}, "blueGreenDeploymentConfiguration": {"greenFleetProvisioningOption": {"action": "FIND"}}`), "InvalidBlueGreenDeploymentConfigurationException"},
		{"UpdateDeploymentGroup", `{"applicationName": "a", "currentDeploymentGroupName": "g", "newDeploymentGroupName": "` + strings.Repeat("x", 101) + `"}`, "InvalidDeploymentGroupNameException"},
		{"UpdateDeploymentGroup", `{"applicationName": "a", "currentDeploymentGroupName": "g", "serviceRoleArn": "arn:aws:iam::123456789012:user/u"}`, "InvalidRoleException"},
		{"CreateDeployment", deploy(`"revision": {"revisionType": "FTP"}`), "InvalidRevisionException"},
		{"CreateDeployment", deploy(`"revision": {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "rar"}}`), "InvalidRevisionException"},
		{"CreateDeployment", deploy(`"revision": {"revisionType": "S3"}`), "InvalidRevisionException"},
		{"CreateDeployment", deploy(`"revision": {"revisionType": "GitHub", "gitHubLocation": {"repository": "site", "commitId": "c"}}`), "InvalidRevisionException"},
		{"CreateDeployment", deploy(`"revision": {"revisionType": "String", "string": {"content": "x"}}`), "InvalidRevisionException"},
		{"CreateDeployment", deploy(`"revision": ` + s3 + `, "fileExistsBehavior": "ASK"`), "InvalidFileExistsBehaviorException"},
		{"CreateDeployment", deploy(`"revision": ` + s3 + `, "description": "` + strings.Repeat("x", 257) + `"`), "DescriptionTooLongException"},
		{"CreateDeployment", deploy(`"revision": ` + s3 + `, "autoRollbackConfiguration": {"enabled": true}`), "InvalidAutoRollbackConfigException"},
		{"CreateDeployment", deploy(`"revision": ` + s3), "DeploymentLimitExceededException"},
		{"RegisterApplicationRevision", `{"applicationName": "a", "revision": ` + s3 + `, "description": "` + strings.Repeat("x", 257) + `"}`, "DescriptionTooLongException"},
		{"RegisterApplicationRevision", `{"applicationName": "a"}`, "RevisionRequiredException"},
		{"GetApplicationRevision", `{"applicationName": "a"}`, "RevisionRequiredException"},
		{"BatchGetApplicationRevisions", `{"applicationName": "a", "revisions": []}`, "RevisionRequiredException"},
		{"BatchGetApplicationRevisions", `{"applicationName": "a", "revisions": [{"revisionType": "S3"}]}`, "InvalidRevisionException"},
		{"BatchGetApplicationRevisions", `{"applicationName": "a", "revisions": [` + many(26, s3) + `]}`, "BatchLimitExceededException"},
		{"BatchGetApplications", `{"applicationNames": [` + many(101, `"a"`) + `]}`, "BatchLimitExceededException"},
		{"BatchGetDeploymentGroups", `{"applicationName": "a", "deploymentGroupNames": [` + many(101, `"g"`) + `]}`, "BatchLimitExceededException"},
		{"BatchGetDeployments", `{"deploymentIds": [` + many(26, `"`+id+`"`) + `]}`, "BatchLimitExceededException"},
		{"BatchGetDeploymentInstances", `{"deploymentId": "` + id + `", "instanceIds": [` + many(26, `"i-1"`) + `]}`, "BatchLimitExceededException"},
		{"BatchGetDeploymentTargets", `{"deploymentId": "` + id + `", "targetIds": [` + many(26, `"i-1"`) + `]}`, "DeploymentTargetListSizeExceededException"},
		{"BatchGetOnPremisesInstances", `{"instanceNames": [` + many(26, `"x"`) + `]}`, "BatchLimitExceededException"},
		{"AddTagsToOnPremisesInstances", `{"instanceNames": [` + many(101, `"x"`) + `], "tags": [{"Key": "k", "Value": "v"}]}`, "InstanceLimitExceededException"},
		{"CreateDeploymentConfig", `{"deploymentConfigName": "c"}`, "InvalidMinimumHealthyHostValueException"},
		{"CreateDeploymentConfig", `{"deploymentConfigName": "c", "minimumHealthyHosts": {"type": "HOSTS", "value": 1}}`, "InvalidMinimumHealthyHostValueException"},
		{"CreateDeploymentConfig", `{"deploymentConfigName": "c", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": -1}}`, "InvalidMinimumHealthyHostValueException"},
		{"CreateDeploymentConfig", `{"deploymentConfigName": "c", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}, "zonalConfig": {"minimumHealthyHostsPerZone": {"type": "HOSTS", "value": 1}}}`, "InvalidZonalDeploymentConfigurationException"},
		{"CreateDeploymentConfig", `{"deploymentConfigName": "c", "minimumHealthyHosts": {"type": "HOST_COUNT", "value": 1}, "computePlatform": "Moon"}`, "InvalidComputePlatformException"},
		{"DeleteDeploymentConfig", `{"deploymentConfigName": "CodeDeployDefault.OneAtATime"}`, "InvalidOperationException"},
		{"ListDeployments", `{"includeOnlyStatuses": ["Over"]}`, "InvalidDeploymentStatusException"},
		{"ListDeployments", `{"createTimeRange": {"start": 2000000000, "end": 1000000000}}`, "InvalidTimeRangeException"},
		{"ListDeploymentInstances", `{"deploymentId": "` + id + `", "instanceStatusFilter": ["Over"]}`, "InvalidInstanceStatusException"},
		{"ListDeploymentInstances", `{"deploymentId": "` + id + `", "instanceTypeFilter": ["Red"]}`, "InvalidInstanceTypeException"},
		{"ListDeploymentInstances", `{"deploymentId": "` + id + `", "instanceTypeFilter": ["Blue"]}`, "InvalidDeploymentInstanceTypeException"},
		{"ListDeploymentTargets", `{"deploymentId": "` + id + `", "targetFilters": {"Color": ["x"]}}`, "InvalidTargetFilterNameException"},
		{"ListDeploymentTargets", `{"deploymentId": "` + id + `", "targetFilters": {"TargetStatus": ["Over"]}}`, "InvalidInstanceStatusException"},
		{"ListDeploymentTargets", `{"deploymentId": "` + id + `", "targetFilters": {"ServerInstanceLabel": ["Red"]}}`, "InvalidInstanceTypeException"},
		{"ListDeploymentTargets", `{"deploymentId": "` + id + `", "targetFilters": {"ServerInstanceLabel": ["Blue"]}}`, "InvalidDeploymentInstanceTypeException"},
		{"ListApplicationRevisions", `{"applicationName": "a", "sortBy": "size"}`, "InvalidSortByException"},
		{"ListApplicationRevisions", `{"applicationName": "a", "sortOrder": "up"}`, "InvalidSortOrderException"},
		{"ListApplicationRevisions", `{"applicationName": "a", "deployed": "maybe"}`, "InvalidDeployedStateFilterException"},
		{"ListApplicationRevisions", `{"applicationName": "a", "s3KeyPrefix": "x"}`, "BucketNameFilterRequiredException"},
		{"ListOnPremisesInstances", `{"registrationStatus": "Gone"}`, "InvalidRegistrationStatusException"},
		{"ListOnPremisesInstances", `{"tagFilters": [{"Key": "k", "Type": "KEY"}]}`, "InvalidTagFilterException"},
		{"PutLifecycleEventHookExecutionStatus", `{"deploymentId": "` + id + `", "status": "Over"}`, "InvalidLifecycleEventHookExecutionStatusException"},
		{"ContinueDeployment", `{"deploymentId": "` + id + `", "deploymentWaitType": "LONG"}`, "InvalidDeploymentWaitTypeException"},
		{"ContinueDeployment", `{"deploymentId": "` + id + `"}`, "UnsupportedActionForDeploymentTypeException"},
		{"TagResource", `{"ResourceArn": "arn:aws:codedeploy:us-east-1:123456789012:application:x", "Tags": [{"Key": "k", "Value": "v"}]}`, "ApplicationDoesNotExistException"},
		{"TagResource", `{"ResourceArn": "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:a/x", "Tags": [{"Key": "k", "Value": "v"}]}`, "DeploymentGroupDoesNotExistException"},
		{"TagResource", `{"ResourceArn": "arn:aws:codedeploy:us-east-1:999999999999:application:a", "Tags": [{"Key": "k", "Value": "v"}]}`, "ArnNotSupportedException"},
		{"TagResource", `{"ResourceArn": "arn:aws:codedeploy:us-east-1:123456789012:application:a", "Tags": []}`, "TagRequiredException"},
		{"UntagResource", `{"ResourceArn": "arn:aws:codedeploy:us-east-1:123456789012:application:a", "TagKeys": []}`, "TagRequiredException"},
	}
	for _, list := range []string{"ListApplications", "ListDeploymentConfigs", "ListDeployments", "ListOnPremisesInstances", "ListGitHubAccountTokenNames"} {
		tests = append(tests, struct{ operation, body, code string }{list, `{"nextToken": "x"}`, "InvalidNextTokenException"})
	}
	for list, name := range map[string]string{"ListDeploymentGroups": `"applicationName": "a"`, "ListApplicationRevisions": `"applicationName": "a"`,
		"ListDeploymentTargets": `"deploymentId": "` + id + `"`, "ListDeploymentInstances": `"deploymentId": "` + id + `"`} {
		tests = append(tests, struct{ operation, body, code string }{list, `{` + name + `, "nextToken": "x"}`, "InvalidNextTokenException"})
	}
	for _, tc := range tests {
		t.Run(tc.operation+" "+tc.code, func(t *testing.T) {
			if err := w.raw(tc.operation, tc.body); !awserr.Is(err, tc.code) {
				t.Errorf("%s: %v", tc.body, err)
			}
		})
	}
}

// There can be as many as AWS lets there be.
func TestLimits(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	fillUp := func(n int, put func(tx *store.Tx, i int) error) {
		t.Helper()
		err := w.db.Update(t.Context(), func(tx *store.Tx) error {
			for i := range n {
				if err := put(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	k := func(i int) store.Key { return store.Key{Account: account, Region: region, ID: fmt.Sprint("x", i)} }
	app := must[api.GetApplicationOutput](w, "GetApplication", &api.GetApplicationInput{ApplicationName: aws.Ptr("a")}).Application
	fillUp(maxGroups-1, func(tx *store.Tx, i int) error {
		return groups.Put(tx, k(i), &group{ID: k(i).ID, Name: k(i).ID, ApplicationID: *app.ApplicationId})
	})
	_, err := call[api.CreateDeploymentGroupOutput](w, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("h"), ServiceRoleArn: aws.Ptr(roleARN)})
	wantCode(t, err, "DeploymentGroupLimitExceededException", "The maximum number of deployment groups of an application (1000) was exceeded.")
	fillUp(maxApplication-1, func(tx *store.Tx, i int) error {
		return applications.Put(tx, k(i), &application{ID: k(i).ID, Name: k(i).ID})
	})
	_, err = call[api.CreateApplicationOutput](w, "CreateApplication", &api.CreateApplicationInput{ApplicationName: aws.Ptr("b")})
	wantCode(t, err, "ApplicationLimitExceededException", "")
	fillUp(maxConfigs, func(tx *store.Tx, i int) error { return configs.Put(tx, k(i), &config{Name: k(i).ID}) })
	_, err = call[api.CreateDeploymentConfigOutput](w, "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{DeploymentConfigName: aws.Ptr("c"),
		MinimumHealthyHosts: &api.MinimumHealthyHosts{Type: api.MinimumHealthyHostsTypeHostCount, Value: aws.Ptr[int32](0)}})
	wantCode(t, err, "DeploymentConfigLimitExceededException", "")
}

// Filters and tag sets replace each other; an empty list of one leaves the other, which
// is what Terraform sends when it moves from one to the other.
func TestChangesOfSelection(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	filters := `"ec2TagFilters": [{"Key": "k", "Type": "KEY_ONLY"}]`
	set := `"ec2TagSet": {"ec2TagSetList": [[{"Key": "k", "Type": "KEY_ONLY"}]]}`
	for _, tc := range []struct {
		members       string
		filters, sets int
	}{
		{set + `, "ec2TagFilters": []`, 0, 1},
		{filters + `, "ec2TagSet": {"ec2TagSetList": []}`, 1, 0},
		{set, 0, 1},
		{`"ec2TagFilters": []`, 0, 1},
		{filters, 1, 0},
		{`"ec2TagSet": {"ec2TagSetList": []}`, 1, 0},
		{`"ec2TagFilters": []`, 0, 0},
	} {
		if err := w.raw("UpdateDeploymentGroup", `{"applicationName": "a", "currentDeploymentGroupName": "g", `+tc.members+`}`); err != nil {
			t.Fatal(err)
		}
		g := must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo
		sets := 0
		if g.Ec2TagSet != nil {
			sets = len(g.Ec2TagSet.Ec2TagSetList)
		}
		if len(g.Ec2TagFilters) != tc.filters || sets != tc.sets {
			t.Errorf("%s: %d filters, %d sets", tc.members, len(g.Ec2TagFilters), sets)
		}
	}
}

// Deployments are found by their status and the time of their creation.
func TestDeploymentsByTimeAndStatus(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	w.agent("i-1", func(key, _ string) bool { return key == "bad" })
	begin := w.clock.Now()
	var ids []string
	for _, key := range []string{"v1", "bad", "v2"} {
		id := w.deploy(key)
		w.await(id, "an end", func(d *api.DeploymentInfo) bool { return d.CompleteTime != nil })
		ids = append(ids, id)
		w.clock.Advance(time.Hour)
	}
	at := func(h float64) *time.Time { return aws.Ptr(begin.Add(time.Duration(h * float64(time.Hour)))) }
	for _, tc := range []struct {
		name string
		in   api.ListDeploymentsInput
		want []string
	}{
		{"all, newest first", api.ListDeploymentsInput{}, []string{ids[2], ids[1], ids[0]}},
		{"failed", api.ListDeploymentsInput{IncludeOnlyStatuses: []api.DeploymentStatus{"Failed"}}, []string{ids[1]}},
		{"of two statuses", api.ListDeploymentsInput{IncludeOnlyStatuses: []api.DeploymentStatus{"Succeeded", "Stopped"}}, []string{ids[2], ids[0]}},
		{"from a time on", api.ListDeploymentsInput{CreateTimeRange: &api.TimeRange{Start: at(0.5)}}, []string{ids[2], ids[1]}},
		{"up to a time", api.ListDeploymentsInput{CreateTimeRange: &api.TimeRange{End: at(0.5)}}, []string{ids[0]}},
		{"between", api.ListDeploymentsInput{CreateTimeRange: &api.TimeRange{Start: at(0.5), End: at(1.5)}}, []string{ids[1]}},
		{"of the group", api.ListDeploymentsInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}, []string{ids[2], ids[1], ids[0]}},
	} {
		got := must[api.ListDeploymentsOutput](w, "ListDeployments", &tc.in).Deployments
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// What is deleted between the creation of a deployment and its beginning is named.
func TestDeletedBeforeTheBeginning(t *testing.T) {
	for _, tc := range []struct {
		operation, body string
		code            api.ErrorCode
	}{
		{"DeleteApplication", `{"applicationName": "a"}`, api.ErrorCodeApplicationMissing},
		{"DeleteDeploymentGroup", `{"applicationName": "a", "deploymentGroupName": "g"}`, api.ErrorCodeDeploymentGroupMissing},
	} {
		t.Run(tc.operation, func(t *testing.T) {
			w := newWorld(t, "i-1")
			w.setUp()
			w.stop() // nothing begins until it starts again
			id := w.deploy("v1")
			if err := w.raw(tc.operation, tc.body); err != nil {
				t.Fatal(err)
			}
			w.start()
			if d := w.awaitStatus(id, api.DeploymentStatusFailed); d.ErrorInformation.Code != tc.code {
				t.Errorf("%+v", d.ErrorInformation)
			}
		})
	}
}

// Tokens lead through all of a list, once and in its order, also when what they name
// has gone.
func TestTokens(t *testing.T) {
	w := newWorld(t, "i-1")
	w.setUp()
	g := *must[api.GetDeploymentGroupOutput](w, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g")}).DeploymentGroupInfo.DeploymentGroupId
	w.fakePast(g, 2*pageSize+30)
	first := "d-000000000"
	fill := func(tx *store.Tx) error {
		for i := range 2*pageSize + 30 {
			x := &target{DeploymentID: first, InstanceID: fmt.Sprintf("i-%09d", i), Status: api.TargetStatusSucceeded}
			if err := targets.Put(tx, targetKey(store.Key{Account: account, Region: region}, first, x.InstanceID), x); err != nil {
				return err
			}
			r := &revision{ApplicationID: "", Location: revisionOf(x.InstanceID), Registered: w.clock.Now()}
			app, err := findApplication(tx, aws.Call{Account: account, Region: region}, "a")
			if err != nil {
				return err
			}
			r.ApplicationID = app.ID
			if err := revisions.Put(tx, revisionKey(store.Key{Account: account, Region: region}, app.ID, r.Location), r); err != nil {
				return err
			}
		}
		return nil
	}
	if err := w.db.Update(t.Context(), fill); err != nil {
		t.Fatal(err)
	}
	pages := map[string]func(token *string) ([]string, *string){
		"deployments": func(token *string) ([]string, *string) {
			out := must[api.ListDeploymentsOutput](w, "ListDeployments", &api.ListDeploymentsInput{ApplicationName: aws.Ptr("a"), DeploymentGroupName: aws.Ptr("g"), NextToken: token})
			return out.Deployments, out.NextToken
		},
		"targets": func(token *string) ([]string, *string) {
			out := must[api.ListDeploymentTargetsOutput](w, "ListDeploymentTargets", &api.ListDeploymentTargetsInput{DeploymentId: &first, NextToken: token,
				TargetFilters: map[api.TargetFilterName][]string{api.TargetFilterNameTargetStatus: {"Succeeded"}}})
			return out.TargetIds, out.NextToken
		},
		"instances": func(token *string) ([]string, *string) {
			out := must[api.ListDeploymentInstancesOutput](w, "ListDeploymentInstances", &api.ListDeploymentInstancesInput{DeploymentId: &first, NextToken: token,
				InstanceStatusFilter: []api.InstanceStatus{api.InstanceStatusSucceeded}})
			return out.InstancesList, out.NextToken
		},
		"revisions": func(token *string) (keys []string, next *string) {
			out := must[api.ListApplicationRevisionsOutput](w, "ListApplicationRevisions", &api.ListApplicationRevisionsInput{ApplicationName: aws.Ptr("a"), NextToken: token})
			for _, r := range out.Revisions {
				keys = append(keys, *r.S3Location.Key)
			}
			return keys, out.NextToken
		},
	}
	for name, page := range pages {
		seen := map[string]bool{}
		var token *string
		for n := 0; n == 0 || token != nil; n++ {
			var list []string
			list, token = page(token)
			for _, x := range list {
				if seen[x] {
					t.Errorf("%s: %s twice", name, x)
				}
				seen[x] = true
			}
		}
		if len(seen) < 2*pageSize+30 {
			t.Errorf("%s: %d", name, len(seen))
		}
	}
}
