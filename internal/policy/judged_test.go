package policy

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
)

// judged is a case that one of AWS's pages settles. The policies are ours; the
// page is the last part of its address under docs.aws.amazon.com/IAM/latest/UserGuide
// unless it names another guide.
type judged struct {
	page, name         string
	who                aws.Principal
	action, resource   string
	keys               map[string][]string
	owner              string // account of the resource
	identity, boundary string
	session, bucket    string
	want               Decision
}

// The pages, by the rule they hold.
const (
	pageLogic      = "reference_policies_evaluation-logic"
	pageCross      = "reference_policies_evaluation-logic-cross-account"
	pageBoundaries = "access_policies_boundaries"
	pageOperators  = "reference_policies_elements_condition_operators"
	pageKeys       = "reference_policies_condition-logic-multiple-context-keys-or-values"
	pageMulti      = "reference_policies_condition-single-vs-multi-valued-context-keys"
	pageVariables  = "reference_policies_variables"
	pagePrincipal  = "reference_policies_elements_principal"
	pageNot        = "reference_policies_elements_notaction"
	pageNotRes     = "reference_policies_elements_notresource"
	pageNotPrin    = "reference_policies_elements_notprincipal"
	pageABAC       = "introduction_attribute-based-access-control"
	pageBuckets    = "AmazonS3/latest/userguide/example-bucket-policies"
	pagePass       = "id_roles_use_passrole"
	pageDeputy     = "confused-deputy"
	pageExamples   = "access_policies_examples"
)

func when(conditions string) string { return `,"Condition":{` + conditions + `}` }

func judgedCases() []judged {
	const object, bucket, all = "arn:aws:s3:::b/home/ann/x", "arn:aws:s3:::b", "*"
	everything := allowing("*", all, "")
	web := "arn:aws:ec2:us-east-1:111122223333:instance/i-1"
	annInB := granting(`{"AWS":"arn:aws:iam::111122223333:user/ann"}`)
	https := `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"` + when(`"Bool":{"aws:SecureTransport":"false"}`) + `}`
	return []judged{
		{page: pageLogic, name: "no policy is an implicit deny", who: ann, action: "s3:GetObject", resource: object, want: ImplicitDeny},
		{page: pageLogic, name: "one explicit deny among allows", who: ann, action: "s3:GetObject", resource: object, identity: everything + "," + denying("s3:GetObject", object, ""), bucket: annInB, want: ExplicitDeny},
		{page: pageLogic, name: "identity or bucket is enough in one account", who: ann, action: "s3:GetObject", resource: object, bucket: annInB, want: Allowed},
		{page: pageLogic, name: "root is not bound by what is missing", who: root, action: "s3:GetObject", resource: object, want: Allowed},
		{page: pageLogic, name: "root is bound by the bucket's deny", who: root, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SecureTransport": {"false"}}, bucket: https, want: ExplicitDeny},
		{page: pageLogic, name: "a session policy never grants", who: job, action: "s3:GetObject", resource: object, session: everything, want: ImplicitDeny},
		{page: pageLogic, name: "role and session policy meet", who: job, action: "s3:GetObject", resource: object, identity: everything, session: allowing("s3:Get*", all, ""), want: Allowed},
		{page: pageLogic, name: "what the session policy omits is lost", who: job, action: "s3:PutObject", resource: object, identity: everything, session: allowing("s3:Get*", all, ""), want: ImplicitDeny},
		{page: pageLogic, name: "a bucket that names the session goes around its session policy", who: job, action: "s3:GetObject", resource: object, session: allowing("ec2:*", all, ""), bucket: granting(`{"AWS":"arn:aws:sts::111122223333:assumed-role/job/s1"}`), want: Allowed},
		{page: pageLogic, name: "a bucket that names the role does not", who: job, action: "s3:GetObject", resource: object, session: allowing("ec2:*", all, ""), bucket: granting(`{"AWS":"arn:aws:iam::111122223333:role/team/job"}`), want: ImplicitDeny},

		{page: pageBoundaries, name: "a boundary alone grants nothing", who: ann, action: "s3:GetObject", resource: object, boundary: everything, want: ImplicitDeny},
		{page: pageBoundaries, name: "the boundary cuts the identity policy", who: ann, action: "iam:CreateUser", resource: "arn:aws:iam::111122223333:user/bob", identity: everything, boundary: allowing("s3:*", all, ""), want: ImplicitDeny},
		{page: pageBoundaries, name: "inside both", who: ann, action: "s3:GetObject", resource: object, identity: everything, boundary: allowing("s3:*", all, ""), want: Allowed},
		{page: pageBoundaries, name: "a resource policy for the user is not limited by an implicit deny of the boundary", who: ann, action: "s3:GetObject", resource: object, boundary: allowing("ec2:*", all, ""), bucket: annInB, want: Allowed},
		{page: pageBoundaries, name: "a resource policy for the role is", who: job, action: "s3:GetObject", resource: object, boundary: allowing("ec2:*", all, ""), bucket: granting(`{"AWS":"arn:aws:iam::111122223333:role/team/job"}`), want: ImplicitDeny},
		{page: pageBoundaries, name: "creating users only with the boundary", who: ann, action: "iam:CreateUser", resource: "arn:aws:iam::111122223333:user/bob", identity: allowing("iam:CreateUser", all, when(`"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::111122223333:policy/limit"}`)), want: ImplicitDeny},

		{page: pageCross, name: "both accounts must allow: only the bucket does", who: ann, owner: foreign, action: "s3:GetObject", resource: object, bucket: annInB, want: ImplicitDeny},
		{page: pageCross, name: "both accounts must allow: only the identity does", who: ann, owner: foreign, action: "s3:GetObject", resource: object, identity: everything, want: ImplicitDeny},
		{page: pageCross, name: "both do, the account being named", who: ann, owner: foreign, action: "s3:GetObject", resource: object, identity: everything, bucket: granting(`{"AWS":"arn:aws:iam::111122223333:root"}`), want: Allowed},
		{page: pageCross, name: "both do, under a boundary that does not", who: ann, owner: foreign, action: "s3:GetObject", resource: object, identity: everything, boundary: allowing("ec2:*", all, ""), bucket: annInB, want: ImplicitDeny},

		{page: pageOperators, name: "an absent key fails a positive operator", who: ann, action: "s3:GetObject", resource: object, identity: allowing("s3:*", all, when(`"StringEquals":{"aws:PrincipalTag/team":"a"}`)), want: ImplicitDeny},
		{page: pageOperators, name: "an absent key passes a negated operator", who: ann, action: "s3:GetObject", resource: object, identity: allowing("s3:*", all, when(`"StringNotEquals":{"aws:PrincipalTag/team":"a"}`)), want: Allowed},
		{page: pageOperators, name: "IfExists passes an absent key", who: ann, action: "s3:GetObject", resource: object, identity: allowing("s3:*", all, when(`"StringLikeIfExists":{"ec2:InstanceType":["t1.*","t2.*"]}`)), want: Allowed},
		{page: pageOperators, name: "IfExists judges a present key", who: ann, action: "ec2:RunInstances", resource: web, keys: map[string][]string{"ec2:InstanceType": {"m3.large"}}, identity: allowing("ec2:*", all, when(`"StringLikeIfExists":{"ec2:InstanceType":["t1.*","t2.*"]}`)), want: ImplicitDeny},
		{page: pageOperators, name: "Null asks for absence", who: ann, action: "s3:GetObject", resource: object, identity: allowing("s3:*", all, when(`"Null":{"aws:TokenIssueTime":"true"}`)), want: Allowed},
		{page: pageOperators, name: "an ARN's parts are matched one by one", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SourceArn": {"arn:aws:sns:us-east-1:123456789012:topic"}}, identity: allowing("s3:*", all, when(`"ArnLike":{"aws:SourceArn":"arn:aws:sns:*:123456789012:*"}`)), want: Allowed},
		{page: pageOperators, name: "an address outside the range", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SourceIp": {"192.0.2.5"}}, identity: allowing("s3:*", all, when(`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`)), want: ImplicitDeny},
		{page: pageOperators, name: "a date window that is over", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:CurrentTime": {"2020-07-01T00:00:00Z"}}, identity: allowing("s3:*", all, when(`"DateGreaterThan":{"aws:CurrentTime":"2020-04-01T00:00:00Z"},"DateLessThan":{"aws:CurrentTime":"2020-06-30T23:59:59Z"}`)), want: ImplicitDeny},

		{page: pageKeys, name: "values are alternatives", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:PrincipalTag/role": {"audit"}}, identity: allowing("s3:*", all, when(`"StringEquals":{"aws:PrincipalTag/role":["audit","security"]}`)), want: Allowed},
		{page: pageKeys, name: "keys must all hold", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:PrincipalTag/role": {"audit"}}, identity: allowing("s3:*", all, when(`"StringEquals":{"aws:PrincipalTag/role":"audit","aws:PrincipalTag/site":"x"}`)), want: ImplicitDeny},
		{page: pageKeys, name: "values of a negated operator are all refused", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:PrincipalAccount": {"222222222222"}}, identity: everything + "," + denying("*", all, when(`"StringNotEquals":{"aws:PrincipalAccount":["111111111111","222222222222"]}`)), want: Allowed},

		{page: pageMulti, name: "ForAllValues holds for none at all", who: ann, action: "ec2:CreateTags", resource: web, identity: allowing("ec2:*", all, when(`"ForAllValues:StringEquals":{"aws:TagKeys":["env"]}`)), want: Allowed},
		{page: pageMulti, name: "ForAllValues with a key outside", who: ann, action: "ec2:CreateTags", resource: web, keys: map[string][]string{"aws:TagKeys": {"env", "cost"}}, identity: allowing("ec2:*", all, when(`"ForAllValues:StringEquals":{"aws:TagKeys":["env"]}`)), want: ImplicitDeny},
		{page: pageMulti, name: "ForAnyValue needs one", who: ann, action: "ec2:CreateTags", resource: web, keys: map[string][]string{"aws:TagKeys": {"env", "cost"}}, identity: allowing("ec2:*", all, when(`"ForAnyValue:StringEquals":{"aws:TagKeys":["env"]}`)), want: Allowed},
		{page: pageMulti, name: "a deny with ForAnyValue stops one bad key", who: ann, action: "ec2:CreateTags", resource: web, keys: map[string][]string{"aws:TagKeys": {"env", "webserver"}}, identity: everything + "," + denying("ec2:CreateTags", all, when(`"ForAnyValue:StringEquals":{"aws:TagKeys":"webserver"}`)), want: ExplicitDeny},

		{page: pageVariables, name: "a home folder is one's own", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:username": {"ann"}}, identity: allowing("s3:*", "arn:aws:s3:::b/home/${aws:username}/*", ""), want: Allowed},
		{page: pageVariables, name: "and not another's", who: ann, action: "s3:GetObject", resource: "arn:aws:s3:::b/home/bob/x", keys: map[string][]string{"aws:username": {"ann"}}, identity: allowing("s3:*", "arn:aws:s3:::b/home/${aws:username}/*", ""), want: ImplicitDeny},
		{page: pageVariables, name: "a variable without a value matches nothing", who: ann, action: "s3:GetObject", resource: object, identity: allowing("s3:*", "arn:aws:s3:::b/home/${aws:username}/*", ""), want: ImplicitDeny},
		{page: pageVariables, name: "a default stands in", who: ann, action: "s3:GetObject", resource: "arn:aws:s3:::b/company-wide/x", identity: allowing("s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team, 'company-wide'}/*", ""), want: Allowed},
		{page: pageVariables, name: "listing one's own folder", who: ann, action: "s3:ListBucket", resource: bucket, keys: map[string][]string{"aws:username": {"ann"}, "s3:prefix": {"home/ann/x"}}, identity: allowing("s3:ListBucket", bucket, when(`"StringLike":{"s3:prefix":"home/${aws:username}/*"}`)), want: Allowed},

		{page: pagePrincipal, name: "the account's number stands for the account", who: ann, action: "s3:GetObject", resource: object, identity: everything, bucket: granting(`{"AWS":"111122223333"}`), want: Allowed},
		{page: pagePrincipal, name: "naming the account only delegates", who: ann, action: "s3:GetObject", resource: object, bucket: granting(`{"AWS":"111122223333"}`), want: ImplicitDeny},
		{page: pagePrincipal, name: "everybody includes the anonymous", who: nobody, owner: account, action: "s3:GetObject", resource: object, bucket: granting(`"*"`), want: Allowed},
		{page: pagePrincipal, name: "a service", who: ec2, owner: account, action: "s3:GetObject", resource: object, bucket: granting(`{"Service":"ec2.amazonaws.com"}`), want: Allowed},

		{page: pageNot, name: "NotAction with Allow grants the rest", who: ann, action: "s3:GetObject", resource: object, identity: `{"Effect":"Allow","NotAction":"s3:DeleteBucket","Resource":"arn:aws:s3:::*"}`, want: Allowed},
		{page: pageNot, name: "NotAction with Deny spares what it lists", who: ann, action: "iam:ListUsers", resource: all, keys: map[string][]string{"aws:MultiFactorAuthPresent": {"false"}}, identity: everything + `,{"Effect":"Deny","NotAction":"iam:*","Resource":"*"` + when(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`) + `}`, want: Allowed},
		{page: pageNot, name: "and denies the rest", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:MultiFactorAuthPresent": {"false"}}, identity: everything + `,{"Effect":"Deny","NotAction":"iam:*","Resource":"*"` + when(`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`) + `}`, want: ExplicitDeny},
		{page: pageNotRes, name: "NotResource with Deny", who: ann, action: "s3:GetObject", resource: "arn:aws:s3:::c/x", identity: everything + `,{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`, want: ExplicitDeny},
		{page: pageNotPrin, name: "all but one user and the account", who: job, action: "s3:GetObject", resource: object, identity: everything, bucket: `{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::111122223333:user/ann","arn:aws:iam::111122223333:root"]},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, want: ExplicitDeny},

		{page: pageABAC, name: "tags of caller and resource agree", who: ann, action: "ec2:StopInstances", resource: web, keys: map[string][]string{"aws:PrincipalTag/project": {"heart"}, "aws:ResourceTag/project": {"heart"}}, identity: allowing("ec2:*", all, when(`"StringEquals":{"aws:ResourceTag/project":"${aws:PrincipalTag/project}"}`)), want: Allowed},
		{page: pageABAC, name: "tags of caller and resource differ", who: ann, action: "ec2:StopInstances", resource: web, keys: map[string][]string{"aws:PrincipalTag/project": {"heart"}, "aws:ResourceTag/project": {"sun"}}, identity: allowing("ec2:*", all, when(`"StringEquals":{"aws:ResourceTag/project":"${aws:PrincipalTag/project}"}`)), want: ImplicitDeny},
		{page: pageABAC, name: "neither has the tag", who: ann, action: "ec2:StopInstances", resource: web, identity: allowing("ec2:*", all, when(`"StringEquals":{"aws:ResourceTag/project":"${aws:PrincipalTag/project}"}`)), want: ImplicitDeny},

		{page: pageBuckets, name: "https only: over http", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SecureTransport": {"false"}}, identity: everything, bucket: https, want: ExplicitDeny},
		{page: pageBuckets, name: "https only: over https", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SecureTransport": {"true"}}, identity: everything, bucket: https, want: Allowed},
		{page: pageBuckets, name: "uploads must hand over ownership", who: ann, owner: foreign, action: "s3:PutObject", resource: object, keys: map[string][]string{"s3:x-amz-acl": {"private"}}, identity: everything, bucket: `{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"` + when(`"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}`) + `}`, want: ImplicitDeny},
		{page: pageBuckets, name: "only from the network, object of the bucket's own action", who: ann, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SourceIp": {"198.51.100.9"}}, identity: everything, bucket: `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]` + when(`"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}`) + `}`, want: ExplicitDeny},

		{page: pagePass, name: "passing a role to one service: to it", who: ann, action: "iam:PassRole", resource: "arn:aws:iam::111122223333:role/web", keys: map[string][]string{"iam:PassedToService": {"ec2.amazonaws.com"}}, identity: allowing("iam:PassRole", "arn:aws:iam::111122223333:role/web", when(`"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}`)), want: Allowed},
		{page: pagePass, name: "passing a role to one service: to another", who: ann, action: "iam:PassRole", resource: "arn:aws:iam::111122223333:role/web", keys: map[string][]string{"iam:PassedToService": {"codedeploy.amazonaws.com"}}, identity: allowing("iam:PassRole", "arn:aws:iam::111122223333:role/web", when(`"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}`)), want: ImplicitDeny},
		{page: pageDeputy, name: "a service on behalf of another's resource", who: ec2, owner: account, action: "s3:GetObject", resource: object, keys: map[string][]string{"aws:SourceAccount": {foreign}}, bucket: `{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"` + when(`"StringEquals":{"aws:SourceAccount":"111122223333"}`) + `}`, want: ImplicitDeny},
		{page: pageExamples, name: "only in one region, but for global services", who: ann, action: "ec2:RunInstances", resource: web, keys: map[string][]string{"aws:RequestedRegion": {"us-east-1"}}, identity: everything + `,{"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*"` + when(`"StringNotEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]}`) + `}`, want: ExplicitDeny},
	}
}

func (c judged) set(t *testing.T) Set {
	t.Helper()
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
	if c.bucket != "" {
		r := doc(t, Resource, c.bucket)
		set.Resource = &r
	}
	return set
}

// TestJudged holds Evaluate to what AWS's pages say, and Explain to Evaluate.
func TestJudged(t *testing.T) {
	for _, c := range judgedCases() {
		t.Run(c.page+"/"+c.name, func(t *testing.T) {
			req := Request{Principal: c.who, Action: c.action, Resource: c.resource, Account: c.owner, Context: NewContext(c.keys)}
			set := c.set(t)
			got := Explain(req, set)
			if got.Result.Decision != c.want {
				t.Fatalf("got %s: %s", got.Result.Decision, got.Sentence())
			}
			if (got.Statement != nil) != (got.Result.Policy != "") {
				t.Errorf("the deciding statement is %+v of policy %q", got.Statement, got.Result.Policy)
			}
			if got.Statement != nil && (got.Statement.Effect == Deny) != (c.want == ExplicitDeny) {
				t.Errorf("%s by a statement with effect %s", c.want, got.Statement.Effect)
			}
		})
	}
}

// FuzzEvaluate: no document makes the evaluation fail, a deny added never allows,
// and a statement taken away never allows where it was an allow.
func FuzzEvaluate(f *testing.F) {
	for _, c := range judgedCases() {
		f.Add(`{"Version":"2012-10-17","Statement":[`+c.identity+`]}`, c.action, c.resource, "ann")
	}
	f.Fuzz(func(t *testing.T, text, action, resource, user string) {
		d, err := Parse(text, Identity)
		if err != nil {
			return
		}
		req := Request{Principal: ann, Action: action, Resource: resource, Context: NewContext(map[string][]string{"aws:username": {user}, "s3:prefix": {user, action}})}
		allowed := func(statements []Statement) bool {
			set := Set{Identity: []Source{{"p", &Document{Version: d.Version, Statements: statements}}}}
			return Explain(req, set).Result.Decision == Allowed
		}
		before := allowed(d.Statements)
		deny := Statement{Effect: Deny, Actions: []string{"*"}, Resources: []string{"*"}}
		if allowed(append(d.Statements[:len(d.Statements):len(d.Statements)], deny)) {
			t.Fatalf("allowed under a deny of everything: %s", text)
		}
		for i, s := range d.Statements {
			rest := append(append([]Statement(nil), d.Statements[:i]...), d.Statements[i+1:]...)
			after := allowed(rest)
			if s.Effect == Allow && after && !before || s.Effect == Deny && before && !after {
				t.Fatalf("taking statement %d away turned %t into %t: %s", i, before, after, text)
			}
		}
	})
}
