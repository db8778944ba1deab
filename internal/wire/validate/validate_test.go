package validate

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/model"
)

// TestPatternsCompile makes sure that no pattern of any table can panic later.
func TestPatternsCompile(t *testing.T) {
	tables, err := filepath.Glob("../../aws/api/*/table.jsonl")
	if err != nil || len(tables) == 0 {
		t.Fatalf("tables %q: %v", tables, err)
	}
	for _, file := range tables {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := model.MustParse(table)
		for name, sh := range m.Shapes {
			if sh.Pattern == "" || byHand[sh.Pattern] != nil {
				continue
			}
			if _, err := regexp.Compile(translate(sh.Pattern)); err != nil {
				t.Errorf("%s %s: %v; write a check by hand", m.Name, name, err)
			}
		}
	}
}

func TestTranslate(t *testing.T) {
	for java, want := range map[string]string{
		`[\u0009\r]`: `[\x{0009}\r]`, `[\uD800\uDC00-\uDBFF\uDFFF]*`: `[\x{10000}-\x{10FFFF}]*`, `\uZZZZ\\`: `\uZZZZ\\`,
	} {
		if got := translate(java); got != want {
			t.Errorf("%s is %s, want %s", java, got, want)
		}
	}
}

func TestWording(t *testing.T) {
	long := strings.Repeat("x", 129)
	tests := []struct {
		name string
		m    *model.Service
		op   string
		in   any
		want string
	}{
		{"valid", cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{StackName: aws.Ptr("web-1")}, ""},
		{"null", cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{},
			"1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null"},
		{"pattern", cloudformation.Model(), "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: aws.Ptr("*@da591fa3_$")},
			"1 validation error detected: Value '*@da591fa3_$' at 'stackName' failed to satisfy constraint: " +
				"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*|arn:[-a-zA-Z0-9:/._+]*"},
		{"arn is a name", cloudformation.Model(), "DescribeStacks", &cloudformation.DescribeStacksInput{
			StackName: aws.Ptr("arn:aws:cloudformation:us-east-1:123456789012:stack/" + long + "/x")}, ""},
		{"length", cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{StackName: &long},
			"1 validation error detected: Value '" + long + "' at 'stackName' failed to satisfy constraint: " +
				"Member must have length less than or equal to 128"},
		{"two", cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{TimeoutInMinutes: aws.Ptr(int32(0))},
			"2 validation errors detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null; " +
				"Value '0' at 'timeoutInMinutes' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"scalars of a list", cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{StackName: aws.Ptr("a"),
			Capabilities: []cloudformation.Capability{"CAPABILITY_IAM", "CAPABILITY_FLY"}},
			"1 validation error detected: Value '[CAPABILITY_IAM, CAPABILITY_FLY]' at 'capabilities' failed to satisfy constraint: " +
				"Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_IAM, CAPABILITY_NAMED_IAM, CAPABILITY_AUTO_EXPAND]]"},
		{"limits of a list's scalars", ssm.Model(), "LabelParameterVersion", &ssm.LabelParameterVersionInput{Name: aws.Ptr("n"), Labels: []string{strings.Repeat("l", 101)}},
			"1 validation error detected: Value '[" + strings.Repeat("l", 101) + "]' at 'labels' failed to satisfy constraint: " +
				"Member must satisfy constraint: [Member must have length less than or equal to 100, Member must have length greater than or equal to 1]"},
		{"structures of a list", cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{StackName: aws.Ptr("a"),
			Tags: []cloudformation.Tag{{Key: aws.Ptr("k"), Value: aws.Ptr("v")}, {Key: aws.Ptr("k")}}},
			"1 validation error detected: Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null"},
		{"utf-16 units", ssm.Model(), "PutParameter", &ssm.PutParameterInput{Name: aws.Ptr(strings.Repeat("😀", 1025)), Value: aws.Ptr("v")},
			"1 validation error detected: Value '" + strings.Repeat("😀", 1025) + "' at 'name' failed to satisfy constraint: " +
				"Member must have length less than or equal to 2048"},
		{"alias by hand", iam.Model(), "CreateAccountAlias", &iam.CreateAccountAliasInput{AccountAlias: aws.Ptr("a--b")},
			"1 validation error detected: Value 'a--b' at 'accountAlias' failed to satisfy constraint: " +
				"Member must satisfy regular expression pattern: ^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$"},
		{"sensitive", iam.Model(), "CreateLoginProfile", &iam.CreateLoginProfileInput{UserName: aws.Ptr("u"), Password: aws.Ptr("")},
			"2 validation errors detected: Value '***' at 'password' failed to satisfy constraint: " +
				"Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+; " +
				"Value '***' at 'password' failed to satisfy constraint: Member must have length greater than or equal to 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := Input(tt.m.Operations[tt.op].Input, tt.in)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(list) > 0 {
				got = Message(list)
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
