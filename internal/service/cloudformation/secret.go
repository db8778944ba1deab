package cloudformation

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/wire"
)

// secretReference is what stands behind {{resolve:secretsmanager: in a template:
// id:SecretString:key:stage:version, all but the id optional.
type secretReference struct{ id, key, stage, version string }

// arnParts is how many parts the ARN of a secret has.
const arnParts = 7

func parseSecretReference(text string) (secretReference, error) {
	parts := strings.Split(text, ":")
	n := 1
	if parts[0] == "arn" {
		n = min(arnParts, len(parts))
	}
	ref := secretReference{id: strings.Join(parts[:n], ":")}
	rest := append(parts[n:], "", "", "", "")
	malformed := invalid("Incorrect format is used in the following reference: [{{resolve:secretsmanager:%s}}]", text)
	if ref.id == "" || len(parts)-n > 4 || rest[0] != "" && rest[0] != "SecretString" || rest[2] != "" && rest[3] != "" {
		return ref, malformed
	}
	ref.key, ref.stage, ref.version = rest[1], rest[2], rest[3]
	return ref, nil
}

// secret resolves a reference to Secrets Manager, as the caller in ctx.
func (o Outside) secret(ctx context.Context, text string) (string, error) {
	ref, err := parseSecretReference(text)
	if err != nil {
		return "", err
	}
	in := &secretsmanager.GetSecretValueInput{SecretId: &ref.id, VersionStage: optional(ref.stage), VersionId: optional(ref.version)}
	out, err := wire.Call[secretsmanager.GetSecretValueOutput](ctx, o.Invoker, "secretsmanager", "GetSecretValue", in)
	if err != nil {
		return "", err
	}
	value := aws.Val(out.SecretString)
	if out.SecretString == nil {
		return "", invalid("Secret %s has no SecretString", ref.id)
	}
	if ref.key == "" {
		return value, nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(value)))
	d.UseNumber()
	var members map[string]any
	if d.Decode(&members) != nil {
		return "", invalid("Could not parse SecretString JSON")
	}
	member, ok := members[ref.key]
	if !ok {
		return "", invalid("Could not find a value associated with JSONKey in SecretString")
	}
	if s, ok := member.(string); ok {
		return s, nil
	}
	encoded, err := json.Marshal(member)
	return string(encoded), err
}
