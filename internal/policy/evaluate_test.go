package policy

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
)

const account, foreign = "111122223333", "444455556666"

var (
	ann  = aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: "arn:aws:iam::111122223333:user/ann", UniqueID: "AIDAAAAAAAAAAAAAAAAAA"}
	root = aws.Principal{Type: aws.PrincipalRoot, Account: account, ARN: "arn:aws:iam::111122223333:root", UniqueID: account}
	job  = aws.Principal{Type: aws.PrincipalAssumedRole, Account: account, ARN: "arn:aws:sts::111122223333:assumed-role/job/s1",
		UniqueID: "AROAAAAAAAAAAAAAAAAAA:s1", RoleARN: "arn:aws:iam::111122223333:role/team/job", SessionName: "s1"}
	nobody = aws.Principal{Type: aws.PrincipalAnonymous}
	ec2    = aws.Principal{Type: aws.PrincipalService, Service: "ec2.amazonaws.com"}
)

func doc(t testing.TB, kind Kind, statements string) Source {
	t.Helper()
	d, err := Parse(`{"Version":"2012-10-17","Statement":[`+statements+`]}`, kind)
	if err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
	return Source{"p", d}
}

func allowing(action, resource, more string) string {
	return `{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + more + `}`
}

func denying(action, resource, more string) string {
	return `{"Effect":"Deny","Action":"` + action + `","Resource":"` + resource + `"` + more + `}`
}

// granting is a resource policy's allow of s3:GetObject.
func granting(principal string) string {
	return `{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`
}

func TestDecisions(t *testing.T) {
	const all = "*"
	everything := allowing("*", all, "")
	cases := []struct {
		name                                  string
		who                                   aws.Principal
		identity, boundary, session, resource string
		owner                                 string
		want                                  Decision
		part                                  Part
	}{
		{"nothing", ann, "", "", "", "", "", ImplicitDeny, IdentityPart},
		{"identity allow", ann, everything, "", "", "", "", Allowed, IdentityPart},
		{"identity deny wins", ann, everything + "," + denying("s3:Get*", all, ""), "", "", "", "", ExplicitDeny, IdentityPart},
		{"root without policies", root, "", "", "", "", "", Allowed, IdentityPart},
		{"root under a resource deny", root, "", "", "", `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, "", ExplicitDeny, ResourcePart},
		{"boundary leaves it out", ann, everything, allowing("ec2:*", all, ""), "", "", "", ImplicitDeny, BoundaryPart},
		{"boundary denies", ann, everything, everything + "," + denying("s3:*", all, ""), "", "", "", ExplicitDeny, BoundaryPart},
		{"boundary alone grants nothing", ann, "", everything, "", "", "", ImplicitDeny, IdentityPart},
		{"session leaves it out", job, everything, "", allowing("ec2:*", all, ""), "", "", ImplicitDeny, SessionPart},
		{"session allows", job, everything, "", allowing("s3:*", all, ""), "", "", Allowed, IdentityPart},
		{"session alone grants nothing", job, "", "", everything, "", "", ImplicitDeny, IdentityPart},
		{"bucket names the user", ann, "", "", "", granting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), "", Allowed, ResourcePart},
		{"bucket names the user, boundary does not cut", ann, "", allowing("ec2:*", all, ""), "", granting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), "", Allowed, ResourcePart},
		{"bucket names the user, boundary denies", ann, "", denying("s3:*", all, ""), "", granting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), "", ExplicitDeny, BoundaryPart},
		{"bucket names the user by unique id", ann, "", "", "", granting(`{"AWS":"AIDAAAAAAAAAAAAAAAAAA"}`), "", Allowed, ResourcePart},
		{"bucket names another", ann, "", "", "", granting(`{"AWS":"arn:aws:iam::111122223333:user/bob"}`), "", ImplicitDeny, IdentityPart},
		{"bucket names the role", job, "", "", "", granting(`{"AWS":"arn:aws:iam::111122223333:role/team/job"}`), "", Allowed, ResourcePart},
		{"bucket names the role, session cuts", job, "", "", allowing("ec2:*", all, ""), granting(`{"AWS":"arn:aws:iam::111122223333:role/team/job"}`), "", ImplicitDeny, SessionPart},
		{"bucket names the session, session policy does not cut", job, "", "", allowing("ec2:*", all, ""), granting(`{"AWS":"arn:aws:sts::111122223333:assumed-role/job/s1"}`), "", Allowed, ResourcePart},
		{"bucket names the account", ann, "", "", "", granting(`{"AWS":"111122223333"}`), "", ImplicitDeny, IdentityPart},
		{"bucket names the account, identity allows", ann, allowing("s3:GetObject", "arn:aws:s3:::b/*", ""), "", "", granting(`{"AWS":"arn:aws:iam::111122223333:root"}`), "", Allowed, IdentityPart},
		{"bucket for everyone, anonymous", nobody, "", "", "", granting(`"*"`), account, Allowed, ResourcePart},
		{"bucket for everyone in AWS form", nobody, "", "", "", granting(`{"AWS":"*"}`), account, Allowed, ResourcePart},
		{"anonymous elsewhere", nobody, "", "", "", "", account, ImplicitDeny, ResourcePart},
		{"bucket for an account, anonymous", nobody, "", "", "", granting(`{"AWS":"111122223333"}`), account, ImplicitDeny, ResourcePart},
		{"bucket denies the role, not the session name", job, everything, "", "", `{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/team/job"},"Action":"s3:*","Resource":"*"}`, "", ExplicitDeny, ResourcePart},
		{"bucket denies all but ann", job, everything, "", "", `{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/ann","111122223333"]},"Action":"s3:*","Resource":"*"}`, "", ExplicitDeny, ResourcePart},
		{"bucket denies all but ann, who is ann", ann, everything, "", "", `{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/ann","111122223333"]},"Action":"s3:*","Resource":"*"}`, "", Allowed, IdentityPart},
		{"foreign bucket, only identity", ann, everything, "", "", "", foreign, ImplicitDeny, ResourcePart},
		{"foreign bucket, only bucket", ann, "", "", "", granting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), foreign, ImplicitDeny, IdentityPart},
		{"foreign bucket, both", ann, everything, "", "", granting(`{"AWS":"111122223333"}`), foreign, Allowed, IdentityPart},
		{"foreign bucket, both, boundary cuts", ann, everything, allowing("ec2:*", all, ""), "", granting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), foreign, ImplicitDeny, BoundaryPart},
		{"foreign bucket, root needs the bucket", root, "", "", "", "", foreign, ImplicitDeny, ResourcePart},
		{"NotAction grants the rest", ann, `{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`, "", "", "", "", Allowed, IdentityPart},
		{"NotAction leaves out", ann, `{"Effect":"Allow","NotAction":["iam:*","s3:get*"],"Resource":"*"}`, "", "", "", "", ImplicitDeny, IdentityPart},
		{"NotResource leaves out", ann, `{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::b/*"}`, "", "", "", "", ImplicitDeny, IdentityPart},
		{"NotResource grants the rest", ann, `{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::c/*"}`, "", "", "", "", Allowed, IdentityPart},
		{"action without case", ann, allowing("S3:gETobject", all, ""), "", "", "", "", Allowed, IdentityPart},
		{"action with ?", ann, allowing("s3:Get?bject", all, ""), "", "", "", "", Allowed, IdentityPart},
		{"resource with case", ann, allowing("s3:*", "arn:aws:s3:::B/*", ""), "", "", "", "", ImplicitDeny, IdentityPart},
		{"resource star over slash", ann, allowing("s3:*", "arn:aws:s3:::b*t", ""), "", "", "", "", Allowed, IdentityPart},
		{"resource short form", ann, allowing("s3:*", "arn:aws:s3:*", ""), "", "", "", "", Allowed, IdentityPart},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			set := Set{}
			if c.identity != "" {
				set.Identity = []Source{doc(t, Identity, c.identity)}
			}
			if c.session != "" {
				set.Session = []Source{doc(t, Identity, c.session)}
			}
			if c.boundary != "" {
				b := doc(t, Identity, c.boundary)
				set.Boundary = &b
			}
			if c.resource != "" {
				r := doc(t, Resource, c.resource)
				set.Resource = &r
			}
			got := Evaluate(Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x/y.txt", Account: c.owner}, set)
			if got.Decision != c.want || got.Part != c.part {
				t.Errorf("got %s by %s, want %s by %s", got.Decision, got.Part, c.want, c.part)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	trust := func(principal string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}`
	}
	other := ann
	other.Account, other.ARN = foreign, "arn:aws:iam::444455556666:user/ann"
	may := allowing("sts:AssumeRole", "*", "")
	cases := []struct {
		name, trust, identity string
		who                   aws.Principal
		want                  Decision
		reason                string
	}{
		{"service", trust(`{"Service":"ec2.amazonaws.com"}`), "", ec2, Allowed, ""},
		{"another service", trust(`{"Service":"codedeploy.amazonaws.com"}`), "", ec2, ImplicitDeny, "no role trust policy allows the sts:AssumeRole action"},
		{"user named", trust(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`), "", ann, Allowed, ""},
		{"account named, no identity", trust(`{"AWS":"111122223333"}`), "", ann, ImplicitDeny, "no identity-based policy allows the sts:AssumeRole action"},
		{"account named, identity", trust(`{"AWS":"111122223333"}`), may, ann, Allowed, ""},
		{"identity alone", trust(`{"Service":"ec2.amazonaws.com"}`), may, ann, ImplicitDeny, "no role trust policy allows the sts:AssumeRole action"},
		{"foreign user named, no identity", trust(`{"AWS":"arn:aws:iam::444455556666:user/ann"}`), "", other, ImplicitDeny, "no identity-based policy allows the sts:AssumeRole action"},
		{"foreign user, both", trust(`{"AWS":"444455556666"}`), may, other, Allowed, ""},
		{"denied", trust(`"*"`) + `,{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:*"}`, may, ann, ExplicitDeny, "with an explicit deny in the role trust policy"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := doc(t, Trust, c.trust)
			set := Set{Resource: &r, Trust: true}
			if c.identity != "" {
				set.Identity = []Source{doc(t, Identity, c.identity)}
			}
			got := Evaluate(Request{Principal: c.who, Action: "sts:AssumeRole", Resource: "arn:aws:iam::111122223333:role/r", Account: account}, set)
			if got.Decision != c.want {
				t.Fatalf("got %s, want %s", got.Decision, c.want)
			}
			if c.reason != "" && got.Reason("sts:AssumeRole") != c.reason {
				t.Errorf("reason %q, want %q", got.Reason("sts:AssumeRole"), c.reason)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	ctx := NewContext(map[string][]string{
		"aws:username": {"ann"}, "aws:SourceIp": {"10.1.2.3"}, "aws:CurrentTime": {"2026-03-04T05:06:07Z"}, "aws:EpochTime": {"1772600767"},
		"aws:SecureTransport": {"false"}, "aws:PrincipalArn": {"arn:aws:iam::111122223333:role/team/job"}, "s3:max-keys": {"10"},
		"aws:TagKeys": {"Name", "Team"}, "aws:Empty": {}, "k:wild": {"a*b"}, "k:bin": {"aGk="}, "k:star": {"*"},
	})
	cases := []struct {
		name, condition string
		want            bool
	}{
		{"string equals", `"StringEquals":{"aws:username":"ann"}`, true},
		{"key without case", `"StringEquals":{"AWS:UserName":"ann"}`, true},
		{"operator without case", `"stringequals":{"aws:username":"ann"}`, true},
		{"value with case", `"StringEquals":{"aws:username":"Ann"}`, false},
		{"equals has no wildcards", `"StringEquals":{"k:wild":"a?b"}`, false},
		{"ignore case", `"StringEqualsIgnoreCase":{"aws:username":"ANN"}`, true},
		{"values or", `"StringEquals":{"aws:username":["bob","ann"]}`, true},
		{"values nor", `"StringNotEquals":{"aws:username":["bob","ann"]}`, false},
		{"keys and", `"StringEquals":{"aws:username":"ann","s3:max-keys":"11"}`, false},
		{"operators and", `"StringEquals":{"aws:username":"ann"},"Bool":{"aws:SecureTransport":"true"}`, false},
		{"like", `"StringLike":{"aws:username":"a*"}`, true},
		{"not like", `"StringNotLike":{"aws:username":"a?n"}`, false},
		{"absent, positive", `"StringEquals":{"aws:absent":"x"}`, false},
		{"absent, negated", `"StringNotEquals":{"aws:absent":"x"}`, true},
		{"absent, if exists", `"StringEqualsIfExists":{"aws:absent":"x"}`, true},
		{"present, if exists", `"StringEqualsIfExists":{"aws:username":"x"}`, false},
		{"null true", `"Null":{"aws:absent":"true"}`, true},
		{"null false", `"Null":{"aws:username":"false"}`, true},
		{"null of an empty list", `"Null":{"aws:Empty":true}`, true},
		{"bool as JSON", `"Bool":{"aws:SecureTransport":false}`, true},
		{"bool not one", `"Bool":{"aws:username":"ann"}`, false},
		{"numeric", `"NumericLessThanEquals":{"s3:max-keys":"10.0"}`, true},
		{"numeric as JSON", `"NumericGreaterThan":{"s3:max-keys":9.5}`, true},
		{"numeric not one", `"NumericLessThan":{"s3:max-keys":"many"}`, false},
		{"numeric not equals what is not one", `"NumericNotEquals":{"aws:username":"1"}`, true},
		{"date", `"DateGreaterThan":{"aws:CurrentTime":"2026-03-04T05:06:06Z"}`, true},
		{"date with zone", `"DateEquals":{"aws:CurrentTime":"2026-03-04T06:06:07+01:00"}`, true},
		{"date by epoch", `"DateLessThan":{"aws:EpochTime":"1772600768"}`, true},
		{"date only", `"DateLessThan":{"aws:CurrentTime":"2026-03-05"}`, true},
		{"date not one", `"DateLessThan":{"aws:CurrentTime":"20xx"}`, false},
		{"ip range", `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, true},
		{"ip single", `"IpAddress":{"aws:SourceIp":"10.1.2.3"}`, true},
		{"ip mapped", `"IpAddress":{"aws:SourceIp":"::ffff:10.1.2.3"}`, true},
		{"ip v6 range", `"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, false},
		{"not ip", `"NotIpAddress":{"aws:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}`, false},
		{"arn like", `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team/*"}`, true},
		{"arn equals is like", `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}`, true},
		{"arn part by part", `"ArnLike":{"aws:PrincipalArn":"arn:aws:*:role/team/job"}`, false},
		{"arn not like", `"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}`, true},
		{"arn not one", `"ArnLike":{"aws:username":"*"}`, false},
		{"binary", `"BinaryEquals":{"k:bin":"aGk="}`, true},
		{"for all", `"ForAllValues:StringEquals":{"aws:TagKeys":["Name","Team","Cost"]}`, true},
		{"for all, one outside", `"ForAllValues:StringEquals":{"aws:TagKeys":["Name"]}`, false},
		{"for all, absent", `"ForAllValues:StringEquals":{"aws:absent":["Name"]}`, true},
		{"for all, empty", `"ForAllValues:StringEquals":{"aws:Empty":["Name"]}`, true},
		{"for all, negated", `"ForAllValues:StringNotEquals":{"aws:TagKeys":["Cost"]}`, true},
		{"for any", `"ForAnyValue:StringLike":{"aws:TagKeys":["T*"]}`, true},
		{"for any, none", `"ForAnyValue:StringEquals":{"aws:TagKeys":["Cost"]}`, false},
		{"for any, absent", `"ForAnyValue:StringEquals":{"aws:absent":["Name"]}`, false},
		{"for any, negated", `"ForAnyValue:StringNotEquals":{"aws:TagKeys":["Name"]}`, true},
		{"variable", `"StringEquals":{"aws:username":"${aws:username}"}`, true},
		{"variable in ARN", `"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/${k:none, 'team'}/job"}`, true},
		{"variable absent", `"StringEquals":{"aws:username":"${aws:absent}"}`, false},
		{"variable absent, negated", `"StringNotEquals":{"aws:username":"${aws:absent}"}`, false},
		{"variable of many values", `"StringEquals":{"aws:username":"${aws:TagKeys}"}`, false},
		{"variable is literal text", `"StringLike":{"aws:username":"${k:star}"}`, false},
		{"escaped star", `"StringLike":{"k:wild":"a${*}b"}`, true},
		{"escaped star is literal", `"StringLike":{"aws:username":"a${*}"}`, false},
		{"no variable in numbers", `"NumericEquals":{"s3:max-keys":"${s3:max-keys}"}`, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			set := Set{Identity: []Source{doc(t, Identity, allowing("s3:*", "*", `,"Condition":{`+c.condition+`}`))}}
			got := Evaluate(Request{Principal: ann, Action: "s3:GetObject", Resource: "*", Context: ctx}, set)
			if (got.Decision == Allowed) != c.want {
				t.Errorf("got %s", got.Decision)
			}
		})
	}
}

func TestVariablesInResources(t *testing.T) {
	ctx := NewContext(map[string][]string{"aws:username": {"ann"}, "aws:star": {"*"}})
	cases := []struct {
		name, version, element, resource string
		want                             bool
	}{
		{"own folder", version2012, `"Resource":"arn:aws:s3:::home/${aws:username}/*"`, "arn:aws:s3:::home/ann/x", true},
		{"another's folder", version2012, `"Resource":"arn:aws:s3:::home/${aws:username}/*"`, "arn:aws:s3:::home/bob/x", false},
		{"value is literal", version2012, `"Resource":"arn:aws:s3:::home/${aws:star}/x"`, "arn:aws:s3:::home/bob/x", false},
		{"absent", version2012, `"Resource":"arn:aws:s3:::home/${aws:none}*"`, "arn:aws:s3:::home/ann/x", false},
		{"default", version2012, `"Resource":"arn:aws:s3:::home/${aws:none, 'ann'}/*"`, "arn:aws:s3:::home/ann/x", true},
		{"absent exception grants nothing", version2012, `"NotResource":"arn:aws:s3:::home/${aws:none}/*"`, "arn:aws:s3:::home/ann/x", false},
		{"2008 is literal", version2008, `"Resource":"arn:aws:s3:::home/${aws:username}/*"`, "arn:aws:s3:::home/ann/x", false},
		{"2008 matches the text", version2008, `"Resource":"arn:aws:s3:::home/${aws:username}/*"`, "arn:aws:s3:::home/${aws:username}/x", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := Parse(`{"Version":"`+c.version+`","Statement":{"Effect":"Allow","Action":"s3:*",`+c.element+`}}`, Identity)
			if err != nil {
				t.Fatal(err)
			}
			got := Evaluate(Request{Principal: ann, Action: "s3:GetObject", Resource: c.resource, Context: ctx}, Set{Identity: []Source{{"p", d}}})
			if (got.Decision == Allowed) != c.want {
				t.Errorf("got %s", got.Decision)
			}
		})
	}
}

// The policy of an endpoint limits whoever comes by it, and grants nothing.
func TestEndpoints(t *testing.T) {
	everything := `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`
	for _, c := range []struct {
		name               string
		who                aws.Principal
		identity, endpoint string
		want               Decision
		part               Part
	}{
		{"open", ann, allowing("*", "*", ""), everything, Allowed, IdentityPart},
		{"open grants nothing", ann, "", everything, ImplicitDeny, IdentityPart},
		{"leaves it out", ann, allowing("*", "*", ""), `{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"*"}`, ImplicitDeny, EndpointPart},
		{"leaves it out, root", root, "", `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:s3:::other/*"}`, ImplicitDeny, EndpointPart},
		{"names another", ann, allowing("*", "*", ""), `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/bob"},"Action":"*","Resource":"*"}`, ImplicitDeny, EndpointPart},
		{"denies", ann, allowing("*", "*", ""), everything + `,{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"*"}`, ExplicitDeny, EndpointPart},
	} {
		endpoint := doc(t, Resource, c.endpoint)
		set := Set{Endpoint: &endpoint}
		if c.identity != "" {
			set.Identity = []Source{doc(t, Identity, c.identity)}
		}
		got := Evaluate(Request{Principal: c.who, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x"}, set)
		if got.Decision != c.want || got.Part != c.part {
			t.Errorf("%s: %s by %s, want %s by %s", c.name, got.Decision, got.Part, c.want, c.part)
		}
	}
}
