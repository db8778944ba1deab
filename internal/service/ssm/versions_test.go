package ssm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/secretsmanager"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

func (l *lab) over(name, value string, change ...func(*api.PutParameterInput)) {
	l.T.Helper()
	in := put(name, value, "String")
	in.Overwrite = aws.Ptr(true)
	for _, f := range change {
		f(in)
	}
	wiretest.Must[api.PutParameterOutput](l, "PutParameter", in)
}

func label(l *lab, name string, version int64, labels ...string) *api.LabelParameterVersionOutput {
	l.T.Helper()
	return wiretest.Must[api.LabelParameterVersionOutput](l, "LabelParameterVersion", &api.LabelParameterVersionInput{Name: &name, ParameterVersion: &version, Labels: labels})
}

func value(l *lab, name string) string {
	l.T.Helper()
	return *wiretest.Must[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: &name, WithDecryption: aws.Ptr(true)}).Parameter.Value
}

func TestHistoryRemembersEachVersion(t *testing.T) {
	l := newLab(t, gate{})
	l.over("h", "one", func(in *api.PutParameterInput) { in.Description = aws.Ptr("first") })
	l.over("h", "two", func(in *api.PutParameterInput) { in.Type = "SecureString" })
	label(l, "h", 1, "old")
	var got []string
	in := &api.GetParameterHistoryInput{Name: aws.Ptr("h"), WithDecryption: aws.Ptr(true), MaxResults: aws.Ptr[int32](1)}
	for {
		out := wiretest.Must[api.GetParameterHistoryOutput](l, "GetParameterHistory", in)
		for _, p := range out.Parameters {
			got = append(got, fmt.Sprintf("%d %s %s %s %v %s", *p.Version, p.Type, *p.Value, *p.Description, p.Labels, aws.Val(p.KeyId)))
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if want := []string{"1 String one first [old] ", "2 SecureString two first [] alias/aws/ssm"}; !slices.Equal(got, want) {
		t.Errorf("history %q", got)
	}
}

func TestLabelsMoveAndSelect(t *testing.T) {
	l := newLab(t, gate{})
	l.over("/a/x", "one")
	l.over("/a/x", "two")
	if out := label(l, "/a/x", 1, "prod", "awsish", "9x", "a/b"); !slices.Equal(out.InvalidLabels, []string{"awsish", "9x", "a/b"}) || *out.ParameterVersion != 1 {
		t.Errorf("labelled %v", out)
	}
	if got := value(l, "/a/x:prod"); got != "one" {
		t.Errorf("prod is %s", got)
	}
	label(l, "/a/x", 2, "prod")
	if got := value(l, "/a/x:prod"); got != "two" {
		t.Errorf("after the move prod is %s", got)
	}
	byPath := wiretest.Must[api.GetParametersByPathOutput](l, "GetParametersByPath", &api.GetParametersByPathInput{Path: aws.Ptr("/a"),
		ParameterFilters: []api.ParameterStringFilter{{Key: aws.Ptr("Label"), Values: []string{"prod"}}}})
	if len(byPath.Parameters) != 1 || *byPath.Parameters[0].Value != "two" {
		t.Errorf("by label %v", byPath.Parameters)
	}
	out := wiretest.Must[api.UnlabelParameterVersionOutput](l, "UnlabelParameterVersion",
		&api.UnlabelParameterVersionInput{Name: aws.Ptr("/a/x"), ParameterVersion: aws.Ptr[int64](2), Labels: []string{"prod", "none"}})
	if !slices.Equal(out.RemovedLabels, []string{"prod"}) || !slices.Equal(out.InvalidLabels, []string{"none"}) {
		t.Errorf("unlabelled %v", out)
	}
}

func TestVersionLimitSparesLabels(t *testing.T) {
	l := newLab(t, gate{})
	for i := range 100 {
		l.over("full", fmt.Sprint(i))
	}
	label(l, "full", 1, "keep")
	in := put("full", "more", "String")
	in.Overwrite = aws.Ptr(true)
	if _, err := wiretest.Call[api.PutParameterOutput](l, "PutParameter", in); !awserr.Is(err, "ParameterMaxVersionLimitExceeded") {
		t.Errorf("put over a labelled version: %v", err)
	}
	label(l, "full", 2, "keep")
	l.over("full", "more")
	if _, err := wiretest.Call[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("full:1")}); !awserr.Is(err, "ParameterVersionNotFound") {
		t.Errorf("the oldest version: %v", err)
	}
}

func TestTopLevelNamesHaveTwoSpellings(t *testing.T) {
	l := newLab(t, gate{})
	l.over("plain", "v")
	out := wiretest.Must[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("/plain")})
	if *out.Parameter.Name != "/plain" || *out.Parameter.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter/plain" {
		t.Errorf("%s %s", *out.Parameter.Name, *out.Parameter.ARN)
	}
	byPath := wiretest.Must[api.GetParametersByPathOutput](l, "GetParametersByPath", &api.GetParametersByPathInput{Path: aws.Ptr("/")})
	if len(byPath.Parameters) != 1 {
		t.Errorf("%d at the root", len(byPath.Parameters))
	}
}

func TestTiers(t *testing.T) {
	long := strings.Repeat("x", 4097)
	for _, c := range []struct {
		name string
		tier api.ParameterTier
		long bool
		want string // the tier or the error's code
	}{
		{"by default", "", false, "Standard"},
		{"too long for Standard", "", true, "ValidationException"},
		{"advanced", "Advanced", true, "Advanced"},
		{"intelligent and short", "Intelligent-Tiering", false, "Standard"},
		{"intelligent and long", "Intelligent-Tiering", true, "Advanced"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, gate{})
			in := put("p", "v", "String")
			if in.Tier = c.tier; c.long {
				in.Value = &long
			}
			out, err := wiretest.Call[api.PutParameterOutput](l, "PutParameter", in)
			if err == nil && string(out.Tier) != c.want || err != nil && !awserr.Is(err, c.want) {
				t.Errorf("%v, %v, want %s", out, err, c.want)
			}
		})
	}
	l := newLab(t, gate{})
	l.over("p", "v", func(in *api.PutParameterInput) { in.Tier = "Advanced" })
	l.over("p", "w") // stays advanced
	back := put("p", "v", "String")
	back.Overwrite, back.Tier = aws.Ptr(true), "Standard"
	if _, err := wiretest.Call[api.PutParameterOutput](l, "PutParameter", back); !awserr.Is(err, "ValidationException") || !strings.Contains(err.Error(), "You can't downgrade") {
		t.Errorf("downgrade: %v", err)
	}
}

func TestExpirationRemovesTheParameter(t *testing.T) {
	l := newLab(t, gate{})
	ctx, stop := context.WithCancel(l.Ctx)
	ended := make(chan error, 1)
	go func() { ended <- l.svc.Run(ctx) }()
	l.over("short", "v", func(in *api.PutParameterInput) {
		in.Tier, in.Policies = "Advanced", aws.Ptr(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2026-01-02T00:00:00.000Z"}}]`)
	})
	d := wiretest.Must[api.DescribeParametersOutput](l, "DescribeParameters", &api.DescribeParametersInput{})
	if p := d.Parameters[0].Policies; len(p) != 1 || *p[0].PolicyType != "Expiration" || *p[0].PolicyStatus != "Pending" {
		t.Errorf("policies %v", p)
	}
	gone := l.DB.Changed(store.Filter{Service: "ssm", Kind: "expired"})
	if err := l.Clock.BlockUntil(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	l.Clock.Advance(24 * time.Hour)
	<-gone
	if _, err := wiretest.Call[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("short")}); !awserr.Is(err, "ParameterNotFound") {
		t.Errorf("after its expiration: %v", err)
	}
	stop()
	<-ended
}

func TestPoliciesThatAreRefused(t *testing.T) {
	const expires = `{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2026-01-02T00:00:00.000Z"}}`
	for name, c := range map[string]struct{ tier, policies, code string }{
		"standard tier":     {"Standard", "[" + expires + "]", "ValidationException"},
		"no JSON":           {"Advanced", "nonsense", "InvalidPolicyAttributeException"},
		"two of a kind":     {"Advanced", "[" + expires + "," + expires + "]", "IncompatiblePolicyException"},
		"unknown type":      {"Advanced", `[{"Type":"Other","Version":"1.0"}]`, "InvalidPolicyTypeException"},
		"no time":           {"Advanced", `[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"soon"}}]`, "InvalidPolicyAttributeException"},
		"unknown version":   {"Advanced", `[{"Type":"Expiration","Version":"2.0"}]`, "InvalidPolicyAttributeException"},
		"a notification":    {"Advanced", `[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}]`, "NotImplemented"},
		"more than allowed": {"Advanced", "[" + strings.Repeat("{},", 10) + "{}]", "PoliciesLimitExceededException"},
	} {
		t.Run(name, func(t *testing.T) {
			in := put("p", "v", "String")
			in.Tier, in.Policies = api.ParameterTier(c.tier), &c.policies
			if _, err := wiretest.Call[api.PutParameterOutput](newLab(t, gate{}), "PutParameter", in); !awserr.Is(err, c.code) {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	l := newLab(t, gate{})
	filter := func(key, option string, values ...string) []api.ParameterStringFilter {
		f := api.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		return []api.ParameterStringFilter{f}
	}
	for name, c := range map[string]struct {
		filters []api.ParameterStringFilter
		code    string
		text    string
	}{
		"label":        {filter("Label", "", "l"), "InvalidFilterKey", "Valid filter keys include: [Path, Name, Type, KeyId, Tier]"},
		"no values":    {filter("Name", ""), "InvalidFilterValue", "The following filter values are missing : null for filter key Name"},
		"twice":        {append(filter("Name", "", "a"), filter("Name", "", "b")...), "InvalidFilterKey", "The following filter is duplicated in the request: Name."},
		"own path":     {filter("Path", "", "/aws"), "ValidationException", "Filters for common parameters can't be prefixed"},
		"path's form":  {filter("Path", "", "/###"), "ValidationException", "The parameter doesn't meet the parameter name requirements"},
		"path option":  {filter("Path", "Equals", "/a"), "InvalidFilterOption", "Valid options include: [Recursive, OneLevel]"},
		"name option":  {filter("Name", "Recursive", "a"), "InvalidFilterOption", "Valid options include: [BeginsWith, Equals]."},
		"no such tier": {filter("Tier", "", "t"), "InvalidFilterValue", "Valid values include: [Standard, Advanced, Intelligent-Tiering]"},
		"no such type": {filter("Type", "", "t"), "InvalidFilterValue", "Valid values include: [String, StringList, SecureString]"},
	} {
		_, err := wiretest.Call[api.DescribeParametersOutput](l, "DescribeParameters", &api.DescribeParametersInput{ParameterFilters: c.filters})
		if !awserr.Is(err, c.code) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := wiretest.Call[api.GetParametersByPathOutput](l, "GetParametersByPath", &api.GetParametersByPathInput{Path: aws.Ptr("/a"), ParameterFilters: filter("Name", "", "x")})
	if !awserr.Is(err, "InvalidFilterKey") || !strings.Contains(err.Error(), "[Type, KeyId]") {
		t.Errorf("by path: %v", err)
	}
}

// neighbours answers for EC2 and Secrets Manager.
func neighbours(t *testing.T, l *lab) {
	t.Helper()
	err := l.Server.Register(wire.Service{Model: ec2.Model(), Operations: []wire.Operation{
		wire.Op("DescribeImages", "ec2:DescribeImages", func(_ context.Context, in *ec2.DescribeImagesInput) (*ec2.DescribeImagesOutput, error) {
			if in.ImageIds[0] != "ami-0123456789abcdef0" {
				return nil, awserr.New("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", in.ImageIds[0])
			}
			return &ec2.DescribeImagesOutput{}, nil
		}, nil),
	}})
	if err == nil {
		err = l.Server.Register(wire.Service{Model: secretsmanager.Model(), Operations: []wire.Operation{
			wire.Op("GetSecretValue", "secretsmanager:GetSecretValue", func(_ context.Context, in *secretsmanager.GetSecretValueInput) (*secretsmanager.GetSecretValueOutput, error) {
				if *in.SecretId != "s" {
					return nil, awserr.New("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
				}
				return &secretsmanager.GetSecretValueOutput{ARN: aws.Ptr("arn:aws:secretsmanager:us-east-1:123456789012:secret:s-abcdef"), Name: in.SecretId,
					SecretString: aws.Ptr("hush"), CreatedDate: aws.Ptr(l.Clock.Now()), VersionStages: []string{"AWSCURRENT"}}, nil
			}, nil),
		}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSecretsShowAsParameters(t *testing.T) {
	l := newLab(t, gate{})
	neighbours(t, l)
	out := wiretest.Must[api.GetParametersOutput](l, "GetParameters", &api.GetParametersInput{WithDecryption: aws.Ptr(true),
		Names: []string{"/aws/reference/secretsmanager/s", "/aws/reference/secretsmanager/none"}})
	if len(out.Parameters) != 1 || *out.Parameters[0].Value != "hush" || len(out.InvalidParameters) != 1 ||
		!strings.Contains(*out.Parameters[0].SourceResult, `"name":"s"`) {
		t.Errorf("%v %v", out.Parameters, out.InvalidParameters)
	}
	_, err := wiretest.Call[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("/aws/reference/secretsmanager/s")})
	if !awserr.Is(err, "ValidationException") {
		t.Errorf("without decryption: %v", err)
	}
}

func TestImagesMustExist(t *testing.T) {
	l := newLab(t, gate{})
	neighbours(t, l)
	for image, want := range map[string]string{"ami-0123456789abcdef0": "", "ami-00000000000000000": "ValidationException"} {
		in := put("i", image, "String")
		in.DataType = aws.Ptr("aws:ec2:image")
		if _, err := wiretest.Call[api.PutParameterOutput](l, "PutParameter", in); (want == "") != (err == nil) || err != nil && !awserr.Is(err, want) {
			t.Errorf("%s: %v", image, err)
		}
	}
}

func TestNamesThatAreRefused(t *testing.T) {
	l := newLab(t, gate{})
	for name, text := range map[string]string{
		"ssm_test": `can't be prefixed with "aws" or "ssm" (case-insensitive).`, "AWS_TEST": `can't be prefixed with "aws" or "ssm" (case-insensitive).`,
		"/ssm/x": `can't be prefixed with "ssm" (case-insensitive). If formed as a path`, "/AWS/x": "No access to reserved parameter name: /AWS/x.",
		"a/b": "must be a fully qualified name", "/a//b": "sub-paths divided by slash symbol",
	} {
		if _, err := wiretest.Call[api.PutParameterOutput](l, "PutParameter", put(name, "v", "String")); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := wiretest.Call[api.GetParameterOutput](l, "GetParameter", &api.GetParameterInput{Name: aws.Ptr("a/b")})
	if !awserr.Is(err, "ValidationException") {
		t.Errorf("get of half a path: %v", err)
	}
}
