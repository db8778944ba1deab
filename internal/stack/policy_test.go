package stack

import (
	"testing"
	"time"
)

func TestStackPolicy(t *testing.T) {
	const everything = `{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}`
	for _, c := range []struct {
		name, statements string
		action           string
		allowed          bool
	}{
		{"allowed", everything, "Update:Modify", true},
		{"not mentioned", `{"Effect":"Allow","Action":"Update:Modify","Principal":"*","Resource":"*"}`, "Update:Delete", false},
		{"deny wins", `{"Effect":"Deny","Action":"Update:Replace","Principal":"*","Resource":"LogicalResourceId/Web*"},` + everything, "Update:Replace", false},
		{"deny of another action", `{"Effect":"Deny","Action":"Update:Replace","Principal":"*","Resource":"LogicalResourceId/Web"},` + everything, "Update:Modify", true},
		{"not action", `{"Effect":"Allow","NotAction":"Update:Delete","Principal":"*","Resource":"*"}`, "Update:Delete", false},
		{"not resource", `{"Effect":"Deny","Action":"Update:*","Principal":"*","NotResource":"LogicalResourceId/Web"},` + everything, "Update:Modify", true},
		{"type", `{"Effect":"Deny","Action":"*","Principal":"*","Resource":"*","Condition":{"StringEquals":{"ResourceType":["AWS::EC2::Instance"]}}},` + everything, "Update:Modify", false},
		{"like type", `{"Effect":"Deny","Action":"*","Principal":"*","Resource":"*","Condition":{"StringLike":{"ResourceType":"AWS::RDS::*"}}},` + everything, "Update:Modify", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ParsePolicy(`{"Statement":[` + c.statements + `]}`)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(c.action, "WebServer", "AWS::EC2::Instance"); (err == nil) != c.allowed && c.name != "not resource" {
				t.Errorf("Check: %v", err)
			}
			if c.name == "not resource" && (p.Check(c.action, "Web", "T") != nil || p.Check(c.action, "Db", "T") == nil) {
				t.Error("NotResource does not spare what it names alone")
			}
		})
	}
	for _, bad := range []string{`null`, `[]`, `{"Statement":[]}`, `{"Statement":[{"Effect":"Allow","Action":"ec2:*","Principal":"*","Resource":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"me","Resource":"*"}]}`,
		`{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"Web"}]}`} {
		if _, err := ParsePolicy(bad); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

func TestEmptyPolicyIsNone(t *testing.T) {
	if p, err := ParsePolicy(" {} "); err != nil || p.Check("Update:Replace", "A", "T") != nil {
		t.Errorf("%v, %v", p, err)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"PT15M": 15 * time.Minute, "PT1H30M": 90 * time.Minute, "PT0S": 0, "PT12H": 12 * time.Hour} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s = %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "PT", "15", "PT15", "P1D", "PT13H", "PT99999999999H"} {
		if got, err := ParseDuration(bad); err == nil {
			t.Errorf("%s = %v", bad, got)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(`{"Statement":[{"Effect":"Allow","Action":["Update:*"],"Principal":"*","Resource":"LogicalResourceId/[a"}]}`)
	f.Fuzz(func(_ *testing.T, text string) {
		if p, err := ParsePolicy(text); err == nil {
			_ = p.Check("Update:Modify", "Web", "T")
		}
	})
}
