package ecr_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ecr"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/ecr"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// gate is wiretest.Gate, and remembers the resource policies that it was shown.
type gate struct {
	wiretest.Gate
	seen *[]string
}

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	if g.seen != nil && c.ResourcePolicy != "" {
		*g.seen = append(*g.seen, c.ResourcePolicy)
	}
	return g.Gate.Authorize(ctx, c)
}

type lab struct {
	*wiretest.Lab
	svc *ecr.Service
}

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), g)}
	l.svc = ecr.New(ecr.Config{DB: l.DB, Invoker: l.Server})
	l.Register(l.svc.Wire())
	return l
}

const pullPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"ecr:*"}}`

func TestARepositorysPolicyIsJudgedWithItsResource(t *testing.T) {
	var seen []string
	l := newLab(t, gate{seen: &seen})
	app := aws.Ptr("app")
	wiretest.Must[api.CreateRepositoryOutput](l, "CreateRepository", &api.CreateRepositoryInput{RepositoryName: app})
	wiretest.Must[api.SetRepositoryPolicyOutput](l, "SetRepositoryPolicy", &api.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: aws.Ptr(pullPolicy)})
	if got := *wiretest.Must[api.GetRepositoryPolicyOutput](l, "GetRepositoryPolicy", &api.GetRepositoryPolicyInput{RepositoryName: app}).PolicyText; got != pullPolicy {
		t.Errorf("the policy came back as %s", got)
	}
	want := `{"Statement":[{"Action":"ecr:*","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Resource":"arn:aws:ecr:us-east-1:123456789012:repository/app"}],"Version":"2012-10-17"}`
	if len(seen) != 1 || seen[0] != want {
		t.Errorf("judged under %q", seen)
	}
}

func tags(n int) (out []api.Tag) {
	for i := range n {
		out = append(out, api.Tag{Key: aws.Ptr(strconv.Itoa(i)), Value: aws.Ptr("")})
	}
	return out
}

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	app, none := aws.Ptr("app"), aws.Ptr("none")
	wiretest.Must[api.CreateRepositoryOutput](l, "CreateRepository", &api.CreateRepositoryInput{RepositoryName: app})
	absent := "RepositoryNotFoundException: The repository with name 'none' does not exist in the registry with id '123456789012'"
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"exists", "CreateRepository", &api.CreateRepositoryInput{RepositoryName: app}, "RepositoryAlreadyExistsException: The repository with name 'app' already exists in the registry with id '123456789012'"},
		{"bad name", "CreateRepository", &api.CreateRepositoryInput{RepositoryName: aws.Ptr("app/")}, "InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''"},
		{"own key", "CreateRepository", &api.CreateRepositoryInput{RepositoryName: aws.Ptr("keyed"), EncryptionConfiguration: &api.EncryptionConfiguration{EncryptionType: "KMS"}}, "NotImplemented: hardstand does not implement KMS keys: the encryption of a repository is AES256."},
		{"named key", "CreateRepository", &api.CreateRepositoryInput{RepositoryName: aws.Ptr("keyed"), EncryptionConfiguration: &api.EncryptionConfiguration{EncryptionType: "AES256", KmsKey: aws.Ptr("alias/mine")}}, "NotImplemented: hardstand does not implement KMS keys: the encryption of a repository is AES256."},
		{"crowded", "CreateRepository", &api.CreateRepositoryInput{RepositoryName: aws.Ptr("crowded"), Tags: tags(51)}, "TooManyTagsException: The number of tags exceeds the limit of 50 tags per repository."},
		{"crowded later", "TagResource", &api.TagResourceInput{ResourceArn: aws.Ptr("arn:aws:ecr:us-east-1:123456789012:repository/app"), Tags: tags(51)}, "TooManyTagsException: The number of tags exceeds the limit of 50 tags per repository."},
		{"describe absent", "DescribeRepositories", &api.DescribeRepositoriesInput{RepositoryNames: []string{"app", "none"}}, absent},
		{"delete absent", "DeleteRepository", &api.DeleteRepositoryInput{RepositoryName: none}, absent},
		{"images of absent", "ListImages", &api.ListImagesInput{RepositoryName: none}, absent},
		{"no policy", "GetRepositoryPolicy", &api.GetRepositoryPolicyInput{RepositoryName: app}, "RepositoryPolicyNotFoundException: Repository policy does not exist for the repository with name 'app' in the registry with id '123456789012'"},
		{"no lifecycle", "GetLifecyclePolicy", &api.GetLifecyclePolicyInput{RepositoryName: app}, "LifecyclePolicyNotFoundException: Lifecycle policy does not exist for the repository with name 'app' in the registry with id '123456789012'"},
		{"bad policy", "SetRepositoryPolicy", &api.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: aws.Ptr("[")}, "InvalidParameterException: Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"},
		{"null policy", "SetRepositoryPolicy", &api.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: aws.Ptr("null")}, "InvalidParameterException: Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"},
		{"bad lifecycle", "PutLifecyclePolicy", &api.PutLifecyclePolicyInput{RepositoryName: app, LifecyclePolicyText: aws.Ptr(`{"rules":[{"rulePriority":1, "description":"long enough to pass the model's own checks of length, which are a hundred characters"}]}`)}, "InvalidParameterException: Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: a rule needs rulePriority, selection and action'"},
		{"no image", "DescribeImages", &api.DescribeImagesInput{RepositoryName: app, ImageIds: []api.ImageIdentifier{{ImageTag: aws.Ptr("v1")}}}, "ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist within the repository with name 'app' in the registry with id '123456789012'"},
		{"bad ARN", "TagResource", &api.TagResourceInput{ResourceArn: app, Tags: []api.Tag{}}, "InvalidParameterException: Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"},
		{"registry", "GetAuthorizationToken", nil, "NotImplemented: hardstand does not implement ecr:GetAuthorizationToken."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := l.Server.Invoke(l.Ctx, "ecr", c.operation, c.in); err == nil || awserr.As(err) == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t, gate{Gate: wiretest.Gate{Only: []string{"ecr:ListImages arn:aws:ecr:us-east-1:123456789012:repository/mine"}}})
	if _, err := l.Server.Invoke(l.Ctx, "ecr", "ListImages", &api.ListImagesInput{RepositoryName: aws.Ptr("mine")}); !awserr.Is(err, "RepositoryNotFoundException") {
		t.Errorf("own repository: %v", err)
	}
	app, arn, text := aws.Ptr("app"), aws.Ptr("arn:aws:ecr:us-east-1:123456789012:repository/app"), aws.Ptr("{}")
	inputs := map[string]any{
		"CreateRepository":              &api.CreateRepositoryInput{RepositoryName: app},
		"DescribeRepositories":          &api.DescribeRepositoriesInput{},
		"DeleteRepository":              &api.DeleteRepositoryInput{RepositoryName: app},
		"SetRepositoryPolicy":           &api.SetRepositoryPolicyInput{RepositoryName: app, PolicyText: text},
		"GetRepositoryPolicy":           &api.GetRepositoryPolicyInput{RepositoryName: app},
		"DeleteRepositoryPolicy":        &api.DeleteRepositoryPolicyInput{RepositoryName: app},
		"PutLifecyclePolicy":            &api.PutLifecyclePolicyInput{RepositoryName: app, LifecyclePolicyText: aws.Ptr(`{"rules":[{"rulePriority":1, "description":"long enough to pass the model's own checks of length, which are a hundred characters"}]}`)},
		"GetLifecyclePolicy":            &api.GetLifecyclePolicyInput{RepositoryName: app},
		"DeleteLifecyclePolicy":         &api.DeleteLifecyclePolicyInput{RepositoryName: app},
		"PutImageScanningConfiguration": &api.PutImageScanningConfigurationInput{RepositoryName: app, ImageScanningConfiguration: &api.ImageScanningConfiguration{}},
		"PutImageTagMutability":         &api.PutImageTagMutabilityInput{RepositoryName: app, ImageTagMutability: "MUTABLE"},
		"ListImages":                    &api.ListImagesInput{RepositoryName: app},
		"DescribeImages":                &api.DescribeImagesInput{RepositoryName: app},
		"BatchGetImage":                 &api.BatchGetImageInput{RepositoryName: app, ImageIds: []api.ImageIdentifier{{ImageTag: app}}},
		"BatchDeleteImage":              &api.BatchDeleteImageInput{RepositoryName: app, ImageIds: []api.ImageIdentifier{{ImageTag: app}}},
		"DescribeRegistry":              &api.DescribeRegistryInput{},
		"TagResource":                   &api.TagResourceInput{ResourceArn: arn, Tags: []api.Tag{}},
		"UntagResource":                 &api.UntagResourceInput{ResourceArn: arn, TagKeys: []string{}},
		"ListTagsForResource":           &api.ListTagsForResourceInput{ResourceArn: arn},
	}
	for _, op := range l.svc.Wire().Operations {
		if _, err := l.Server.Invoke(l.Ctx, "ecr", op.Name, inputs[op.Name]); !awserr.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", op.Name, err)
		}
	}
}

func TestRepositoryResource(t *testing.T) {
	l := newLab(t, gate{})
	lifecycle := `{"rules":[{"rulePriority":1,"description":"Untagged images should not exist, but expire any older than one year","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":365},"action":{"type":"expire"}}]}`
	document := map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Sid": "Pull", "Effect": "Allow",
		"Principal": map[string]any{"Service": "lambda.amazonaws.com"}, "Action": []any{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}}}}
	tags := []any{map[string]any{"Key": "k", "Value": "v"}}
	stacktest.Conform(t, stacktest.Case{Resource: l.svc.Resources()["AWS::ECR::Repository"], Type: "AWS::ECR::Repository", Context: l.Ctx,
		Properties: map[string]any{"RepositoryName": "app", "ImageTagMutability": "IMMUTABLE", "LifecyclePolicy": map[string]any{"LifecyclePolicyText": lifecycle},
			"RepositoryPolicyText": document, "Tags": tags},
		Changed: map[string]any{"RepositoryName": "app", "ImageScanningConfiguration": map[string]any{"ScanOnPush": true}, "EmptyOnDelete": true}})
	stacktest.Conform(t, stacktest.Case{Resource: l.svc.Resources()["AWS::ECR::Repository"], Type: "AWS::ECR::Repository", Context: l.Ctx,
		Properties: map[string]any{}, Changed: map[string]any{"RepositoryPolicyText": document, "LifecyclePolicy": map[string]any{"LifecyclePolicyText": lifecycle}, "Tags": tags}})
}
