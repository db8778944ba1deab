package codedeploy

import (
	"context"
	"fmt"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// asRole returns a context in which CodeDeploy calls EC2 as the group's service
// role.
func (s *Service) asRole(ctx context.Context, k store.Key, role, operation string) (context.Context, *cause) {
	// No Service is in between: the role's session calls for itself.
	c := aws.Call{Account: k.Account, Region: k.Region, RequestID: ids.UUID(), Operation: operation,
		UserAgent: servicePrincipal, Secure: true}
	p, err := s.roles.AssumeServiceRole(aws.WithCall(ctx, c), role, servicePrincipal)
	if err != nil {
		return nil, roleCause(role, err)
	}
	c.Principal = p
	return aws.WithCall(ctx, c), nil
}

// terminateBlue terminates the original instances when that is due, before the
// step that notes it: a server that ends in between does it again, which does
// nothing. What the role may not do leaves the instances running and says so in
// the deployment's messages; the deployment itself has succeeded.
func (s *Service) terminateBlue(ctx context.Context, k store.Key, d *deployment) error {
	due := d.BlueGreen.terminationDue()
	if due.IsZero() || s.clock.Now().Before(due) || d.StopAsked {
		return nil
	}
	list, err := view(ctx, s, func(tx *store.Tx) ([]*target, error) { return targetsOf(tx, d.ID) })
	if err != nil {
		return err
	}
	message := ""
	if d.BlueGreen.Original != "" {
		message, err = s.deleteOriginal(ctx, k, d.Role, d.BlueGreen.Original)
	}
	if err == nil && message == "" {
		message, err = s.terminate(ctx, k, d.Role, bluesOf(list))
	}
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := deployments.Get(tx, k)
		if err != nil || d.ended() {
			return err
		}
		d.BlueGreen.Terminated = true
		if message != "" {
			d.Messages = append(d.Messages, message)
		}
		return deployments.Put(tx, k, d)
	})
}

// terminate returns why instances were not terminated, "" when they were.
func (s *Service) terminate(ctx context.Context, k store.Key, role string, instances []string) (string, error) {
	if len(instances) == 0 {
		return "", nil
	}
	ctx, why := s.asRole(ctx, k, role, "TerminateInstances")
	if why != nil {
		return "The original instances were not terminated: " + why.message, nil
	}
	_, err := s.invoker.Invoke(ctx, "ec2", "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: instances})
	switch why := deniedCause(role, err); {
	case err == nil:
		return "", nil
	case why != nil:
		return "The original instances were not terminated: " + why.message, nil
	case awserr.As(err) != nil:
		return fmt.Sprintf("The original instances were not terminated: %v", err), nil
	}
	return "", fmt.Errorf("terminate original instances: %w", err)
}
