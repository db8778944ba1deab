package s3

import (
	"context"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// GetObjectAcl returns who may do what with the object.
func (s *Service) GetObjectAcl(ctx context.Context, in *s3.GetObjectAclInput) (*s3.GetObjectAclOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	o, err := s.read(ctx, b, aws.Val(in.Key), in.VersionId)
	if err != nil {
		return nil, err
	}
	a, account := o.ACL, b.ownerOf(o)
	if b.enforced() {
		a = nil
	}
	return &s3.GetObjectAclOutput{Owner: owner(account), Grants: grantList(a.grants(account))}, nil
}

// PutObjectAcl replaces the object's ACL.
func (s *Service) PutObjectAcl(ctx context.Context, in *s3.PutObjectAclInput) (*s3.PutObjectAclOutput, error) {
	_, err := s.edit(ctx, in.Bucket, in.Key, in.VersionId, func(b *bucket, o *object) error {
		a, err := owned{b.ownerOf(o), b.Account}.wanted(in, string(in.ACL), in.AccessControlPolicy)
		if err != nil {
			return err
		}
		if b.enforced() {
			if in.ACL == s3.ObjectCannedACLBucketOwnerFullControl || in.AccessControlPolicy != nil && a.onlyOwner(b.Account) {
				return nil
			}
			return errACLNotSupported
		}
		o.ACL = a
		return b.admit(a)
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutObjectAclOutput{}, nil
}
