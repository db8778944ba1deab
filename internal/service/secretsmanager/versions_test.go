package secretsmanager_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func TestNamesOfASecret(t *testing.T) {
	l := newLab(t, gate{})
	made := l.create("app/db-abc123", "v")
	l.create("app/db", "other")
	full := *made.ARN
	if len(full[strings.LastIndex(full, "-")+1:]) != 6 {
		t.Errorf("ARN %s", full)
	}
	for id, want := range map[string]string{
		"app/db-abc123": "v", full: "v", full[:len(full)-7]: "v",
		"arn:aws:secretsmanager:us-east-1:123456789012:secret:app/db": "other",
	} {
		if got := l.value(&api.GetSecretValueInput{SecretId: &id}); got != want {
			t.Errorf("%s is %s, want %s", id, got, want)
		}
	}
}

// stages maps the values of a secret's versions to their labels.
func (l *lab) stages(id string, all bool) map[string]string {
	l.T.Helper()
	out := map[string]string{}
	list := wiretest.Must[api.ListSecretVersionIdsOutput](l, "ListSecretVersionIds", &api.ListSecretVersionIdsInput{SecretId: &id, IncludeDeprecated: &all})
	for _, v := range list.Versions {
		out[l.value(&api.GetSecretValueInput{SecretId: &id, VersionId: v.VersionId})] = strings.Join(v.VersionStages, " ")
	}
	return out
}

func (l *lab) wantStages(id string, all bool, want map[string]string) {
	l.T.Helper()
	if got := l.stages(id, all); !maps.Equal(got, want) {
		l.T.Errorf("labels %v, want %v", got, want)
	}
}

func TestLabelsMove(t *testing.T) {
	l := newLab(t, gate{})
	first := l.create("s", "1")
	second := l.put("s", "2", "AWSPENDING", "MINE")
	l.wantStages("s", false, map[string]string{"1": "AWSCURRENT", "2": "AWSPENDING MINE"})
	wiretest.Must[api.UpdateSecretVersionStageOutput](l, "UpdateSecretVersionStage", &api.UpdateSecretVersionStageInput{SecretId: aws.Ptr("s"),
		VersionStage: aws.Ptr("AWSCURRENT"), MoveToVersionId: second.VersionId, RemoveFromVersionId: first.VersionId})
	l.wantStages("s", false, map[string]string{"1": "AWSPREVIOUS", "2": "AWSCURRENT AWSPENDING MINE"})
	l.put("s", "3")
	l.wantStages("s", false, map[string]string{"2": "AWSPREVIOUS MINE", "3": "AWSCURRENT"})
	l.wantStages("s", true, map[string]string{"1": "", "2": "AWSPREVIOUS MINE", "3": "AWSCURRENT"})
	wiretest.Must[api.UpdateSecretVersionStageOutput](l, "UpdateSecretVersionStage", &api.UpdateSecretVersionStageInput{SecretId: aws.Ptr("s"),
		VersionStage: aws.Ptr("MINE"), RemoveFromVersionId: second.VersionId})
	l.wantStages("s", false, map[string]string{"2": "AWSPREVIOUS", "3": "AWSCURRENT"})
}

func TestTokensMakeRequestsRepeatable(t *testing.T) {
	l := newLab(t, gate{})
	in := &api.CreateSecretInput{Name: aws.Ptr("s"), SecretString: aws.Ptr("v"), ClientRequestToken: token()}
	first, again := wiretest.Must[api.CreateSecretOutput](l, "CreateSecret", in), wiretest.Must[api.CreateSecretOutput](l, "CreateSecret", in)
	if *first.ARN != *again.ARN || *first.VersionId != *again.VersionId || *first.VersionId != *in.ClientRequestToken {
		t.Errorf("%v, then %v", first, again)
	}
	put := &api.PutSecretValueInput{SecretId: aws.Ptr("s"), SecretBinary: []byte{1, 2}, ClientRequestToken: token()}
	wiretest.Must[api.PutSecretValueOutput](l, "PutSecretValue", put)
	wiretest.Must[api.PutSecretValueOutput](l, "PutSecretValue", put)
	put.SecretBinary = []byte{1, 3}
	_, err := wiretest.Call[api.PutSecretValueOutput](l, "PutSecretValue", put)
	want := "You can't use ClientRequestToken " + *put.ClientRequestToken + " because that value is already in use for a version of secret " + *first.ARN + "."
	if e := awserr.As(err); e == nil || e.Code != "ResourceExistsException" || e.Message != want {
		t.Errorf("another value under the same token: %v", err)
	}
	out := wiretest.Must[api.GetSecretValueOutput](l, "GetSecretValue", &api.GetSecretValueInput{SecretId: aws.Ptr("s")})
	if !slices.Equal(out.SecretBinary, []byte{1, 2}) || out.SecretString != nil {
		t.Errorf("value %v", out)
	}
}

func TestOldVersionsWithoutLabelsGo(t *testing.T) {
	l := newLab(t, gate{})
	first := l.create("s", "first")
	wiretest.Must[api.UpdateSecretVersionStageOutput](l, "UpdateSecretVersionStage", &api.UpdateSecretVersionStageInput{SecretId: aws.Ptr("s"),
		VersionStage: aws.Ptr("KEEP"), MoveToVersionId: first.VersionId})
	for range 110 {
		l.put("s", "x")
	}
	list := wiretest.Must[api.ListSecretVersionIdsOutput](l, "ListSecretVersionIds", &api.ListSecretVersionIdsInput{SecretId: aws.Ptr("s"), IncludeDeprecated: aws.Ptr(true)})
	if len(list.Versions) != 100 || *list.Versions[0].VersionId != *first.VersionId {
		t.Errorf("%d versions", len(list.Versions))
	}
}

func TestDescribeTellsDaysAndLabels(t *testing.T) {
	l := newLab(t, gate{})
	in := &api.CreateSecretInput{Name: aws.Ptr("s"), ClientRequestToken: token(), Tags: []api.Tag{{Key: aws.Ptr("b"), Value: aws.Ptr("1")}, {Key: aws.Ptr("a"), Value: aws.Ptr("2")}}}
	if out := wiretest.Must[api.CreateSecretOutput](l, "CreateSecret", in); out.VersionId != nil {
		t.Errorf("a secret without a value has version %s", *out.VersionId)
	}
	d := wiretest.Must[api.DescribeSecretOutput](l, "DescribeSecret", &api.DescribeSecretInput{SecretId: aws.Ptr("s")})
	if d.VersionIdsToStages != nil || d.LastAccessedDate != nil || d.Description != nil || len(d.Tags) != 2 || *d.Tags[0].Key != "b" {
		t.Errorf("%+v", d)
	}
	l.Clock.Advance(time.Hour)
	l.put("s", "v")
	l.value(&api.GetSecretValueInput{SecretId: aws.Ptr("s")})
	d = wiretest.Must[api.DescribeSecretOutput](l, "DescribeSecret", &api.DescribeSecretInput{SecretId: aws.Ptr("s")})
	if len(d.VersionIdsToStages) != 1 || !d.LastAccessedDate.Equal(time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)) ||
		!d.LastChangedDate.Equal(l.Clock.Now()) || d.CreatedDate.Equal(*d.LastChangedDate) {
		t.Errorf("%+v", d)
	}
}

func TestListFiltersAndPages(t *testing.T) {
	l := newLab(t, gate{})
	for name, description := range map[string]string{"testing1/one": "a secret", "/testing2/two": "an secret", "testing3/three": "asecret", "/testing4/four": "thesecret"} {
		wiretest.Must[api.CreateSecretOutput](l, "CreateSecret", &api.CreateSecretInput{Name: &name, Description: &description, ClientRequestToken: token(),
			Tags: []api.Tag{{Key: aws.Ptr("Team"), Value: aws.Ptr(strings.Trim(name, "/")[:8])}}})
	}
	for _, c := range []struct{ key, value, want string }{
		{"name", "/", "/testing2/two /testing4/four"},
		{"name", "!/", "testing1/one testing3/three"},
		{"name", "testing1 one", ""},
		{"name", "Testing1", ""},
		{"description", "a", "/testing2/two testing1/one testing3/three"},
		{"description", "!a", "/testing4/four"},
		{"description", "A Secret", "/testing2/two testing1/one"},
		{"tag-key", "Te", "/testing2/two /testing4/four testing1/one testing3/three"},
		{"tag-key", "te", ""},
		{"tag-value", "testing3", "testing3/three"},
		{"all", "FOUR", "/testing4/four"},
		{"primary-region", "us", ""},
	} {
		in := &api.ListSecretsInput{SortBy: "name", MaxResults: aws.Ptr[int32](1), Filters: []api.Filter{{Key: api.FilterNameStringType(c.key), Values: []string{c.value}}}}
		var got []string
		for {
			out := wiretest.Must[api.ListSecretsOutput](l, "ListSecrets", in)
			for _, e := range out.SecretList {
				got = append(got, *e.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %q: %v, want %s", c.key, c.value, got, c.want)
		}
	}
}

func TestBatchTellsValuesAndErrors(t *testing.T) {
	l := newLab(t, gate{})
	l.create("a", "1")
	l.create("b", "2")
	out := wiretest.Must[api.BatchGetSecretValueOutput](l, "BatchGetSecretValue", &api.BatchGetSecretValueInput{SecretIdList: []string{"a", "none"}})
	if len(out.SecretValues) != 1 || *out.SecretValues[0].SecretString != "1" || len(out.Errors) != 1 || *out.Errors[0].ErrorCode != "ResourceNotFoundException" {
		t.Errorf("%+v", out)
	}
	out = wiretest.Must[api.BatchGetSecretValueOutput](l, "BatchGetSecretValue", &api.BatchGetSecretValueInput{Filters: []api.Filter{{Key: "name", Values: []string{"b"}}}})
	if len(out.SecretValues) != 1 || *out.SecretValues[0].Name != "b" {
		t.Errorf("%+v", out)
	}
}
