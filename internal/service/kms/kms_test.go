package kms_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/kms"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/kms"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

type gate bool

func (g gate) Authorize(_ context.Context, c aws.Check) error {
	if g {
		return nil
	}
	return &aws.Denied{Action: c.Action, Resource: c.Resource, Reason: "no identity-based policy allows the " + c.Action + " action"}
}

func serve(t *testing.T, g gate) (*wire.Server, context.Context) {
	t.Helper()
	server := wire.NewServer(wire.Config{Authorizer: g, Account: "123456789012", Region: "us-east-1"})
	if err := server.Register(kms.New().Wire()); err != nil {
		t.Fatal(err)
	}
	return server, aws.WithCall(t.Context(), aws.Call{Account: "123456789012", Region: "us-east-1"})
}

func TestThereAreNoKeys(t *testing.T) {
	server, ctx := serve(t, true)
	for _, operation := range []string{"ListKeys", "ListAliases"} {
		if _, err := server.Invoke(ctx, "kms", operation, map[string]any{"ListKeys": &api.ListKeysInput{}, "ListAliases": &api.ListAliasesInput{}}[operation]); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	for id, want := range map[string]string{
		"alias/own": "NotFoundException: Alias arn:aws:kms:us-east-1:123456789012:alias/own is not found.",
		"1234":      "NotFoundException: Key 'arn:aws:kms:us-east-1:123456789012:key/1234' does not exist",
	} {
		if _, err := server.Invoke(ctx, "kms", "DescribeKey", &api.DescribeKeyInput{KeyId: &id}); err == nil || awserr.As(err) == nil || err.Error() != want {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := server.Invoke(ctx, "kms", "CreateKey", nil); !awserr.Is(err, "NotImplemented") {
		t.Errorf("CreateKey: %v", err)
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	server, ctx := serve(t, false)
	for operation, in := range map[string]any{"ListKeys": &api.ListKeysInput{}, "ListAliases": &api.ListAliasesInput{}, "DescribeKey": &api.DescribeKeyInput{KeyId: aws.Ptr("alias/x")}} {
		if _, err := server.Invoke(ctx, "kms", operation, in); !awserr.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestTypesAreKnownAndRefused(t *testing.T) {
	types := kms.New().Resources()
	for _, name := range []string{"AWS::KMS::Key", "AWS::KMS::Alias"} {
		_, err := types[name].Create(t.Context(), stack.Request{Type: name}, func(string) { t.Errorf("%s was made", name) })
		want := "NotImplemented: hardstand does not implement KMS: " + name + " cannot be made. What is kept is sealed with the server's own key."
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := types[name].Read(t.Context(), stack.Request{}); !errors.Is(err, stack.ErrNotFound) {
			t.Errorf("%s is there: %v", name, err)
		}
		if err := types[name].Delete(t.Context(), stack.Request{}); err != nil {
			t.Errorf("delete %s: %v", name, err)
		}
	}
}
