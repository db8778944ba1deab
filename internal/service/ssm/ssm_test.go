package ssm_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/ssm"
	"github.com/hardstand/hardstand/internal/stack/stacktest"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
	"github.com/hardstand/hardstand/internal/wire"
)

// gate lets through what it names; without names, everything.
type gate struct{ only []string }

func (g gate) Authorize(ctx context.Context, c aws.Check) error {
	if g.only == nil || slices.Contains(g.only, c.Action+" "+c.Resource) {
		return nil
	}
	return &aws.Denied{Principal: aws.CallFrom(ctx).Principal.ARN, Action: c.Action, Resource: c.Resource,
		Reason: "no identity-based policy allows the " + c.Action + " action"}
}

type lab struct {
	t      *testing.T
	db     *store.DB
	server *wire.Server
	svc    *ssm.Service
	clock  *clock.Manual
	ctx    context.Context
}

func newLab(t *testing.T, g gate) *lab {
	t.Helper()
	l := &lab{t: t, clock: clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	l.db = storetest.NewWithClock(t, l.clock)
	l.server = wire.NewServer(wire.Config{Authorizer: g, Account: "123456789012", Region: "us-east-1"})
	l.svc = ssm.New(ssm.Config{DB: l.db, Sealer: storetest.NewSealer(t), Invoker: l.server,
		ImageID: func(name string) string { return "ami-0123456789abcdef0" }})
	if err := l.server.Register(l.svc.Wire()); err != nil {
		t.Fatal(err)
	}
	l.ctx = aws.WithCall(t.Context(), aws.Call{Account: "123456789012", Region: "us-east-1",
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: "123456789012", ARN: "arn:aws:iam::123456789012:user/u"}})
	return l
}

func call[O any](l *lab, operation string, in any) (*O, error) {
	return wire.Call[O](l.ctx, l.server, "ssm", operation, in)
}

func must[O any](l *lab, operation string, in any) *O {
	l.t.Helper()
	out, err := call[O](l, operation, in)
	if err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func put(name, value string, kind api.ParameterType) *api.PutParameterInput {
	return &api.PutParameterInput{Name: &name, Value: &value, Type: kind}
}

func TestVersionsAndSelectors(t *testing.T) {
	l := newLab(t, gate{})
	must[api.PutParameterOutput](l, "PutParameter", put("/app/a", "one", "String"))
	in := put("/app/a", "two", "")
	in.Overwrite = aws.Ptr(true)
	if out := must[api.PutParameterOutput](l, "PutParameter", in); *out.Version != 2 {
		t.Errorf("version %d", *out.Version)
	}
	for name, want := range map[string]string{"/app/a": "two", "/app/a:1": "one", "/app/a:2": "two",
		"arn:aws:ssm:us-east-1:123456789012:parameter/app/a": "two"} {
		out := must[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: &name})
		if *out.Parameter.Value != want || *out.Parameter.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter/app/a" {
			t.Errorf("%s = %s, %s", name, *out.Parameter.Value, *out.Parameter.ARN)
		}
	}
}

func TestSecureStringIsSealed(t *testing.T) {
	l := newLab(t, gate{})
	must[api.PutParameterOutput](l, "PutParameter", put("pw", "hunter2", "SecureString"))
	for decrypt, want := range map[bool]bool{true: true, false: false} {
		out := must[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("pw"), WithDecryption: &decrypt})
		if got := *out.Parameter.Value == "hunter2"; got != want {
			t.Errorf("WithDecryption=%v shows %q", decrypt, *out.Parameter.Value)
		}
	}
}

func TestErrors(t *testing.T) {
	l := newLab(t, gate{})
	must[api.PutParameterOutput](l, "PutParameter", put("there", "v", "String"))
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
			_, err := l.server.Invoke(l.ctx, "ssm", c.operation, c.in)
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
	out := must[api.GetParametersOutput](l, "GetParameters", &api.GetParametersInput{Names: names})
	if len(out.Parameters) != 4 || !slices.Equal(out.InvalidParameters, names[4:]) {
		t.Fatalf("%d found, invalid %v", len(out.Parameters), out.InvalidParameters)
	}
	if p := out.Parameters[0]; *p.Value != "ami-0123456789abcdef0" || *p.ARN != "arn:aws:ssm:us-east-1::parameter/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2" {
		t.Errorf("%s %s", *p.Value, *p.ARN)
	}
	path := must[api.GetParametersByPathOutput](l, "GetParametersByPath", &api.GetParametersByPathInput{Path: aws.Ptr("/aws/service/ami-amazon-linux-latest")})
	if len(path.Parameters) != 6 {
		t.Errorf("%d by path", len(path.Parameters))
	}
}

func TestPathsFiltersAndPages(t *testing.T) {
	l := newLab(t, gate{})
	for _, n := range []string{"/a/1", "/a/2", "/a/b/3", "/c"} {
		must[api.PutParameterOutput](l, "PutParameter", put(n, "v", "String"))
	}
	for _, c := range []struct {
		path      string
		recursive bool
		want      int
	}{{"/a", false, 2}, {"/a/", true, 3}, {"/", false, 1}, {"/", true, 4}} {
		in := &api.GetParametersByPathInput{Path: &c.path, Recursive: &c.recursive, MaxResults: aws.Ptr[int32](2)}
		got := 0
		for {
			out := must[api.GetParametersByPathOutput](l, "GetParametersByPath", in)
			got += len(out.Parameters)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if got != c.want {
			t.Errorf("below %s (recursive %v): %d, want %d", c.path, c.recursive, got, c.want)
		}
	}
	out := must[api.DescribeParametersOutput](l, "DescribeParameters", &api.DescribeParametersInput{
		ParameterFilters: []api.ParameterStringFilter{{Key: aws.Ptr("Name"), Option: aws.Ptr("BeginsWith"), Values: []string{"/a/b"}}}})
	if len(out.Parameters) != 1 || *out.Parameters[0].Name != "/a/b/3" {
		t.Errorf("described %v", out.Parameters)
	}
}

func TestEveryOperationNeedsItsPermission(t *testing.T) {
	l := newLab(t, gate{only: []string{"ssm:GetParameter arn:aws:ssm:us-east-1:123456789012:parameter/mine"}})
	if _, err := call[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("/mine")}); !awserr.Is(err, "ParameterNotFound") {
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
		if _, err := l.server.Invoke(l.ctx, "ssm", operation, in); !awserr.Is(err, "AccessDeniedException") {
			t.Errorf("%s: %v", operation, err)
		}
	}
}

func TestParameterResource(t *testing.T) {
	l := newLab(t, gate{})
	stacktest.Conform(t, stacktest.Case{
		Resource: l.svc.Resources()["AWS::SSM::Parameter"], Type: "AWS::SSM::Parameter", Context: l.ctx,
		Properties: map[string]any{"Type": "String", "Value": "a", "Tags": map[string]any{"k": "v"}},
		Changed:    map[string]any{"Type": "String", "Value": "b"},
	})
}
