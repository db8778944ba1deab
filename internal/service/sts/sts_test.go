package sts

import (
	"context"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// sessions remembers what it was asked for.
type sessions struct {
	req      aws.SessionRequest
	duration time.Duration
}

func (f *sessions) Assume(_ context.Context, req aws.SessionRequest) (aws.Session, error) {
	f.req = req
	return aws.Session{AccessKeyID: "ASIA", PackedSize: 7}, nil
}

func (f *sessions) SelfSession(_ context.Context, d time.Duration) (aws.Session, error) {
	f.duration = d
	return aws.Session{}, nil
}

func (f *sessions) FederatedSession(_ context.Context, req aws.SessionRequest) (aws.Session, error) {
	f.req = req
	return aws.Session{}, nil
}

func (f *sessions) AssumeWithWebIdentity(_ context.Context, req aws.WebIdentityRequest) (aws.WebIdentitySession, error) {
	f.req = req.SessionRequest
	return aws.WebIdentitySession{}, nil
}

func (f *sessions) DecodeDenial(context.Context, string) (string, error) { return "{}", nil }

func (f *sessions) KeyAccount(context.Context, string) (string, error) {
	return "", awserr.New("NoSuchEntity", "none")
}

func as(t *testing.T, p aws.Principal) context.Context {
	return aws.WithCall(t.Context(), aws.Call{Principal: p, Account: "111122223333"})
}

func TestRowsAreSound(t *testing.T) {
	if err := New(&sessions{}).Wire().Check(); err != nil {
		t.Error(err)
	}
}

func TestGetSessionToken(t *testing.T) {
	user, root := aws.Principal{Type: aws.PrincipalUser}, aws.Principal{Type: aws.PrincipalRoot}
	session := aws.Principal{Type: aws.PrincipalUser, ExpiresAt: time.Unix(1, 0)}
	for _, c := range []struct {
		name string
		who  aws.Principal
		in   api.GetSessionTokenInput
		want time.Duration
		code string
	}{
		{"user", user, api.GetSessionTokenInput{}, 12 * time.Hour, ""},
		{"user, as asked", user, api.GetSessionTokenInput{DurationSeconds: aws.Ptr(int32(900))}, 15 * time.Minute, ""},
		{"root has an hour at most", root, api.GetSessionTokenInput{DurationSeconds: aws.Ptr(int32(7200))}, time.Hour, ""},
		{"with a session", session, api.GetSessionTokenInput{}, 0, "AccessDenied"},
		{"with a device that does not exist", user, api.GetSessionTokenInput{SerialNumber: aws.Ptr("arn:aws:iam::1:mfa/x"), TokenCode: aws.Ptr("123456")}, 0, "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &sessions{}
			_, err := New(f).GetSessionToken(as(t, c.who), &c.in)
			if c.code != "" && !awserr.Is(err, c.code) || c.code == "" && err != nil || f.duration != c.want {
				t.Errorf("got %v, %v", f.duration, err)
			}
		})
	}
}

func TestAssumeRolePassesOn(t *testing.T) {
	f := &sessions{}
	in := &api.AssumeRoleInput{RoleArn: aws.Ptr("arn:aws:iam::111122223333:role/r"), RoleSessionName: aws.Ptr("s"), DurationSeconds: aws.Ptr(int32(900)),
		Policy: aws.Ptr("{}"), PolicyArns: []api.PolicyDescriptorType{{Arn: aws.Ptr("arn:aws:iam::aws:policy/X")}}, Tags: []api.Tag{{Key: aws.Ptr("a"), Value: aws.Ptr("b")}}}
	out, err := New(f).AssumeRole(as(t, aws.Principal{}), in)
	if err != nil || *out.PackedPolicySize != 7 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if f.req.Name != "s" || f.req.Duration != 15*time.Minute || len(f.req.Policies) != 1 || len(f.req.PolicyARNs) != 1 || f.req.Tags["a"] != "b" {
		t.Errorf("asked for %+v", f.req)
	}
	checks, err := assumeRoleChecks(as(t, aws.Principal{}), in)
	if err != nil || len(checks) != 2 || checks[1].Action != "sts:TagSession" || checks[0].ResourceAccount != "111122223333" {
		t.Errorf("checks %+v, %v", checks, err)
	}
	for name, bad := range map[string]api.AssumeRoleInput{
		"provided context": {ProvidedContexts: []api.ProvidedContext{{}}},
	} {
		bad.RoleArn, bad.RoleSessionName = in.RoleArn, in.RoleSessionName
		if _, err := New(f).AssumeRole(as(t, aws.Principal{}), &bad); !awserr.Is(err, "NotImplemented") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGetAccessKeyInfo(t *testing.T) {
	_, err := New(&sessions{}).GetAccessKeyInfo(as(t, aws.Principal{}), &api.GetAccessKeyInfoInput{AccessKeyId: aws.Ptr("AKIA")})
	if !awserr.Is(err, "NoSuchEntity") {
		t.Errorf("got %v", err)
	}
}
