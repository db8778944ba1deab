package s3

import (
	"context"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

// onBucket checks the operation's action on the bucket itself.
func onBucket[I any](s *Service) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		c, err := s.bucketCheck(ctx, in)
		return []aws.Check{c}, err
	}
}

// onObject checks the operation's action on the object, where the bucket decides.
func onObject[I any](s *Service) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		c, err := s.objectCheck(ctx, in)
		return []aws.Check{c}, err
	}
}

// onOwn checks the operation's action on the object, where its owner decides. A
// request that names a version needs the action versioned instead.
func onOwn[I any](s *Service, versioned string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		c, err := s.ownedCheck(ctx, in)
		return []aws.Check{forVersion(c, in, versioned)}, err
	}
}

func forVersion(c aws.Check, in any, versioned string) aws.Check {
	if versioned != "" && member(in, "VersionId") != nil {
		c.Action = versioned
	}
	return c
}

func withAction(c aws.Check, action string) aws.Check {
	c.Action = action
	return c
}

func (s *Service) deleteObjectChecks(ctx context.Context, in *s3.DeleteObjectInput) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	return []aws.Check{forVersion(c, in, "s3:DeleteObjectVersion")}, err
}

func (s *Service) createBucketChecks(ctx context.Context, in *s3.CreateBucketInput) ([]aws.Check, error) {
	c := aws.Check{Resource: bucketARN(aws.Val(in.Bucket)), Context: map[string][]string{"s3:ResourceAccount": {aws.CallFrom(ctx).Account}}}
	if cfg := in.CreateBucketConfiguration; cfg != nil {
		c.OfferText("s3:LocationConstraint", string(cfg.LocationConstraint))
		for _, t := range cfg.Tags {
			c.Context["aws:RequestTag/"+aws.Val(t.Key)] = []string{aws.Val(t.Value)}
			c.Context["aws:TagKeys"] = append(c.Context["aws:TagKeys"], aws.Val(t.Key))
		}
	}
	s.describe(ctx, &c, in)
	checks := []aws.Check{c}
	also := func(when bool, actions ...string) {
		for _, action := range actions {
			if when {
				checks = append(checks, withAction(c, action))
			}
		}
	}
	also(in.ACL != "" || grants(in), "s3:PutBucketAcl")
	also(in.ObjectOwnership != "", "s3:PutBucketOwnershipControls")
	also(in.CreateBucketConfiguration != nil && len(in.CreateBucketConfiguration.Tags) > 0, "s3:TagResource")
	also(aws.Val(in.ObjectLockEnabledForBucket), "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
	return checks, nil
}

func (s *Service) listBucketsChecks(ctx context.Context, _ *s3.ListBucketsInput) ([]aws.Check, error) {
	c := aws.Check{Resource: "*", Context: map[string][]string{"s3:ResourceAccount": {aws.CallFrom(ctx).Account}}}
	describeCaller(ctx, s.clock, &c)
	return []aws.Check{c}, nil
}

func (s *Service) listChecks(ctx context.Context, in any, maxKeys *int32) ([]aws.Check, error) {
	c, err := s.bucketCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	// S3 takes an absent prefix for an empty one.
	c.Context["s3:prefix"] = []string{aws.Val(member(in, "Prefix"))}
	if d := member(in, "Delimiter"); d != nil {
		c.Context["s3:delimiter"] = []string{*d}
	}
	if maxKeys != nil {
		c.Context["s3:max-keys"] = []string{strconv.Itoa(int(*maxKeys))}
	}
	return []aws.Check{c}, nil
}

func (s *Service) listObjectsChecks(ctx context.Context, in *s3.ListObjectsInput) ([]aws.Check, error) {
	return s.listChecks(ctx, in, in.MaxKeys)
}

func (s *Service) listObjectsV2Checks(ctx context.Context, in *s3.ListObjectsV2Input) ([]aws.Check, error) {
	return s.listChecks(ctx, in, in.MaxKeys)
}

func (s *Service) listObjectVersionsChecks(ctx context.Context, in *s3.ListObjectVersionsInput) ([]aws.Check, error) {
	return s.listChecks(ctx, in, in.MaxKeys)
}

// writing are the members of a write that need permissions of their own.
type writing struct {
	acl             s3.ObjectCannedACL
	tagging         *string
	retention, hold bool
}

// writeChecks adds to the check of s3:PutObject what the new object's ACL, tags
// and lock need.
func (s *Service) writeChecks(ctx context.Context, in any, w writing) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	tags, err := parseTagging(w.tagging)
	if err != nil {
		return nil, err
	}
	requestTags(&c, tags)
	checks := []aws.Check{c}
	for _, more := range []struct {
		when   bool
		action string
	}{
		{w.acl != "" || grants(in), "s3:PutObjectAcl"}, {w.tagging != nil, "s3:PutObjectTagging"},
		{w.retention, "s3:PutObjectRetention"}, {w.hold, "s3:PutObjectLegalHold"},
	} {
		if more.when {
			checks = append(checks, withAction(c, more.action))
		}
	}
	return checks, nil
}

func (s *Service) putObjectChecks(ctx context.Context, in *s3.PutObjectInput) ([]aws.Check, error) {
	return s.writeChecks(ctx, in, writing{in.ACL, in.Tagging, in.ObjectLockMode != "", in.ObjectLockLegalHoldStatus != ""})
}

func (s *Service) createMultipartUploadChecks(ctx context.Context, in *s3.CreateMultipartUploadInput) ([]aws.Check, error) {
	return s.writeChecks(ctx, in, writing{in.ACL, in.Tagging, in.ObjectLockMode != "", in.ObjectLockLegalHoldStatus != ""})
}

func (s *Service) copyObjectChecks(ctx context.Context, in *s3.CopyObjectInput) ([]aws.Check, error) {
	checks, err := s.writeChecks(ctx, in, writing{in.ACL, in.Tagging, in.ObjectLockMode != "", in.ObjectLockLegalHoldStatus != ""})
	if err != nil {
		return nil, err
	}
	checks, o, err := s.withSource(ctx, checks, in.CopySource, in.ExpectedSourceBucketOwner)
	if err == nil && o != nil && len(o.Tags) > 0 && in.TaggingDirective != s3.TaggingDirectiveReplace {
		checks = append(checks, copiedTags(checks)...)
	}
	return checks, err
}

// copiedTags are the permissions to read the tags of what is copied and to give them
// to the copy.
func copiedTags(checks []aws.Check) []aws.Check {
	from := checks[len(checks)-1]
	reading := map[string]string{"s3:GetObject": "s3:GetObjectTagging", "s3:GetObjectVersion": "s3:GetObjectVersionTagging"}
	return []aws.Check{withAction(from, reading[from.Action]), withAction(checks[0], "s3:PutObjectTagging")}
}

func (s *Service) uploadPartCopyChecks(ctx context.Context, in *s3.UploadPartCopyInput) ([]aws.Check, error) {
	c, err := s.objectCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	checks, _, err := s.withSource(ctx, []aws.Check{c}, in.CopySource, in.ExpectedSourceBucketOwner)
	return checks, err
}

// withSource adds the permission to read the object that is copied, as the last, and
// returns that object; nil where there is none.
func (s *Service) withSource(ctx context.Context, checks []aws.Check, source, owner *string) ([]aws.Check, *object, error) {
	from, err := parseCopySource(aws.Val(source))
	if err != nil {
		return nil, nil, err
	}
	b, err := s.lookup(ctx, from.bucket)
	if err != nil {
		return nil, nil, err
	}
	if err := b.ownedBy(owner); err != nil {
		return nil, nil, err
	}
	o, err := s.find(ctx, b, from.key, from.version)
	if err != nil {
		return nil, nil, err
	}
	c := b.ownCheck(ctx, "s3:GetObject", from.key, o)
	if from.version != nil {
		c.Action = "s3:GetObjectVersion"
		c.Context["s3:VersionId"] = []string{*from.version}
	}
	existingTags(&c, o)
	describeCaller(ctx, s.clock, &c)
	for i := range checks {
		checks[i].Context["s3:x-amz-copy-source"] = []string{from.bucket + "/" + from.key}
	}
	return append(checks, c), o, nil
}

func (s *Service) getObjectAttributesChecks(ctx context.Context, in *s3.GetObjectAttributesInput) ([]aws.Check, error) {
	c, err := s.ownedCheck(ctx, in)
	if in.VersionId != nil {
		return []aws.Check{withAction(c, "s3:GetObjectVersion"), withAction(c, "s3:GetObjectVersionAttributes")}, err
	}
	return []aws.Check{withAction(c, "s3:GetObject"), withAction(c, "s3:GetObjectAttributes")}, err
}

func (s *Service) putObjectTaggingChecks(ctx context.Context, in *s3.PutObjectTaggingInput) ([]aws.Check, error) {
	c, err := s.ownedCheck(ctx, in)
	if err != nil {
		return nil, err
	}
	if in.Tagging != nil {
		requestTags(&c, fromTagSet(in.Tagging.TagSet))
	}
	return []aws.Check{forVersion(c, in, "s3:PutObjectVersionTagging")}, nil
}
