package s3

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// maxPolicyBytes is S3's limit for a bucket policy.
const maxPolicyBytes = 20 << 10

// change runs fn on the bucket's row and stores it.
func (s *Service) change(ctx context.Context, name *string, fn func(b *bucket) error) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		b, err := buckets.Get(tx, bucketKey(aws.Val(name)))
		if err != nil {
			return orNoSuchBucket(err, aws.Val(name))
		}
		if err := fn(b); err != nil {
			return err
		}
		emit(tx, aws.CallFrom(ctx), b, "changed")
		return buckets.Put(tx, bucketKey(b.Name), b)
	})
}

// GetBucketPolicy returns the policy as it was put.
func (s *Service) GetBucketPolicy(ctx context.Context, in *s3.GetBucketPolicyInput) (*s3.GetBucketPolicyOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, errNoSuchBucketPolicy(b.Name)
	}
	return &s3.GetBucketPolicyOutput{Policy: &b.Policy}, nil
}

func errNoSuchBucketPolicy(name string) error {
	return awserr.Status(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist").With("BucketName", name)
}

// PutBucketPolicy validates and stores a policy. One that opens the bucket to
// everybody is refused while the bucket blocks public policies.
func (s *Service) PutBucketPolicy(ctx context.Context, in *s3.PutBucketPolicyInput) (*s3.PutBucketPolicyOutput, error) {
	text := aws.Val(in.Policy)
	if len(text) > maxPolicyBytes {
		return nil, awserr.New("PolicyTooLarge", "Policy exceeds the maximum allowed document size.")
	}
	doc, err := policy.Parse(text, policy.Resource)
	if err != nil {
		if m := new(policy.Malformed); errors.As(err, &m) {
			return nil, malformedPolicy(text, m.Message)
		}
		return nil, err
	}
	if err := ownResources(doc, aws.Val(in.Bucket)); err != nil {
		return nil, err
	}
	err = s.change(ctx, in.Bucket, func(b *bucket) error {
		if b.PublicAccess != nil && b.PublicAccess.BlockPolicy && doc.Public() {
			return awserr.Status(http.StatusForbidden, "AccessDenied",
				"User: %s is not authorized to perform: s3:PutBucketPolicy on resource: \"%s\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
				aws.CallFrom(ctx).Principal.ARN, bucketARN(b.Name))
		}
		b.Policy = text
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &s3.PutBucketPolicyOutput{}, nil
}

var errPolicyNotJSON = awserr.New("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")

// malformedPolicy has S3's own words for two faults, and IAM's for all others.
func malformedPolicy(text, message string) error {
	var members map[string]json.RawMessage
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &members) != nil {
		return errPolicyNotJSON
	}
	if _, ok := members["Statement"]; !ok {
		return awserr.New("MalformedPolicy", "Missing required field Statement")
	}
	return awserr.New("MalformedPolicy", "%s", message)
}

// ownResources refuses statements about other buckets and other services. A
// pattern in a bucket's place is let pass: it may well match.
func ownResources(doc *policy.Document, name string) error {
	for _, st := range doc.Statements {
		for _, r := range slices.Concat(st.Resources, st.NotResources) {
			of, _, _ := strings.Cut(strings.TrimPrefix(r, "arn:aws:s3:::"), "/")
			if of != name && !strings.ContainsAny(of, "*?$") {
				return awserr.New("MalformedPolicy", "Policy has invalid resource")
			}
		}
		for _, a := range slices.Concat(st.Actions, st.NotActions) {
			if a != "*" && !strings.HasPrefix(strings.ToLower(a), "s3:") {
				return awserr.New("MalformedPolicy", "Policy has invalid action")
			}
		}
	}
	return nil
}

// DeleteBucketPolicy removes the policy; having none is no error.
func (s *Service) DeleteBucketPolicy(ctx context.Context, in *s3.DeleteBucketPolicyInput) (*s3.DeleteBucketPolicyOutput, error) {
	err := s.change(ctx, in.Bucket, func(b *bucket) error { b.Policy = ""; return nil })
	if err != nil {
		return nil, err
	}
	return &s3.DeleteBucketPolicyOutput{}, nil
}

// GetBucketPolicyStatus tells whether the policy opens the bucket to everybody.
func (s *Service) GetBucketPolicyStatus(ctx context.Context, in *s3.GetBucketPolicyStatusInput) (*s3.GetBucketPolicyStatusOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if b.Policy == "" {
		return nil, errNoSuchBucketPolicy(b.Name)
	}
	return &s3.GetBucketPolicyStatusOutput{PolicyStatus: &s3.PolicyStatus{IsPublic: aws.Ptr(b.public())}}, nil
}

func (b *bucket) public() bool {
	if b.Policy == "" {
		return false
	}
	doc, err := policy.Parse(b.Policy, policy.Resource)
	return err == nil && doc.Public()
}

// effectivePolicy is what counts for the caller: a public policy of a bucket
// that restricts public access holds for the owning account and for AWS
// services only.
func (b *bucket) effectivePolicy(who aws.Principal) string {
	outside := who.Account != b.Account && who.Type != aws.PrincipalService
	if outside && b.PublicAccess != nil && b.PublicAccess.Restrict && b.public() {
		return ""
	}
	return b.Policy
}
