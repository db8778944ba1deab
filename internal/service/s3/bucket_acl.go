package s3

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// GetBucketAcl returns who may do what: the owner everything, where ACLs are
// disabled.
func (s *Service) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) (*s3.GetBucketAclOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	a := b.ACL
	if b.enforced() {
		a = nil
	}
	return &s3.GetBucketAclOutput{Owner: owner(b.Account), Grants: grantList(a.grants(b.Account))}, nil
}

// PutBucketAcl replaces the bucket's ACL.
func (s *Service) PutBucketAcl(ctx context.Context, in *s3.PutBucketAclInput) (*s3.PutBucketAclOutput, error) {
	err := s.change(ctx, in.Bucket, func(b *bucket) error {
		a, err := owned{b.Account, b.Account}.wanted(in, string(in.ACL), in.AccessControlPolicy)
		if err != nil {
			return err
		}
		if b.enforced() {
			return errACLNotSupported
		}
		b.ACL = a
		return b.admit(a)
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketAclOutput{}, nil
}

// wanted is the ACL that a PutBucketAcl or PutObjectAcl asks for, by canned name,
// by headers or by its body.
func (o owned) wanted(in any, name string, body *s3.AccessControlPolicy) (*acl, error) {
	a, given, err := o.requested(in, name)
	switch {
	case err != nil:
		return nil, err
	case given && body != nil:
		return nil, awserr.New("UnexpectedContent", "This request does not support content")
	case given:
		return a, nil
	case body == nil:
		return nil, awserr.New("MissingSecurityHeader", "Your request was missing a required header").With("MissingHeaderName", "x-amz-acl")
	}
	return o.fromBody(body)
}
