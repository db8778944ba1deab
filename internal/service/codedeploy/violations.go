package codedeploy

import (
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// violationCodes are the exceptions for what a member of an input may not be, where
// the member's name alone does not tell: CodeDeploy holds enumerations against
// exceptions of its own. The first that the operation has is meant.
var violationCodes = map[string][]string{
	"newApplicationName":               {"InvalidApplicationNameException"},
	"applicationNames":                 {"InvalidApplicationNameException"},
	"currentDeploymentGroupName":       {"InvalidDeploymentGroupNameException"},
	"newDeploymentGroupName":           {"InvalidDeploymentGroupNameException"},
	"deploymentGroupNames":             {"InvalidDeploymentGroupNameException"},
	"instanceNames":                    {"InvalidInstanceNameException"},
	"ec2TagFilters":                    {"InvalidEC2TagException"},
	"ec2TagSet":                        {"InvalidEC2TagException"},
	"onPremisesInstanceTagFilters":     {"InvalidTagException"},
	"onPremisesTagSet":                 {"InvalidTagException"},
	"tags":                             {"InvalidTagsToAddException", "InvalidTagException"},
	"Tags":                             {"InvalidTagsToAddException"},
	"triggerConfigurations":            {"InvalidTriggerConfigException"},
	"alarmConfiguration":               {"InvalidAlarmConfigException"},
	"overrideAlarmConfiguration":       {"InvalidAlarmConfigException"},
	"autoRollbackConfiguration":        {"InvalidAutoRollbackConfigException"},
	"deploymentStyle":                  {"InvalidDeploymentStyleException"},
	"blueGreenDeploymentConfiguration": {"InvalidBlueGreenDeploymentConfigurationException"},
	"loadBalancerInfo":                 {"InvalidLoadBalancerInfoException"},
	"outdatedInstancesStrategy":        {"InvalidInputException"},
	"revision":                         {"InvalidRevisionException"},
	"revisions":                        {"InvalidRevisionException"},
	"targetInstances":                  {"InvalidTargetInstancesException"},
	"minimumHealthyHosts":              {"InvalidMinimumHealthyHostValueException"},
	"trafficRoutingConfig":             {"InvalidTrafficRoutingConfigurationException"},
	"zonalConfig":                      {"InvalidZonalDeploymentConfigurationException"},
	"includeOnlyStatuses":              {"InvalidDeploymentStatusException"},
	"createTimeRange":                  {"InvalidTimeRangeException"},
	"instanceStatusFilter":             {"InvalidInstanceStatusException"},
	"instanceTypeFilter":               {"InvalidInstanceTypeException"},
	"targetFilters":                    {"InvalidTargetFilterNameException"},
	"tagFilters":                       {"InvalidTagFilterException"},
	"deployed":                         {"InvalidDeployedStateFilterException"},
	"status":                           {"InvalidLifecycleEventHookExecutionStatusException"},
}

// requiredCodes are the exceptions for members that are missing, where their names do
// not tell either.
var requiredCodes = map[string]string{
	"applicationNames": "ApplicationNameRequiredException", "currentDeploymentGroupName": "DeploymentGroupNameRequiredException",
	"deploymentGroupNames": "DeploymentGroupNameRequiredException", "deploymentIds": "DeploymentIdRequiredException",
	"instanceIds": "InstanceIdRequiredException", "instanceNames": "InstanceNameRequiredException",
	"revisions": "RevisionRequiredException", "serviceRoleArn": "RoleRequiredException",
	"tags": "TagRequiredException", "Tags": "TagRequiredException", "TagKeys": "TagRequiredException",
	"targetId": "DeploymentTargetIdRequiredException", "targetIds": "DeploymentTargetIdRequiredException",
}

// CodeDeploy's words for styles.
const (
	styleMissing = "Deployment type or deployment option cannot be null or empty"
	optionWrong  = "Deployment option can only be WITH_TRAFFIC_CONTROL or WITHOUT_TRAFFIC_CONTROL"
	typeWrong    = "Deployment type can only be IN_PLACE or BLUE_GREEN"
)

// violated says what is wrong with an input as CodeDeploy does; nil leaves it to the
// general rule.
func violated(op *model.Operation, list []validate.Violation) error {
	v := list[0]
	root, _, _ := strings.Cut(v.Path, ".")
	if v.Kind == validate.Required && v.Path == root {
		if code := requiredCodes[root]; code != "" {
			return awserr.New(code, "The parameter %s is required.", root)
		}
		return nil
	}
	for _, code := range violationCodes[root] {
		if !slices.ContainsFunc(op.Errors, func(sh *model.Shape) bool { return sh.ErrorCode == code }) {
			continue
		}
		switch v.Path {
		case "deploymentStyle.deploymentOption":
			return awserr.New(code, optionWrong)
		case "deploymentStyle.deploymentType":
			return awserr.New(code, typeWrong)
		}
		return awserr.New(code, "The value '%s' of %s is not valid: %s.", v.Value, v.Path, v.Must)
	}
	return nil
}
