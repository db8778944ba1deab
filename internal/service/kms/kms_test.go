package kms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/kms"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/kms"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func serve(t *testing.T, g wiretest.Gate) (*wire.Server, context.Context) {
	t.Helper()
	l := wiretest.New(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), g)
	l.Register(kms.New().Wire())
	return l.Server, l.Ctx
}

func TestThereAreNoKeys(t *testing.T) {
	server, ctx := serve(t, wiretest.Gate{})
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
	server, ctx := serve(t, wiretest.Gate{Only: []string{}})
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
