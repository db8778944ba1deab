package cloudformation

import (
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
)

// express tells whether a request asks for Express mode.
func express(c *api.DeploymentConfig) bool {
	return c != nil && c.Mode == api.DeploymentConfigModeExpress
}

// keepFailures tells whether a request wants its operation not to be rolled back. In
// Express mode that is so unless it says otherwise. given is the DisableRollback of
// the request itself; both may not be given.
func keepFailures(c *api.DeploymentConfig, given *bool) (bool, error) {
	switch {
	case c != nil && c.DisableRollback != nil && given != nil:
		return false, invalid("You can specify either DisableRollback or DeploymentConfig.DisableRollback, but not both.")
	case given != nil:
		return *given, nil
	case c != nil && c.DisableRollback != nil:
		return *c.DisableRollback, nil
	}
	return express(c), nil
}

// deploymentConfigView shows the mode of a stack's operation; STANDARD goes without
// saying.
func deploymentConfigView(isExpress, disableRollback bool) *api.DeploymentConfig {
	if !isExpress {
		return nil
	}
	return &api.DeploymentConfig{Mode: api.DeploymentConfigModeExpress, DisableRollback: aws.Ptr(disableRollback)}
}

// nestedMode is the mode that a stack hands down to those nested in it.
func nestedMode(parent *stack.Stack) *api.DeploymentConfig {
	if !parent.Express {
		return nil
	}
	return &api.DeploymentConfig{Mode: api.DeploymentConfigModeExpress}
}
