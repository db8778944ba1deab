package cloudformation_test

import (
	"context"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
)

// vault is a Secrets Manager with two secrets; of one it shows how it was asked.
type vault struct{}

func (vault) Invoke(_ context.Context, _, _ string, in any) (any, error) {
	ask := in.(*secretsmanager.GetSecretValueInput)
	switch *ask.SecretId {
	case "plain":
		return &secretsmanager.GetSecretValueOutput{SecretString: aws.Ptr("word")}, nil
	case "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf", "db":
		return &secretsmanager.GetSecretValueOutput{SecretString: aws.Ptr(`{"user": "me", "port": 5432, "stage": "` + aws.Val(ask.VersionStage) + `", "version": "` + aws.Val(ask.VersionId) + `"}`)}, nil
	}
	return nil, awserr.New("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func TestSecretReferences(t *testing.T) {
	o := cloudformation.Outside{Invoker: vault{}}
	const arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"
	for _, c := range []struct{ name, reference, value, fails string }{
		{"whole", "plain", "word", ""},
		{"whole, named", "plain:SecretString", "word", ""},
		{"key", "db:SecretString:user", "me", ""},
		{"number", "db:SecretString:port", "5432", ""},
		{"arn", arn + ":SecretString:user", "me", ""},
		{"stage", "db:SecretString:stage:AWSPREVIOUS", "AWSPREVIOUS", ""},
		{"version", "db:SecretString:version::a1", "a1", ""},
		{"key of text", "plain:SecretString:user", "", "Could not parse SecretString JSON"},
		{"no such key", "db:SecretString:x", "", "Could not find a value associated with JSONKey in SecretString"},
		{"no such secret", "x", "", "Secrets Manager can't find the specified secret."},
		{"binary", "db:SecretBinary", "", "Incorrect format is used in the following reference: [{{resolve:secretsmanager:db:SecretBinary}}]"},
		{"stage and version", "db:SecretString:user:a:b", "", "Incorrect format is used in the following reference: [{{resolve:secretsmanager:db:SecretString:user:a:b}}]"},
		{"nothing", "", "", "Incorrect format is used in the following reference: [{{resolve:secretsmanager:}}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := o.Secret(t.Context(), "secretsmanager", c.reference)
			if e := awserr.As(err); got != c.value || (c.fails == "") != (err == nil) || e != nil && e.Message != c.fails {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
