package autoscaling

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// linkedRole is the service-linked role that groups have unless they are given another.
func linkedRole(account string) string {
	return arn.New("iam", "", account, "role/aws-service-role/"+servicePrincipal+"/AWSServiceRoleForAutoScaling")
}

// ensureRole returns the role that a new group acts with. The default one is made, as
// the caller, when the account does not have it yet.
func (s *Service) ensureRole(ctx context.Context, given *string) (string, error) {
	c := aws.CallFrom(ctx)
	role := linkedRole(c.Account)
	if given != nil && *given != role {
		if _, err := s.cfg.Roles.AssumeServiceRole(ctx, *given, servicePrincipal); err != nil {
			return "", awserr.New("ServiceLinkedRoleFailure", "The service-linked role %s cannot be used: %s", *given, messageOf(err))
		}
		return *given, nil
	}
	if _, err := s.cfg.Roles.AssumeServiceRole(ctx, role, servicePrincipal); err == nil {
		return role, nil
	}
	_, err := wire.Call[iam.CreateServiceLinkedRoleOutput](ctx, s.cfg.Invoker, "iam", "CreateServiceLinkedRole", &iam.CreateServiceLinkedRoleInput{
		AWSServiceName: ptr(servicePrincipal),
		Description:    ptr("Default Service-Linked Role enables access to AWS Services and Resources used or managed by Auto Scaling")})
	if err != nil && !awserr.Is(err, "InvalidInput") { // made by another call meanwhile
		return "", err
	}
	return role, nil
}

// acting returns a context in which a role calls for Auto Scaling, which nobody asked.
func (s *Service) acting(ctx context.Context, k store.Key, role string) (context.Context, error) {
	c := aws.Call{Account: k.Account, Region: k.Region, RequestID: ids.UUID(), UserAgent: servicePrincipal, Secure: true}
	p, err := s.cfg.Roles.AssumeServiceRole(aws.WithCall(ctx, c), role, servicePrincipal)
	if err != nil {
		return nil, err
	}
	c.Principal = p
	return aws.WithCall(ctx, c), nil
}
