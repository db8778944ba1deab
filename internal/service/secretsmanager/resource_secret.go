package secretsmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// Resources returns the resource types that templates may use.
func (s *Service) Resources() stack.Registry {
	return stack.Registry{
		"AWS::SecretsManager::Secret":         resourceSecret{s},
		"AWS::SecretsManager::ResourcePolicy": resourcePolicy{s},
	}
}

// resourceSecret is AWS::SecretsManager::Secret; its physical id is the ARN.
type resourceSecret struct{ s *Service }

type secretProperties struct {
	Name                 *string
	Description          *string
	KmsKeyId             *string //nolint:revive // the property's name
	SecretString         *string
	GenerateSecretString *generateProperties
	Tags                 []stack.Tag
}

type generateProperties struct {
	ExcludeCharacters       *string
	ExcludeLowercase        *bool
	ExcludeNumbers          *bool
	ExcludePunctuation      *bool
	ExcludeUppercase        *bool
	IncludeSpace            *bool
	PasswordLength          *int64
	RequireEachIncludedType *bool
	GenerateStringKey       *string
	SecretStringTemplate    *string
}

func (resourceSecret) Schema() stack.Schema {
	sc := stack.SchemaOf(secretProperties{})
	sc.Attributes, sc.Taggable, sc.NameProperty = []string{"Id"}, true, "Name"
	return sc
}

func secretResult(arn string) stack.Result {
	return stack.Result{PhysicalID: arn, Attributes: map[string]any{"Id": arn}}
}

func decodeSecret(r stack.Request) (*secretProperties, error) {
	p := &secretProperties{}
	if err := stack.Decode(r.Properties, p); err != nil {
		return nil, err
	}
	g := p.GenerateSecretString
	switch {
	case p.SecretString != nil && g != nil:
		return nil, &stack.PropertyError{Message: "You can't specify both SecretString and GenerateSecretString"}
	case g != nil && (g.SecretStringTemplate == nil) != (g.GenerateStringKey == nil):
		return nil, &stack.PropertyError{Message: "SecretStringTemplate and GenerateStringKey must be specified together"}
	}
	return p, nil
}

// secretName is the name of a secret whose template gives none: on AWS it lacks
// the stack's.
func secretName(r stack.Request) string {
	return strings.TrimPrefix(r.Name(200+len(r.StackName)), r.StackName+"-")
}

func (t resourceSecret) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	p, err := decodeSecret(r)
	if err != nil {
		return stack.Result{}, err
	}
	text, err := t.text(ctx, p)
	if err != nil {
		return stack.Result{}, err
	}
	in := &api.CreateSecretInput{Name: p.Name, Description: p.Description, KmsKeyId: p.KmsKeyId, SecretString: text,
		ClientRequestToken: aws.Ptr(versionToken(r, "create")), Tags: apiTags(r.TagsWith(p.Tags))}
	if in.Name == nil {
		in.Name = aws.Ptr(secretName(r))
	}
	out, err := wire.Call[api.CreateSecretOutput](ctx, t.s.cfg.Invoker, name, "CreateSecret", in)
	if err != nil {
		return stack.Result{}, err
	}
	started(*out.ARN)
	return secretResult(*out.ARN), nil
}

// versionToken names the version that a step on the resource makes, each time it is
// repeated.
func versionToken(r stack.Request, step string) string {
	sum := sha256.Sum256([]byte(step + "\x00" + r.Token + "\x00" + strconv.Itoa(r.Operation) + "\x00" + strconv.FormatBool(r.Undo)))
	return hex.EncodeToString(sum[:])
}

func apiTags(tags []stack.Tag) []api.Tag {
	var out []api.Tag
	for _, tag := range tags {
		out = append(out, api.Tag{Key: &tag.Key, Value: &tag.Value})
	}
	return out
}

// text is the value that the properties ask for, nil for none.
func (t resourceSecret) text(ctx context.Context, p *secretProperties) (*string, error) {
	g := p.GenerateSecretString
	if g == nil {
		return p.SecretString, nil
	}
	out, err := wire.Call[api.GetRandomPasswordOutput](ctx, t.s.cfg.Invoker, name, "GetRandomPassword", &api.GetRandomPasswordInput{
		PasswordLength: g.PasswordLength, ExcludeCharacters: g.ExcludeCharacters, ExcludeNumbers: g.ExcludeNumbers,
		ExcludePunctuation: g.ExcludePunctuation, ExcludeUppercase: g.ExcludeUppercase, ExcludeLowercase: g.ExcludeLowercase,
		IncludeSpace: g.IncludeSpace, RequireEachIncludedType: g.RequireEachIncludedType})
	if err != nil || g.SecretStringTemplate == nil {
		return aws.Ptr(aws.Val(passwordOf(out))), err
	}
	object := map[string]any{}
	if err := json.Unmarshal([]byte(*g.SecretStringTemplate), &object); err != nil {
		return nil, &stack.PropertyError{Message: "SecretStringTemplate must be a JSON object"}
	}
	object[*g.GenerateStringKey] = aws.Val(out.RandomPassword)
	text, err := plainJSON(object)
	return &text, err
}

func passwordOf(out *api.GetRandomPasswordOutput) *string {
	if out == nil {
		return nil
	}
	return out.RandomPassword
}

// plainJSON encodes without the escapes that are meant for HTML.
func plainJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("encode a secret's value: %w", err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func (t resourceSecret) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	out, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return stack.Result{}, err
	}
	return secretResult(*out.ARN), nil
}

// describe takes a secret that is marked for deletion for gone.
func (t resourceSecret) describe(ctx context.Context, id string) (*api.DescribeSecretOutput, error) {
	out, err := wire.Call[api.DescribeSecretOutput](ctx, t.s.cfg.Invoker, name, "DescribeSecret", &api.DescribeSecretInput{SecretId: &id})
	if awserr.Is(err, "ResourceNotFoundException") || err == nil && out.DeletedDate != nil {
		return nil, stack.ErrNotFound
	}
	return out, err
}

func (t resourceSecret) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	p, err := decodeSecret(r)
	if err != nil {
		return stack.Result{}, err
	}
	var old secretProperties
	if err := stack.Decode(r.OldProperties, &old); err != nil {
		return stack.Result{}, err
	}
	in := &api.UpdateSecretInput{SecretId: &r.PhysicalID, Description: aws.Ptr(aws.Val(p.Description)), KmsKeyId: p.KmsKeyId,
		ClientRequestToken: aws.Ptr(versionToken(r, "update"))}
	if !reflect.DeepEqual(p.SecretString, old.SecretString) || !reflect.DeepEqual(p.GenerateSecretString, old.GenerateSecretString) {
		if in.SecretString, err = t.text(ctx, p); err != nil {
			return stack.Result{}, err
		}
	}
	_, err = wire.Call[api.UpdateSecretOutput](ctx, t.s.cfg.Invoker, name, "UpdateSecret", in)
	if awserr.Is(err, "ResourceExistsException") && p.GenerateSecretString != nil {
		err = nil // repeated after a crash: the first password stays
	}
	if err != nil {
		return stack.Result{}, err
	}
	return secretResult(r.PhysicalID), t.retag(ctx, r.PhysicalID, r.TagsBefore(old.Tags), r.TagsWith(p.Tags))
}

func (t resourceSecret) retag(ctx context.Context, id string, old, want []stack.Tag) error {
	if gone := stack.TagsGone(old, want); len(gone) > 0 {
		in := &api.UntagResourceInput{SecretId: &id, TagKeys: gone}
		if _, err := wire.Call[api.UntagResourceOutput](ctx, t.s.cfg.Invoker, name, "UntagResource", in); err != nil {
			return err
		}
	}
	if len(want) == 0 || slices.Equal(old, want) {
		return nil
	}
	_, err := wire.Call[api.TagResourceOutput](ctx, t.s.cfg.Invoker, name, "TagResource", &api.TagResourceInput{SecretId: &id, Tags: apiTags(want)})
	return err
}

func (t resourceSecret) Delete(ctx context.Context, r stack.Request) error {
	_, err := wire.Call[api.DeleteSecretOutput](ctx, t.s.cfg.Invoker, name, "DeleteSecret",
		&api.DeleteSecretInput{SecretId: &r.PhysicalID, ForceDeleteWithoutRecovery: aws.Ptr(true)})
	if awserr.Is(err, "ResourceNotFoundException") {
		return nil
	}
	return err
}

// Live implements stack.Live. Values are not compared: AWS does not read them
// either.
func (t resourceSecret) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	out, err := t.describe(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"Name": *out.Name, "Description": nil, "KmsKeyId": nil}
	if out.Description != nil {
		live["Description"] = *out.Description
	}
	if out.KmsKeyId != nil {
		live["KmsKeyId"] = *out.KmsKeyId
	}
	tags := []any{}
	for _, tag := range out.Tags {
		tags = append(tags, map[string]any{"Key": *tag.Key, "Value": aws.Val(tag.Value)})
	}
	live["Tags"] = tags
	return live, nil
}
