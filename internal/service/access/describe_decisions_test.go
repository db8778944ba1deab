package access

import (
	"context"
	"slices"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

const (
	account = "111122223333"
	alice   = "arn:aws:iam::" + account + ":user/alice"
	bob     = "arn:aws:iam::" + account + ":user/bob"
	deploy  = "arn:aws:iam::" + account + ":role/ci/deploy"
)

func newRecorder(t *testing.T) (*Recorder, context.Context) {
	t.Helper()
	return NewRecorder(storetest.New(t), clock.System{}), aws.WithCall(t.Context(), aws.Call{Account: account, Service: asking,
		Principal: aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: alice}})
}

func user(name string) aws.Principal {
	return aws.Principal{Type: aws.PrincipalUser, Account: account, ARN: name}
}

func session() aws.Principal {
	return aws.Principal{Type: aws.PrincipalAssumedRole, Account: account, RoleARN: deploy, SessionName: "run",
		ARN: "arn:aws:sts::" + account + ":assumed-role/deploy/run"}
}

// refuse records a refusal of s3:GetObject.
func refuse(r *Recorder, p aws.Principal, request string) {
	j := policy.Judgement{Request: policy.Request{Principal: p, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k"}}
	r.Refused(aws.Call{Principal: p, Account: account, RequestID: request, Service: "s3", Operation: "GetObject"}, j, true)
}

func TestPagesOfDecisions(t *testing.T) {
	r, ctx := newRecorder(t)
	s := New(Config{Recorder: r})
	var want, got []string
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		refuse(r, user(alice), id)
		want = append([]string{id}, want...)
	}
	in := api.DescribeDecisionsInput{MaxResults: aws.Ptr(int32(2))}
	for {
		out, err := s.DescribeDecisions(ctx, &in)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.Decisions {
			got = append(got, *d.RequestId)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDescribeDecisions(t *testing.T) {
	r, ctx := newRecorder(t)
	s := New(Config{Recorder: r})
	refuse(r, user(alice), "of-alice")
	refuse(r, user(bob), "of-bob")
	refuse(r, session(), "of-deploy")
	cases := []struct {
		name string
		in   api.DescribeDecisionsInput
		want []string
		code string
	}{
		{name: "all, newest first", want: []string{"of-deploy", "of-bob", "of-alice"}},
		{name: "of a request", in: api.DescribeDecisionsInput{RequestId: aws.Ptr("of-bob")}, want: []string{"of-bob"}},
		{name: "of a user", in: api.DescribeDecisionsInput{PrincipalArn: aws.Ptr(alice)}, want: []string{"of-alice"}},
		{name: "of a role with a path", in: api.DescribeDecisionsInput{PrincipalArn: aws.Ptr(deploy)}, want: []string{"of-deploy"}},
		{name: "of a session", in: api.DescribeDecisionsInput{PrincipalArn: aws.Ptr(session().ARN)}, want: []string{"of-deploy"}},
		{name: "of a request of that principal", in: api.DescribeDecisionsInput{RequestId: aws.Ptr("of-bob"), PrincipalArn: aws.Ptr(bob)}, want: []string{"of-bob"}},
		{name: "of a request of another principal", in: api.DescribeDecisionsInput{RequestId: aws.Ptr("of-bob"), PrincipalArn: aws.Ptr(alice)}, code: "ResourceNotFoundException"},
		{name: "unknown request", in: api.DescribeDecisionsInput{RequestId: aws.Ptr("none")}, code: "ResourceNotFoundException"},
		{name: "page of a request", in: api.DescribeDecisionsInput{RequestId: aws.Ptr("of-bob"), MaxResults: aws.Ptr(int32(1))}, code: "ValidationException"},
		{name: "token of another operation", in: api.DescribeDecisionsInput{NextToken: aws.Ptr("zzz")}, code: "ValidationException"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, err := s.DescribeDecisions(ctx, &c.in)
			if c.code != "" {
				if !awserr.Is(err, c.code) {
					t.Fatalf("got %+v, %v; want %s", out, err, c.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range out.Decisions {
				got = append(got, *d.RequestId)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
