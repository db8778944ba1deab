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
	if got[1].EvalDecision != "allowed" || *got[1].MatchedStatements[0].SourcePolicyId != "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore" {
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
		{"malformed", &api.SimulateCustomPolicyInput{PolicyInputList: []string{"{"}, ActionNames: []string{"s3:GetObject"}}, "SimulateCustomPolicy", "MalformedPolicyDocument", "This policy contains invalid Json"},
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
