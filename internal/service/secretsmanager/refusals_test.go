package secretsmanager_test

import (
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	s := aws.Ptr("s")
	made := l.create("s", "v")
	id := *made.VersionId
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"absent", "GetSecretValue", &api.GetSecretValueInput{SecretId: aws.Ptr("none")}, "ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		{"another region", "DescribeSecret", &api.DescribeSecretInput{SecretId: aws.Ptr(strings.Replace(*made.ARN, "us-east-1", "eu-west-1", 1))}, "ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		{"another end", "DescribeSecret", &api.DescribeSecretInput{SecretId: aws.Ptr((*made.ARN)[:len(*made.ARN)-6] + "zzzzz0")}, "ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		{"absent version", "GetSecretValue", &api.GetSecretValueInput{SecretId: s, VersionId: aws.Ptr(strings.Repeat("x", 32))}, "ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: " + strings.Repeat("x", 32)},
		{"absent stage", "GetSecretValue", &api.GetSecretValueInput{SecretId: s, VersionStage: aws.Ptr("AWSPENDING")}, "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING"},
		{"stage of another version", "GetSecretValue", &api.GetSecretValueInput{SecretId: s, VersionId: &id, VersionStage: aws.Ptr("AWSPENDING")}, "InvalidRequestException: You provided a VersionStage that is not associated to the provided VersionId."},
		{"bad name", "GetSecretValue", &api.GetSecretValueInput{SecretId: aws.Ptr("Inv Name")}, "ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"},
		{"bad new name", "CreateSecret", &api.CreateSecretInput{Name: aws.Ptr(" Inv*Name? "), ClientRequestToken: token()}, "ValidationException: Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!"},
		{"exists", "CreateSecret", &api.CreateSecretInput{Name: s, SecretString: aws.Ptr("v"), ClientRequestToken: token()}, "ResourceExistsException: The operation failed because the secret s already exists."},
		{"no token", "CreateSecret", &api.CreateSecretInput{Name: aws.Ptr("n"), SecretString: aws.Ptr("v")}, "InvalidRequestException: You must provide a ClientRequestToken value. We recommend a UUID-type value."},
		{"no token to put", "PutSecretValue", &api.PutSecretValueInput{SecretId: s, SecretString: aws.Ptr("v")}, "InvalidRequestException: You must provide a ClientRequestToken value. We recommend a UUID-type value."},
		{"short token", "PutSecretValue", &api.PutSecretValueInput{SecretId: s, SecretString: aws.Ptr("v"), ClientRequestToken: aws.Ptr("short")}, "InvalidParameterException: ClientRequestToken must be 32-64 characters long."},
		{"no value", "PutSecretValue", &api.PutSecretValueInput{SecretId: s, ClientRequestToken: token()}, "InvalidRequestException: You must provide either SecretString or SecretBinary."},
		{"two values", "PutSecretValue", &api.PutSecretValueInput{SecretId: s, SecretString: aws.Ptr("v"), SecretBinary: []byte("v"), ClientRequestToken: token()}, "InvalidParameterException: You can't specify both a binary secret value and a string secret value in the same secret."},
		{"own key", "CreateSecret", &api.CreateSecretInput{Name: aws.Ptr("n"), KmsKeyId: aws.Ptr("alias/mine"), ClientRequestToken: token()}, "NotImplemented: hardstand does not implement KMS keys: secrets are sealed with the server's own key, which alias/aws/secretsmanager stands for."},
		{"replicas", "CreateSecret", &api.CreateSecretInput{Name: aws.Ptr("n"), ClientRequestToken: token(), AddReplicaRegions: []api.ReplicaRegionType{{Region: aws.Ptr("eu-west-1")}}}, "NotImplemented: hardstand does not implement the replication of secrets."},
		{"rotation", "RotateSecret", &api.RotateSecretInput{SecretId: s}, "NotImplemented: hardstand does not implement secretsmanager:RotateSecret."},
		{"window too short", "DeleteSecret", &api.DeleteSecretInput{SecretId: s, RecoveryWindowInDays: aws.Ptr[int64](6)}, "InvalidParameterException: The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."},
		{"window and force", "DeleteSecret", &api.DeleteSecretInput{SecretId: s, RecoveryWindowInDays: aws.Ptr[int64](7), ForceDeleteWithoutRecovery: aws.Ptr(true)}, "InvalidParameterException: You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."},
		{"delete absent", "DeleteSecret", &api.DeleteSecretInput{SecretId: aws.Ptr("none")}, "ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		{"label off the current", "UpdateSecretVersionStage", &api.UpdateSecretVersionStageInput{SecretId: s, VersionStage: aws.Ptr("AWSCURRENT"), RemoveFromVersionId: &id}, "InvalidParameterException: You can only move staging label AWSCURRENT to a different secret version. It can’t be completely removed."},
		{"label not there", "UpdateSecretVersionStage", &api.UpdateSecretVersionStageInput{SecretId: s, VersionStage: aws.Ptr("X"), RemoveFromVersionId: &id}, "InvalidParameterException: Version stage X not found in version " + id},
		{"label to nothing", "UpdateSecretVersionStage", &api.UpdateSecretVersionStageInput{SecretId: s, VersionStage: aws.Ptr("X"), MoveToVersionId: aws.Ptr(strings.Repeat("y", 32))}, "InvalidParameterException: Not a valid version: " + strings.Repeat("y", 32)},
		{"policy not JSON", "PutResourcePolicy", &api.PutResourcePolicyInput{SecretId: s, ResourcePolicy: aws.Ptr("{")}, "MalformedPolicyDocumentException: This resource policy contains invalid Json."},
		{"policy with a bad effect", "PutResourcePolicy", &api.PutResourcePolicyInput{SecretId: s, ResourcePolicy: aws.Ptr(`{"Version":"2012-10-17","Statement":[{"Effect":"AllowSomething","Principal":"*","Action":"secretsmanager:*","Resource":"*"}]}`)}, "MalformedPolicyDocumentException: This resource policy contains a syntax error."},
		{"policy with a bad principal", "PutResourcePolicy", &api.PutResourcePolicyInput{SecretId: s, ResourcePolicy: aws.Ptr(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"x"},"Action":"secretsmanager:*","Resource":"*"}]}`)}, "MalformedPolicyDocumentException: This resource policy contains an unsupported principal."},
		{"public policy", "PutResourcePolicy", &api.PutResourcePolicyInput{SecretId: s, BlockPublicPolicy: aws.Ptr(true), ResourcePolicy: aws.Ptr(publicPolicy)}, "PublicPolicyException: You can't attach a resource-based policy that allows broad access to the secret."},
		{"batch of both", "BatchGetSecretValue", &api.BatchGetSecretValueInput{}, "InvalidParameterException: Either 'SecretIdList' or 'Filters' must be provided, but not both."},
		{"password too short", "GetRandomPassword", &api.GetRandomPasswordInput{PasswordLength: aws.Ptr[int64](3)}, "InvalidParameterException: Password length is too short based on the required types."},
		{"bad page", "ListSecrets", &api.ListSecretsInput{NextToken: aws.Ptr("?")}, "InvalidNextTokenException: The NextToken value is invalid."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := l.Server.Invoke(l.Ctx, "secretsmanager", c.operation, c.in); err == nil || awserr.As(err) == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

const publicPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`

func TestPasswords(t *testing.T) {
	l := newLab(t, gate{})
	yes := aws.Ptr(true)
	for _, c := range []struct {
		name  string
		in    *api.GetRandomPasswordInput
		size  int
		holds []string // each kind is there
		never string
	}{
		{"default", &api.GetRandomPasswordInput{}, 32, []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"}, " "},
		{"as short as its kinds", &api.GetRandomPasswordInput{PasswordLength: aws.Ptr[int64](2), ExcludePunctuation: yes, ExcludeUppercase: yes}, 2, []string{"abcdefghijklmnopqrstuvwxyz", "0123456789"}, "ABC!"},
		{"characters", &api.GetRandomPasswordInput{PasswordLength: aws.Ptr[int64](120), ExcludeCharacters: aws.Ptr("xyzDje@?!.")}, 120, nil, "xyzDje@?!. "},
		{"space", &api.GetRandomPasswordInput{PasswordLength: aws.Ptr[int64](5), IncludeSpace: yes}, 5, []string{" "}, ""},
		{"nothing required", &api.GetRandomPasswordInput{PasswordLength: aws.Ptr[int64](1), RequireEachIncludedType: aws.Ptr(false)}, 1, nil, " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := *wiretest.Must[api.GetRandomPasswordOutput](l, "GetRandomPassword", c.in).RandomPassword
			if len(p) != c.size || strings.ContainsAny(p, c.never) {
				t.Errorf("password %q", p)
			}
			for _, kind := range c.holds {
				if !strings.ContainsAny(p, kind) {
					t.Errorf("%q has none of %q", p, kind)
				}
			}
		})
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t, gate{})
	made := l.create("mine", "v")
	l.create("other", "v")
	narrow := newLabOn(t, gate{Only: []string{"secretsmanager:GetSecretValue " + *made.ARN}}, l)
	if got := narrow.value(&api.GetSecretValueInput{SecretId: aws.Ptr("mine")}); got != "v" {
		t.Errorf("mine: %s", got)
	}
	for operation, in := range map[string]any{
		"CreateSecret":             &api.CreateSecretInput{Name: aws.Ptr("new"), ClientRequestToken: token()},
		"GetSecretValue":           &api.GetSecretValueInput{SecretId: aws.Ptr("other")},
		"BatchGetSecretValue":      &api.BatchGetSecretValueInput{SecretIdList: []string{"mine"}},
		"PutSecretValue":           &api.PutSecretValueInput{SecretId: aws.Ptr("mine"), SecretString: aws.Ptr("w"), ClientRequestToken: token()},
		"UpdateSecret":             &api.UpdateSecretInput{SecretId: aws.Ptr("mine"), ClientRequestToken: token()},
		"DescribeSecret":           &api.DescribeSecretInput{SecretId: aws.Ptr("mine")},
		"ListSecrets":              &api.ListSecretsInput{},
		"ListSecretVersionIds":     &api.ListSecretVersionIdsInput{SecretId: aws.Ptr("mine")},
		"DeleteSecret":             &api.DeleteSecretInput{SecretId: aws.Ptr("mine")},
		"RestoreSecret":            &api.RestoreSecretInput{SecretId: aws.Ptr("none")},
		"UpdateSecretVersionStage": &api.UpdateSecretVersionStageInput{SecretId: aws.Ptr("mine"), VersionStage: aws.Ptr("X"), MoveToVersionId: made.VersionId},
		"GetRandomPassword":        &api.GetRandomPasswordInput{},
		"TagResource":              &api.TagResourceInput{SecretId: aws.Ptr("mine"), Tags: []api.Tag{}},
		"UntagResource":            &api.UntagResourceInput{SecretId: aws.Ptr("mine"), TagKeys: []string{}},
		"PutResourcePolicy":        &api.PutResourcePolicyInput{SecretId: aws.Ptr("mine"), ResourcePolicy: aws.Ptr(publicPolicy)},
		"GetResourcePolicy":        &api.GetResourcePolicyInput{SecretId: aws.Ptr("mine")},
		"DeleteResourcePolicy":     &api.DeleteResourcePolicyInput{SecretId: aws.Ptr("mine")},
		"ValidateResourcePolicy":   &api.ValidateResourcePolicyInput{SecretId: aws.Ptr("mine"), ResourcePolicy: aws.Ptr(publicPolicy)},
	} {
		if _, err := narrow.Server.Invoke(l.Ctx, "secretsmanager", operation, in); !awserr.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", operation, err)
		}
	}
	for _, op := range l.svc.Wire().Operations {
		if op.Free != "" {
			t.Errorf("%s needs no permission", op.Name)
		}
	}
}

func TestASecretsPolicyGrants(t *testing.T) {
	owner := newLab(t, gate{})
	made := owner.create("shared", "v")
	wiretest.Must[api.PutResourcePolicyOutput](owner, "PutResourcePolicy", &api.PutResourcePolicyInput{SecretId: made.ARN, ResourcePolicy: aws.Ptr(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/u"},"Action":"secretsmanager:GetSecretValue","Resource":"*","Condition":{"StringEquals":{"secretsmanager:VersionStage":"AWSCURRENT"}}}]}`)})
	reader := newLabOn(t, gate{Only: []string{}}, owner)
	in := &api.GetSecretValueInput{SecretId: aws.Ptr("shared")}
	if _, err := wiretest.Call[api.GetSecretValueOutput](reader, "GetSecretValue", in); !awserr.Is(err, "AccessDeniedException") {
		t.Errorf("without the condition: %v", err)
	}
	in.VersionStage = aws.Ptr("AWSCURRENT")
	if got := reader.value(in); got != "v" {
		t.Errorf("with it: %s", got)
	}
}
