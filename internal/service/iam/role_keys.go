package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeRole adds the tags of the role that a check is on where another service
// asks: handing a role over and assuming one. Those services do not know the role.
func (s *Service) DescribeRole(ctx context.Context, c *aws.Check) error {
	if c.Action != "iam:PassRole" && !strings.HasPrefix(c.Action, "sts:") {
		return nil
	}
	e, err := s.named(ctx, c.Resource)
	if err != nil || e == nil || e.Kind != roleKind {
		return err
	}
	e.describe(c)
	return nil
}

// named returns the user, group or role of an ARN, nil when there is none.
func (s *Service) named(ctx context.Context, resource string) (*entity, error) {
	a, err := arn.Parse(resource)
	kind, _, _ := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "iam" || kind != userKind && kind != groupKind && kind != roleKind {
		return nil, nil //nolint:nilerr,nilnil // another kind of resource
	}
	e, err := view(ctx, s, func(tx *store.Tx) (*entity, error) {
		return entities.Get(tx, entityKey(a.Account, kind, arn.Name(resource)))
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && e.arn(a.Account) != resource {
		return nil, nil //nolint:nilnil // absence is an answer here
	}
	return e, err
}

// describe adds what is known of the entity to a check on it.
func (e *entity) describe(c *aws.Check) {
	for _, t := range e.Tags {
		c.OfferTag(t.Key, t.Value)
		c.Offer("iam:ResourceTag/"+t.Key, t.Value)
	}
	c.OfferText("iam:PermissionsBoundary", e.Boundary)
}
