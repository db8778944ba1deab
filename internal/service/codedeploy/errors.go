package codedeploy

import (
	"net/http"
	"regexp"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// How much a call takes at once, and what there can be, as on AWS.
const (
	maxNames       = 100 // applications, deployment groups, instances to tag
	maxBatch       = 25  // anything else
	maxApplication = 1000
	maxGroups      = 1000 // of an application
	maxConfigs     = 200
)

func checkBatch(given, limit int) error {
	if given > limit {
		return awserr.New("BatchLimitExceededException", "The maximum number of names or IDs allowed for this request (%d) was exceeded.", limit)
	}
	return nil
}

// checkRoom refuses one more where there are already as many as there may be.
func checkRoom(there, limit int, code, what string) error {
	if there >= limit {
		return awserr.New(code, "The maximum number of %s (%d) was exceeded.", what, limit)
	}
	return nil
}

var (
	errApplicationNameRequired = awserr.New("ApplicationNameRequiredException", "Application name is required")
	errGroupNameRequired       = awserr.New("DeploymentGroupNameRequiredException", "Deployment group name is required")
	errRoleRequired            = awserr.New("RoleRequiredException", "Service role is required")
	errRevisionRequired        = awserr.New("RevisionRequiredException", "RevisionLocation must be specified")
	errDeploymentIDRequired    = awserr.New("DeploymentIdRequiredException", "Deployment ID is required")
	errConfigNameRequired      = awserr.New("DeploymentConfigNameRequiredException", "Deployment configuration name is required")
	errTagRequired             = awserr.New("TagRequiredException", "A tag was not specified.")
	errInstanceIDRequired      = awserr.New("InstanceIdRequiredException", "The instance ID was not specified.")
	errInvalidNextToken        = awserr.New("InvalidNextTokenException", "The next token was specified in an invalid format.")
	errTagCombination          = awserr.New("InvalidEC2TagCombinationException",
		"A call was submitted that specified both Ec2TagFilters and Ec2TagSet, but only one of these data types can be used in a single call.")
	errOnPremisesTagCombination = awserr.New("InvalidOnPremisesTagCombinationException",
		"A call was submitted that specified both OnPremisesTagFilters and OnPremisesTagSet, but only one of these data types can be used in a single call.")
)

func errNoApplication(name string) error {
	return awserr.New("ApplicationDoesNotExistException", "No application found for name: %s", name)
}

func errNoGroup(name string) error {
	return awserr.New("DeploymentGroupDoesNotExistException", "No Deployment Group found for name: %s", name)
}

func errNoConfig(name string) error {
	return awserr.New("DeploymentConfigDoesNotExistException", "No Deployment Configuration found for name: %s", name)
}

func errNoDeployment(id string) error {
	return awserr.New("DeploymentDoesNotExistException", "The deployment %s could not be found", id)
}

// errUnbuilt refuses a member whose meaning is not built: it is never accepted
// and ignored.
func errUnbuilt(operation, member string) error {
	return awserr.Status(http.StatusNotImplemented, "NotImplemented",
		"hardstand does not implement %s of codedeploy:%s.", member, operation)
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._+=,@-]{1,100}$`)

func checkApplicationName(name *string) (string, error) {
	if aws.Val(name) == "" {
		return "", errApplicationNameRequired
	}
	if !namePattern.MatchString(*name) {
		return "", awserr.New("InvalidApplicationNameException", "Application name %s is invalid: it may have 1 to 100 of the characters A-Z a-z 0-9 . _ + = , @ -", *name)
	}
	return *name, nil
}

func checkGroupName(name *string) (string, error) {
	if aws.Val(name) == "" {
		return "", errGroupNameRequired
	}
	if !namePattern.MatchString(*name) {
		return "", awserr.New("InvalidDeploymentGroupNameException", "Deployment group name %s is invalid: it may have 1 to 100 of the characters A-Z a-z 0-9 . _ + = , @ -", *name)
	}
	return *name, nil
}

func checkConfigName(name *string) (string, error) {
	if aws.Val(name) == "" {
		return "", errConfigNameRequired
	}
	if !namePattern.MatchString(*name) {
		return "", awserr.New("InvalidDeploymentConfigNameException", "Deployment configuration name %s is invalid: it may have 1 to 100 of the characters A-Z a-z 0-9 . _ + = , @ -", *name)
	}
	return *name, nil
}

var deploymentPattern = regexp.MustCompile(`^d-[A-Z0-9]{9}$`)

func checkDeploymentID(id *string) (string, error) {
	if aws.Val(id) == "" {
		return "", errDeploymentIDRequired
	}
	if !deploymentPattern.MatchString(*id) {
		return "", awserr.New("InvalidDeploymentIdException", "Specified DeploymentId is not in the valid format: %s", *id)
	}
	return *id, nil
}
