package s3

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourceBucketPolicy is AWS::S3::BucketPolicy. Its physical id is the bucket's
// name: a bucket has one policy.
type resourceBucketPolicy struct{ inv Invoker }

type bucketPolicyProperties struct {
	Bucket         string          `cfn:",required"`
	PolicyDocument json.RawMessage `cfn:",required"`
}

func (resourceBucketPolicy) Schema() stack.Schema { return stack.SchemaOf(bucketPolicyProperties{}) }

func (t resourceBucketPolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p bucketPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	now, err := t.get(ctx, p.Bucket)
	switch {
	case err == nil && !sameJSON(now, string(p.PolicyDocument)):
		return stack.Result{}, awserr.New("AlreadyExists", "The bucket policy already exists on bucket %s.", p.Bucket)
	case err != nil && !awserr.Is(err, "NoSuchBucketPolicy"):
		return stack.Result{}, err
	}
	started(p.Bucket)
	return t.put(ctx, p)
}

func (t resourceBucketPolicy) get(ctx context.Context, name string) (string, error) {
	out, err := invoke[s3.GetBucketPolicyOutput](ctx, t.inv, "GetBucketPolicy", &s3.GetBucketPolicyInput{Bucket: &name})
	if err != nil {
		return "", err
	}
	return aws.Val(out.Policy), nil
}

func (t resourceBucketPolicy) put(ctx context.Context, p bucketPolicyProperties) (stack.Result, error) {
	_, err := invoke[s3.PutBucketPolicyOutput](ctx, t.inv, "PutBucketPolicy",
		&s3.PutBucketPolicyInput{Bucket: &p.Bucket, Policy: aws.Ptr(string(p.PolicyDocument))})
	return stack.Result{PhysicalID: p.Bucket}, err
}

// sameJSON compares documents by meaning.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func (t resourceBucketPolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.get(ctx, r.PhysicalID)
	if awserr.Is(err, "NoSuchBucketPolicy", "NoSuchBucket") {
		return stack.Result{}, stack.ErrNotFound
	}
	return stack.Result{PhysicalID: r.PhysicalID}, err
}

func (t resourceBucketPolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p bucketPolicyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	return t.put(ctx, p)
}

func (t resourceBucketPolicy) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[s3.DeleteBucketPolicyOutput](ctx, t.inv, "DeleteBucketPolicy", &s3.DeleteBucketPolicyInput{Bucket: &r.PhysicalID})
	if awserr.Is(err, "NoSuchBucket") {
		return nil
	}
	return err
}

// Live implements stack.Live.
func (t resourceBucketPolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	text, err := t.get(ctx, r.PhysicalID)
	if awserr.Is(err, "NoSuchBucketPolicy", "NoSuchBucket") {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	return map[string]any{"Bucket": r.PhysicalID, "PolicyDocument": doc}, nil
}
