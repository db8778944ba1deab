package wiretest

import (
	"context"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
)

// Gate is an authorizer that lets through the checks it names, each as action, space,
// resource; without names (nil) everything.
type Gate struct{ Only []string }

// Authorize implements wire.Authorizer.
func (g Gate) Authorize(ctx context.Context, c aws.Check) error {
	if g.Only == nil || slices.Contains(g.Only, c.Action+" "+c.Resource) {
		return nil
	}
	return Denied(ctx, c)
}

// Denied is how an authorizer refuses what no policy allows.
func Denied(ctx context.Context, c aws.Check) error {
	return &aws.Denied{Principal: aws.CallFrom(ctx).Principal.ARN, Action: c.Action, Resource: c.Resource,
		Reason: "no identity-based policy allows the " + c.Action + " action"}
}
