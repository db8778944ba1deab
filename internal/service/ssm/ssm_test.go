package ssm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/service/ssm"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

type gate = wiretest.Gate

type lab struct {
	*wiretest.Lab
	svc *ssm.Service
}

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{Lab: wiretest.New(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), g)}
	l.svc = ssm.New(ssm.Config{DB: l.DB, Sealer: l.Sealer, Invoker: l.Server,
		ImageID: func(name string) string { return "ami-0123456789abcdef0" }})
	l.Register(l.svc.Wire())
	return l
}

func put(name, value string, kind api.ParameterType) *api.PutParameterInput {
	return &api.PutParameterInput{Name: &name, Value: &value, Type: kind}
}

func TestVersionsAndSelectors(t *testing.T) {
	l := newLab(t, gate{})
	wiretest.Must[api.PutParameterOutput](l, "PutParameter", put("/app/a", "one", "String"))
	in := put("/app/a", "two", "")
	in.Overwrite = aws.Ptr(true)
	if out := wiretest.Must[api.PutParameterOutput](l, "PutParameter", in); *out.Version != 2 {
		t.Errorf("version %d", *out.Version)
	}
	for name, want := range map[string]string{"/app/a": "two", "/app/a:1": "one", "/app/a:2": "two",
		"arn:aws:ssm:us-east-1:123456789012:parameter/app/a": "two"} {
		out := wiretest.Must[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: &name})
		if *out.Parameter.Value != want || *out.Parameter.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter/app/a" {
			t.Errorf("%s = %s, %s", name, *out.Parameter.Value, *out.Parameter.ARN)
		}
	}
}

func TestSecureStringIsSealed(t *testing.T) {
	l := newLab(t, gate{})
	wiretest.Must[api.PutParameterOutput](l, "PutParameter", put("pw", "hunter2", "SecureString"))
	for decrypt, want := range map[bool]bool{true: true, false: false} {
		out := wiretest.Must[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("pw"), WithDecryption: &decrypt})
		if got := *out.Parameter.Value == "hunter2"; got != want {
			t.Errorf("WithDecryption=%v shows %q", decrypt, *out.Parameter.Value)
		}
	}
}

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	wiretest.Must[api.PutParameterOutput](l, "PutParameter", put("there", "v", "String"))
	for _, c := range []struct {
		name, operation string
		in              any
		code            string
	}{
		{"absent", "GetParameter", &api.GetParameterInput{Name: aws.Ptr("absent")}, "ParameterNotFound"},
		{"absent window", "GetMaintenanceWindow", &api.GetMaintenanceWindowInput{WindowId: aws.Ptr("mw-00000000000000000")}, "DoesNotExistException"},
		{"absent version", "GetParameter", &api.GetParameterInput{Name: aws.Ptr("there:9")}, "ParameterVersionNotFound"},
		{"delete absent", "DeleteParameter", &api.DeleteParameterInput{Name: aws.Ptr("absent")}, "ParameterNotFound"},
		{"exists", "PutParameter", put("there", "w", "String"), "ParameterAlreadyExists"},
		{"no type", "PutParameter", put("new", "w", ""), "ValidationException"},
		{"reserved name", "PutParameter", put("/aws/x", "w", "String"), "AccessDeniedException"},
		{"public name is read-only", "PutParameter", put("/aws/service/debian/release/12/latest/amd64", "w", "String"), "AccessDeniedException"},
		{"too long", "PutParameter", put("long", strings.Repeat("x", 4097), "String"), "ValidationException"},
		{"unknown public name", "GetParameter", &api.GetParameterInput{Name: aws.Ptr("/aws/service/ami-amazon-linux-latest/nonsense")}, "ParameterNotFound"},
		{"own key", "PutParameter", &api.PutParameterInput{Name: aws.Ptr("k"), Value: aws.Ptr("v"), Type: "SecureString", KeyId: aws.Ptr("alias/mine")}, "NotImplemented"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := l.Server.Invoke(l.Ctx, "ssm", c.operation, c.in)
			if !awserr.Is(err, c.code) {
				t.Errorf("error %v, want %s", err, c.code)
			}
		})
	}
}

func TestPublicNames(t *testing.T) {
	l := newLab(t, gate{})
	names := []string{
		"/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
		"/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
		"/aws/service/debian/release/12/latest/amd64",
		"/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
	}
	out := wiretest.Must[api.GetParametersOutput](l, "GetParameters", &api.GetParametersInput{Names: names})
	if len(out.Parameters) != 4 || !slices.Equal(out.InvalidParameters, names[4:]) {
		t.Fatalf("%d found, invalid %v", len(out.Parameters), out.InvalidParameters)
	}
	if p := out.Parameters[0]; *p.Value != "ami-0123456789abcdef0" || *p.ARN != "arn:aws:ssm:us-east-1::parameter/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2" {
		t.Errorf("%s %s", *p.Value, *p.ARN)
	}
	path := wiretest.Must[api.GetParametersByPathOutput](l, "GetParametersByPath", &api.GetParametersByPathInput{Path: aws.Ptr("/aws/service/ami-amazon-linux-latest")})
	if len(path.Parameters) != 6 {
		t.Errorf("%d by path", len(path.Parameters))
	}
}

func TestPathsFiltersAndPages(t *testing.T) {
	l := newLab(t, gate{})
	for _, n := range []string{"/a/1", "/a/2", "/a/b/3", "/c"} {
		wiretest.Must[api.PutParameterOutput](l, "PutParameter", put(n, "v", "String"))
	}
	for _, c := range []struct {
		path      string
		recursive bool
		want      int
	}{{"/a", false, 2}, {"/a/", true, 3}, {"/", false, 1}, {"/", true, 4}} {
		in := &api.GetParametersByPathInput{Path: &c.path, Recursive: &c.recursive, MaxResults: aws.Ptr[int32](2)}
		got := 0
		for {
			out := wiretest.Must[api.GetParametersByPathOutput](l, "GetParametersByPath", in)
			got += len(out.Parameters)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if got != c.want {
			t.Errorf("below %s (recursive %v): %d, want %d", c.path, c.recursive, got, c.want)
		}
	}
	out := wiretest.Must[api.DescribeParametersOutput](l, "DescribeParameters", &api.DescribeParametersInput{
		ParameterFilters: []api.ParameterStringFilter{{Key: aws.Ptr("Name"), Option: aws.Ptr("BeginsWith"), Values: []string{"/a/b"}}}})
	if len(out.Parameters) != 1 || *out.Parameters[0].Name != "/a/b/3" {
		t.Errorf("described %v", out.Parameters)
	}
}

func TestListTags(t *testing.T) {
	l := newLab(t, gate{})
	wiretest.Must[api.PutParameterOutput](l, "PutParameter", put("/tagged", "v", "String"))
	wiretest.Must[api.AddTagsToResourceOutput](l, "AddTagsToResource", &api.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: aws.Ptr("/tagged"),
		Tags: []api.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}}})
	for _, tt := range []struct{ name, kind, id, want string }{
		{"tags", "Parameter", "/tagged", "k=v"},
		{"no such parameter", "Parameter", "/none", "InvalidResourceId"},
		{"of another type", "Document", "/tagged", "InvalidResourceType"},
	} {
		out, err := wiretest.Call[api.ListTagsForResourceOutput](l, "ListTagsForResource",
			&api.ListTagsForResourceInput{ResourceType: api.ResourceTypeForTagging(tt.kind), ResourceId: &tt.id})
		got := ""
		if e := awserr.As(err); e != nil {
			got = e.Code
		} else if err == nil {
			for _, tag := range out.TagList {
				got += *tag.Key + "=" + *tag.Value
			}
		}
		if got != tt.want {
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t, gate{Only: []string{"ssm:GetParameter arn:aws:ssm:us-east-1:123456789012:parameter/mine"}})
	if _, err := wiretest.Call[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("/mine")}); !awserr.Is(err, "ParameterNotFound") {
		t.Errorf("own parameter: %v", err)
	}
	name := aws.Ptr("/other")
	for operation, in := range map[string]any{
		"GetParameter":            &api.GetParameterInput{Name: name},
		"GetParameterHistory":     &api.GetParameterHistoryInput{Name: name},
		"GetMaintenanceWindow":    &api.GetMaintenanceWindowInput{WindowId: aws.Ptr("mw-00000000000000000")},
		"LabelParameterVersion":   &api.LabelParameterVersionInput{Name: name, Labels: []string{"l"}},
		"UnlabelParameterVersion": &api.UnlabelParameterVersionInput{Name: name, ParameterVersion: aws.Ptr[int64](1), Labels: []string{"l"}},
		"GetParameters":           &api.GetParametersInput{Names: []string{"/mine", "/other"}},
		"GetParametersByPath":     &api.GetParametersByPathInput{Path: name},
		"PutParameter":            put("/other", "v", "String"),
		"DeleteParameter":         &api.DeleteParameterInput{Name: name},
		"DeleteParameters":        &api.DeleteParametersInput{Names: []string{"/other"}},
		"DescribeParameters":      &api.DescribeParametersInput{},
		"AddTagsToResource":       &api.AddTagsToResourceInput{ResourceType: "Parameter", ResourceId: name, Tags: []api.Tag{}},
		"RemoveTagsFromResource":  &api.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: name, TagKeys: []string{}},
		"ListTagsForResource":     &api.ListTagsForResourceInput{ResourceType: "Parameter", ResourceId: name},
	} {
		if _, err := l.Server.Invoke(l.Ctx, "ssm", operation, in); !awserr.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestParameterResource(t *testing.T) {
	l := newLab(t, gate{})
	stacktest.Conform(t, stacktest.Case{
		Resource: l.svc.Resources()["AWS::SSM::Parameter"], Type: "AWS::SSM::Parameter", Context: l.Ctx,
		Properties: map[string]any{"Type": "String", "Value": "a", "Tags": map[string]any{"k": "v"}},
		Changed:    map[string]any{"Type": "String", "Value": "b"},
	})
}
