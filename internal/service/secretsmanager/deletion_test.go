package secretsmanager_test

import (
	"context"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

const week = 7 * 24 * time.Hour

func TestDeletedSecretsCanBeRestored(t *testing.T) {
	l := newLab(t, gate{})
	l.create("s", "v")
	out := wiretest.Must[api.DeleteSecretOutput](l, "DeleteSecret", &api.DeleteSecretInput{SecretId: aws.Ptr("s"), RecoveryWindowInDays: aws.Ptr[int64](7)})
	if !out.DeletionDate.Equal(l.Clock.Now().Add(week)) {
		t.Errorf("deletion at %s", out.DeletionDate)
	}
	if list := wiretest.Must[api.ListSecretsOutput](l, "ListSecrets", &api.ListSecretsInput{}); len(list.SecretList) != 0 {
		t.Errorf("listed: %v", list.SecretList)
	}
	if list := wiretest.Must[api.ListSecretsOutput](l, "ListSecrets", &api.ListSecretsInput{IncludePlannedDeletion: aws.Ptr(true)}); len(list.SecretList) != 1 {
		t.Errorf("planned deletion listed: %v", list.SecretList)
	}
	if d := wiretest.Must[api.DescribeSecretOutput](l, "DescribeSecret", &api.DescribeSecretInput{SecretId: aws.Ptr("s")}); d.DeletedDate == nil {
		t.Error("not described as deleted")
	}
	for operation, in := range map[string]any{
		"GetSecretValue":    &api.GetSecretValueInput{SecretId: aws.Ptr("s")},
		"PutSecretValue":    &api.PutSecretValueInput{SecretId: aws.Ptr("s"), SecretString: aws.Ptr("w"), ClientRequestToken: token()},
		"UpdateSecret":      &api.UpdateSecretInput{SecretId: aws.Ptr("s"), Description: aws.Ptr("w"), ClientRequestToken: token()},
		"TagResource":       &api.TagResourceInput{SecretId: aws.Ptr("s"), Tags: []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}}},
		"GetResourcePolicy": &api.GetResourcePolicyInput{SecretId: aws.Ptr("s")},
		"DeleteSecret":      &api.DeleteSecretInput{SecretId: aws.Ptr("s")},
	} {
		_, err := l.Server.Invoke(l.Ctx, "secretsmanager", operation, in)
		if e := awserr.As(err); e == nil || e.Code != "InvalidRequestException" || e.Message != "You can't perform this operation on the secret because it was marked for deletion." {
			t.Errorf("%s: %v", operation, err)
		}
	}
	_, err := wiretest.Call[api.CreateSecretOutput](l, "CreateSecret", &api.CreateSecretInput{Name: aws.Ptr("s"), ClientRequestToken: token()})
	if e := awserr.As(err); e == nil || e.Message != "You can't create this secret because a secret with this name is already scheduled for deletion." {
		t.Errorf("CreateSecret: %v", err)
	}
	wiretest.Must[api.RestoreSecretOutput](l, "RestoreSecret", &api.RestoreSecretInput{SecretId: aws.Ptr("s")})
	if got := l.value(&api.GetSecretValueInput{SecretId: aws.Ptr("s")}); got != "v" {
		t.Errorf("restored: %s", got)
	}
}

func TestForcedDeletion(t *testing.T) {
	l := newLab(t, gate{})
	first := l.create("s", "v")
	force := &api.DeleteSecretInput{SecretId: aws.Ptr("s"), ForceDeleteWithoutRecovery: aws.Ptr(true)}
	wiretest.Must[api.DeleteSecretOutput](l, "DeleteSecret", &api.DeleteSecretInput{SecretId: aws.Ptr("s")})
	wiretest.Must[api.DeleteSecretOutput](l, "DeleteSecret", force)
	if out := wiretest.Must[api.DeleteSecretOutput](l, "DeleteSecret", force); *out.Name != "s" || out.ARN == nil {
		t.Errorf("deleting what is not there: %v", out)
	}
	if again := l.create("s", "w"); *again.ARN == *first.ARN {
		t.Error("a new secret has the ARN of the old one")
	}
	l.wantStages("s", true, map[string]string{"w": "AWSCURRENT"})
}

func TestRunRemovesSecretsWhoseTimeHasCome(t *testing.T) {
	l := newLab(t, gate{})
	wiretest.Run(t, l.svc.Run, context.Canceled)
	l.create("keep", "v")
	l.create("go", "v")
	wiretest.Must[api.DeleteSecretOutput](l, "DeleteSecret", &api.DeleteSecretInput{SecretId: aws.Ptr("go"), RecoveryWindowInDays: aws.Ptr[int64](7)})
	if err := l.Clock.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.Clock.Advance(week)
	if _, err := wiretest.Call[api.DescribeSecretOutput](l, "DescribeSecret", &api.DescribeSecretInput{SecretId: aws.Ptr("go")}); !awserr.Is(err, "ResourceNotFoundException") {
		t.Errorf("a secret past its window: %v", err)
	}
	// The row itself goes too: a new secret of the name has only its own version.
	l.create("go", "new")
	l.wantStages("go", true, map[string]string{"new": "AWSCURRENT"})
	if got := l.value(&api.GetSecretValueInput{SecretId: aws.Ptr("keep")}); got != "v" {
		t.Errorf("keep: %s", got)
	}
}

func TestValuesAreSealed(t *testing.T) {
	l := newLab(t, gate{})
	l.create("s", "hunter2-in-plain")
	err := l.DB.View(t.Context(), func(tx *store.Tx) error {
		rows, err := sealedRows.List(tx, store.Scope{}, "", 0)
		if len(rows) != 1 || len((*rows[0].Value)["Sealed"].(string)) == 0 {
			t.Errorf("rows %v", rows)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sealedRows reads the table of values as the disk has it.
var sealedRows = &store.Table[map[string]any]{Name: "secretsmanager.version", Version: 1}
