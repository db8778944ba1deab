package secretsmanager_test

import (
	"encoding/json"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestSecretResource(t *testing.T) {
	l := newLab(t, gate{})
	tags := []any{map[string]any{"Key": "k", "Value": "v"}}
	for _, c := range []struct {
		name          string
		made, changed map[string]any
	}{
		{"given", map[string]any{"Name": "n", "SecretString": "a", "Description": "d", "Tags": tags}, map[string]any{"Name": "n", "SecretString": "b"}},
		{"generated", map[string]any{"GenerateSecretString": map[string]any{"PasswordLength": "20"}, "KmsKeyId": "alias/aws/secretsmanager"},
			map[string]any{"GenerateSecretString": map[string]any{"PasswordLength": "30"}, "Description": "e", "KmsKeyId": "alias/aws/secretsmanager", "Tags": tags}},
		{"empty", map[string]any{}, map[string]any{"SecretString": "now"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stacktest.Conform(t, stacktest.Case{Resource: l.svc.Resources()["AWS::SecretsManager::Secret"], Type: "AWS::SecretsManager::Secret",
				Context: l.Ctx, Properties: c.made, Changed: c.changed})
		})
	}
}

func TestResourcePolicyResource(t *testing.T) {
	l := newLab(t, gate{})
	made := l.create("s", "v")
	document := func(action string) map[string]any {
		return map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow",
			"Principal": map[string]any{"AWS": "arn:aws:iam::123456789012:root"}, "Action": action, "Resource": "*"}}}
	}
	stacktest.Conform(t, stacktest.Case{Resource: l.svc.Resources()["AWS::SecretsManager::ResourcePolicy"], Type: "AWS::SecretsManager::ResourcePolicy",
		Context:    l.Ctx,
		Properties: map[string]any{"SecretId": *made.ARN, "ResourcePolicy": document("secretsmanager:GetSecretValue")},
		Changed:    map[string]any{"SecretId": *made.ARN, "ResourcePolicy": document("secretsmanager:*"), "BlockPublicPolicy": true}})
}

func TestGeneratedPasswordsGoIntoTheTemplate(t *testing.T) {
	l := newLab(t, gate{})
	r := stack.Request{StackName: "st", LogicalID: "Secret", Token: "t", Region: "us-east-1", Account: wiretest.Account, Properties: map[string]any{
		"GenerateSecretString": map[string]any{"SecretStringTemplate": `{"username": "a<b"}`, "GenerateStringKey": "password", "PasswordLength": json.Number("12")}}}
	res, err := l.svc.Resources()["AWS::SecretsManager::Secret"].Create(l.Ctx, r, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(l.value(&api.GetSecretValueInput{SecretId: &res.PhysicalID})), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got["username"] != "a<b" || len(got["password"]) != 12 {
		t.Errorf("value %v", got)
	}
}

func TestBadSecretProperties(t *testing.T) {
	l := newLab(t, gate{})
	for want, props := range map[string]map[string]any{
		"You can't specify both SecretString and GenerateSecretString":                  {"SecretString": "a", "GenerateSecretString": map[string]any{}},
		"SecretStringTemplate and GenerateStringKey must be specified together":         {"GenerateSecretString": map[string]any{"GenerateStringKey": "k"}},
		"SecretStringTemplate must be a JSON object":                                    {"GenerateSecretString": map[string]any{"GenerateStringKey": "k", "SecretStringTemplate": "["}},
		"Encountered unsupported property ReplicaRegions":                               {"ReplicaRegions": []any{}},
		"Encountered unsupported property GenerateSecretString.Colour":                  {"GenerateSecretString": map[string]any{"Colour": "red"}},
		"Value of property GenerateSecretString.PasswordLength must be of type Integer": {"GenerateSecretString": map[string]any{"PasswordLength": "many"}},
	} {
		_, err := l.svc.Resources()["AWS::SecretsManager::Secret"].Create(l.Ctx, stack.Request{LogicalID: "S", Properties: props}, func(string) {})
		if err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", props, err, want)
		}
	}
	if list := wiretest.Must[api.ListSecretsOutput](l, "ListSecrets", &api.ListSecretsInput{}); len(list.SecretList) != 0 {
		t.Errorf("left behind: %v", aws.Val(list.SecretList[0].Name))
	}
}
