// Package kms answers for AWS KMS, which is not built: what is kept is sealed with
// the server's own key. It tells truthfully that there are no keys and no aliases,
// refuses to make any, and knows the resource types AWS::KMS::Key and AWS::KMS::Alias,
// so that templates which hold them under a condition can be used.
//
// It owns no state. It imports stack, wire and the API's types. The flow enters
// through Wire's operations and Resources.
package kms

import (
	"context"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/kms"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// Service implements the operations.
type Service struct{}

// New returns the service.
func New() *Service { return &Service{} }

// Wire lists the operations that can be answered without keys.
func (s *Service) Wire() wire.Service {
	return wire.Service{Model: api.Model(), Operations: []wire.Operation{
		wire.Op("ListKeys", "kms:ListKeys", s.ListKeys, nil),
		wire.Op("ListAliases", "kms:ListAliases", s.ListAliases, nil),
		wire.Op("DescribeKey", "kms:DescribeKey", s.DescribeKey, func(ctx context.Context, in *api.DescribeKeyInput) ([]aws.Check, error) {
			arn := arnOf(ctx, aws.Val(in.KeyId))
			keys := map[string][]string{"kms:CallerAccount": {aws.CallFrom(ctx).Principal.Account}}
			if strings.Contains(arn, ":alias/") { // permissions are given for keys
				arn = "arn:aws:kms:" + aws.CallFrom(ctx).Region + ":" + aws.CallFrom(ctx).Account + ":key/*"
				keys["kms:RequestAlias"] = []string{"alias/" + aws.Val(in.KeyId)[strings.LastIndex(aws.Val(in.KeyId), "alias/")+len("alias/"):]}
			}
			return []aws.Check{{Resource: arn, Context: keys}}, nil
		}),
	}}
}

// arnOf is the ARN of a key or an alias that is named by its id, name or ARN.
func arnOf(ctx context.Context, id string) string {
	c := aws.CallFrom(ctx)
	switch {
	case strings.HasPrefix(id, "arn:"):
		return id
	case strings.HasPrefix(id, "alias/"):
		return "arn:aws:kms:" + c.Region + ":" + c.Account + ":" + id
	}
	return "arn:aws:kms:" + c.Region + ":" + c.Account + ":key/" + id
}

// ListKeys tells that there are none.
func (s *Service) ListKeys(context.Context, *api.ListKeysInput) (*api.ListKeysOutput, error) {
	return &api.ListKeysOutput{Keys: []api.KeyListEntry{}, Truncated: aws.Ptr(false)}, nil
}

// ListAliases tells that there are none.
func (s *Service) ListAliases(ctx context.Context, in *api.ListAliasesInput) (*api.ListAliasesOutput, error) {
	if in.KeyId != nil {
		return nil, errNotFound(ctx, *in.KeyId)
	}
	return &api.ListAliasesOutput{Aliases: []api.AliasListEntry{}, Truncated: aws.Ptr(false)}, nil
}

// DescribeKey tells that the key does not exist.
func (s *Service) DescribeKey(ctx context.Context, in *api.DescribeKeyInput) (*api.DescribeKeyOutput, error) {
	return nil, errNotFound(ctx, aws.Val(in.KeyId))
}

func errNotFound(ctx context.Context, id string) *awserr.Error {
	arn := arnOf(ctx, id)
	if strings.Contains(arn, ":alias/") {
		return awserr.New("NotFoundException", "Alias %s is not found.", arn)
	}
	return awserr.New("NotFoundException", "Key '%s' does not exist", arn)
}
