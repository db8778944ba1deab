package iam_test

import (
	"slices"
	"testing"

	api "github.com/hardstand/hardstand/internal/aws/api/iam"
)

func TestSimulators(t *testing.T) {
	s := newSystem(t)
	s.user("ann", allowing("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*", `,"Condition":{"Bool":{"aws:SecureTransport":"true"}}`))
	must[api.AttachUserPolicyOutput](s, s.root(), "iam", "AttachUserPolicy", &api.AttachUserPolicyInput{UserName: p("ann"), PolicyArn: p("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")})
	entries := []api.ContextEntry{{ContextKeyName: p("aws:username"), ContextKeyValues: []string{"ann"}, ContextKeyType: "string"}}
	in := &api.SimulatePrincipalPolicyInput{PolicySourceArn: p("arn:aws:iam::111122223333:user/ann"), ContextEntries: entries,
		ActionNames: []string{"s3:GetObject", "ssm:GetDocument", "s3:PutObject"}, ResourceArns: []string{"arn:aws:s3:::b/ann/k"}}
	got := must[api.SimulatePrincipalPolicyOutput](s, s.root(), "iam", "SimulatePrincipalPolicy", in).EvaluationResults
	if got[0].EvalDecision != "implicitDeny" || !slices.Equal(got[0].MissingContextValues, []string{"aws:SecureTransport"}) {
		t.Errorf("without the key: %+v", got[0])
	}
	if got[1].EvalDecision != "allowed" || *got[1].MatchedStatements[0].SourcePolicyId != "AmazonSSMManagedInstanceCore" {
		t.Errorf("managed: %+v", got[1])
	}
	in.ContextEntries = append(in.ContextEntries, api.ContextEntry{ContextKeyName: p("aws:SecureTransport"), ContextKeyValues: []string{"true"}, ContextKeyType: "boolean"})
	in.PolicyInputList = []string{`{"Statement":{"Effect":"Deny","Action":"s3:Put*","Resource":"*"}}`}
	got = must[api.SimulatePrincipalPolicyOutput](s, s.root(), "iam", "SimulatePrincipalPolicy", in).EvaluationResults
	if got[0].EvalDecision != "allowed" || got[2].EvalDecision != "explicitDeny" || *got[2].MatchedStatements[0].SourcePolicyId != "PolicyInputList.1" {
		t.Errorf("with the key: %s, %s", got[0].EvalDecision, got[2].EvalDecision)
	}
	for _, c := range []struct {
		name          string
		in            any
		op            string
		code, message string
	}{
		{"malformed", &api.SimulateCustomPolicyInput{PolicyInputList: []string{"{"}, ActionNames: []string{"s3:GetObject"}}, "SimulateCustomPolicy", "InvalidInput", "Syntax errors in policy."},
		{"no caller", &api.SimulateCustomPolicyInput{PolicyInputList: []string{allowing("s3:*", "*", "")}, ActionNames: []string{"s3:GetObject"}, ResourcePolicy: p("{}")}, "SimulateCustomPolicy", "InvalidInput", "A CallerArn must be given with a ResourcePolicy."},
		{"two boundaries", &api.SimulateCustomPolicyInput{PolicyInputList: []string{allowing("s3:*", "*", "")}, ActionNames: []string{"s3:GetObject"},
			PermissionsBoundaryPolicyInputList: []string{allowing("s3:*", "*", ""), allowing("s3:*", "*", "")}}, "SimulateCustomPolicy", "InvalidInput", ""},
		{"no such user", &api.SimulatePrincipalPolicyInput{PolicySourceArn: p("arn:aws:iam::111122223333:user/none"), ActionNames: []string{"s3:GetObject"}}, "SimulatePrincipalPolicy", "NoSuchEntity", ""},
		{"no entity", &api.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: p("arn:aws:s3:::bucket-of-mine")}, "GetContextKeysForPrincipalPolicy", "InvalidInput", ""},
		{"handling option", &api.SimulateCustomPolicyInput{PolicyInputList: []string{allowing("s3:*", "*", "")}, ActionNames: []string{"s3:GetObject"}, ResourceHandlingOption: p("EC2-VPC-InstanceStore")}, "SimulateCustomPolicy", "NotImplemented", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.server.Invoke(s.root(), "iam", c.op, c.in)
			wantError(t, err, c.code, c.message)
		})
	}
	keys := must[api.GetContextKeysForPrincipalPolicyOutput](s, s.root(), "iam", "GetContextKeysForPrincipalPolicy",
		&api.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: p("arn:aws:iam::111122223333:user/ann")}).ContextKeyNames
	if !slices.Equal(keys, []string{"aws:SecureTransport", "aws:username"}) {
		t.Errorf("keys %v", keys)
	}
}

// TestSimulatedStatements: results name every statement that matched and where it
// stands, and how each part of a decision across accounts came out.
func TestSimulatedStatements(t *testing.T) {
	s := newSystem(t)
	const several = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
    {"Effect": "Deny", "Action": "s3:Delete*", "Resource": "*"}
  ]
}`
	const one = `{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Action": "s3:*",
    "Resource": "*"
  }
}`
	sim := func(in *api.SimulateCustomPolicyInput) []api.EvaluationResult {
		return must[api.SimulateCustomPolicyOutput](s, s.root(), "iam", "SimulateCustomPolicy", in).EvaluationResults
	}
	at := func(m api.Statement) [4]int32 {
		return [4]int32{*m.StartPosition.Line, *m.StartPosition.Column, *m.EndPosition.Line, *m.EndPosition.Column}
	}
	got := sim(&api.SimulateCustomPolicyInput{PolicyInputList: []string{several, one}, ActionNames: []string{"s3:GetObject", "s3:DeleteObject", "ec2:RunInstances"}})
	if m := got[0].MatchedStatements; len(m) != 3 || at(m[0]) != [4]int32{3, 17, 4, 59} || at(m[1]) != [4]int32{4, 59, 5, 62} || at(m[2]) != [4]int32{3, 16, 7, 4} || m[2].SourcePolicyType != "IAM Policy" {
		t.Errorf("allowed by %v", m)
	}
	if m := got[1].MatchedStatements; got[1].EvalDecision != "explicitDeny" || len(m) != 1 || *m[0].EndPosition.Line != 6 || *m[0].SourcePolicyId != "PolicyInputList.1" {
		t.Errorf("denied by %v", m)
	}
	if got[2].EvalDecision != "implicitDeny" || len(got[2].MatchedStatements) != 0 {
		t.Errorf("left out: %+v", got[2])
	}
	bucket := &api.SimulateCustomPolicyInput{PolicyInputList: []string{one}, ActionNames: []string{"s3:GetObject"}, ResourceArns: []string{"arn:aws:s3:::b/k"},
		CallerArn: p("arn:aws:iam::111122223333:user/ann"), ResourceOwner: p("arn:aws:iam::444455556666:root"),
		ResourcePolicy: p(`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}}`)}
	got = sim(bucket)
	if got[0].EvalDecision != "allowed" || got[0].EvalDecisionDetails["IAM Policy"] != "allowed" || got[0].EvalDecisionDetails["Resource Policy"] != "allowed" || len(got[0].MatchedStatements) != 2 {
		t.Errorf("across accounts: %+v", got[0])
	}
	bucket.PolicyInputList = []string{allowing("ec2:*", "*", "")}
	got = sim(bucket)
	if got[0].EvalDecision != "implicitDeny" || got[0].EvalDecisionDetails["IAM Policy"] != "implicitDeny" || got[0].EvalDecisionDetails["Resource Policy"] != "allowed" {
		t.Errorf("across accounts without an own policy: %+v", got[0])
	}
	bound := &api.SimulateCustomPolicyInput{PolicyInputList: []string{one}, PermissionsBoundaryPolicyInputList: []string{allowing("s3:Get*", "*", "")}, ActionNames: []string{"s3:GetObject", "s3:PutObject"}}
	got = sim(bound)
	if !*got[0].PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary || *got[1].PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary || got[1].EvalDecision != "implicitDeny" {
		t.Errorf("bounded: %+v", got)
	}
}
