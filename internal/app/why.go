package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/client"
)

// Questions asks a running server about permissions: as the caller that the
// environment names where it names an endpoint too, as root with the data dir's
// key otherwise.
type Questions struct {
	config sdk.Config
}

// Ask finds the server and who asks it.
func Ask(ctx context.Context, dir string) (Questions, error) {
	if os.Getenv("AWS_ENDPOINT_URL") != "" {
		cfg, err := awsconfig.LoadDefaultConfig(ctx)
		if err != nil {
			return Questions{}, fmt.Errorf("read AWS's configuration: %w", err)
		}
		cfg.Region = cmp.Or(cfg.Region, "us-east-1")
		return Questions{cfg}, nil
	}
	a, err := ReadAccess(dir)
	if err != nil {
		return Questions{}, err
	}
	return Questions{sdk.Config{Region: a.Region, BaseEndpoint: &a.Endpoint,
		Credentials: credentials.NewStaticCredentialsProvider(a.AccessKeyID, a.SecretAccessKey, "")}}, nil
}

func (q Questions) call(ctx context.Context, operation string, in, out any) error {
	c := client.Client{Model: access.Model(), Config: q.config}
	err := c.Call(ctx, operation, in, out)
	if e := awserr.As(err); e != nil {
		return &Refusal{Cause: e.Message, Remedy: remedyFor(e)}
	}
	if err != nil {
		return &Refusal{Cause: "no server answers", Remedy: "start it with `hardstand serve`", Err: err}
	}
	return nil
}

func remedyFor(e *awserr.Error) string {
	switch e.Code {
	case "AccessDeniedException":
		return "ask as somebody with iam:SimulatePrincipalPolicy on that principal, or as root without AWS_* variables"
	case "ResourceNotFoundException":
		return "`hardstand why` without arguments lists what is recorded"
	}
	return "see hardstand why --help"
}

// WhyRequest prints why a request was refused.
func (q Questions) WhyRequest(ctx context.Context, w io.Writer, request string) error {
	var out access.DescribeDecisionsOutput
	if err := q.call(ctx, "DescribeDecisions", &access.DescribeDecisionsInput{RequestId: &request}, &out); err != nil {
		return err
	}
	for i, d := range out.Decisions {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printDecision(w, d)
	}
	return nil
}

// WhyLatest lists the latest refusals, a line each.
func (q Questions) WhyLatest(ctx context.Context, w io.Writer) error {
	var out access.DescribeDecisionsOutput
	if err := q.call(ctx, "DescribeDecisions", &access.DescribeDecisionsInput{MaxResults: aws.Ptr(int32(20))}, &out); err != nil {
		return err
	}
	if len(out.Decisions) == 0 {
		fmt.Fprintln(w, "Nothing was refused.")
		return nil
	}
	for _, d := range out.Decisions {
		verb := "refused"
		if !aws.Val(d.Enforced) {
			verb = "would be refused"
		}
		e := d.Explanation
		fmt.Fprintf(w, "%s  %s  %s %s: %s on %s\n", aws.Val(d.Time).Format(time.DateTime), aws.Val(d.RequestId), *e.PrincipalArn, verb, *e.Action, *e.Resource)
	}
	return nil
}

// WhyAccess prints what a principal would be allowed, and reports whether it is.
func (q Questions) WhyAccess(ctx context.Context, w io.Writer, principal, action, resource string) (bool, error) {
	in := access.ExplainAccessInput{PrincipalArn: &principal, Action: &action, Resource: &resource}
	text, note := q.resourcePolicy(ctx, resource)
	if text != "" {
		in.ResourcePolicy = &text
	}
	var out access.ExplainAccessOutput
	if err := q.call(ctx, "ExplainAccess", &in, &out); err != nil {
		return false, err
	}
	printExplanation(w, out.Explanation)
	if note != "" {
		printLine(w, "Note", note)
	}
	return out.Explanation.Decision == access.DecisionTypeAllowed, nil
}

// resourcePolicy reads the policy of the bucket that an ARN is of; note says what
// could not be read.
func (q Questions) resourcePolicy(ctx context.Context, resource string) (text, note string) {
	a, err := arn.Parse(resource)
	if err != nil {
		return "", ""
	}
	if a.Service != "s3" {
		return "", "policies of resources count for buckets and roles only"
	}
	bucket, _, _ := strings.Cut(a.Resource, "/")
	c := client.Client{Model: s3.Model(), Config: q.config}
	var out s3.GetBucketPolicyOutput
	err = c.Call(ctx, "GetBucketPolicy", &s3.GetBucketPolicyInput{Bucket: &bucket}, &out)
	switch {
	case err == nil:
		return aws.Val(out.Policy), ""
	case awserr.Is(err, "NoSuchBucketPolicy"):
		return "", ""
	}
	return "", "the policy of bucket " + bucket + " could not be read and does not count here: " + err.Error()
}

func printDecision(w io.Writer, d access.RecordedDecision) {
	printExplanation(w, d.Explanation)
	printLine(w, "Request", fmt.Sprintf("%s, %s of %s, %s", aws.Val(d.RequestId), aws.Val(d.Operation), aws.Val(d.Service), aws.Val(d.Time).Format(time.RFC3339)))
	if o := aws.Val(d.OriginRequestId); o != "" {
		printLine(w, "Part of", "request "+o)
	}
	if !aws.Val(d.Enforced) {
		printLine(w, "Audit", "the server runs with --iam audit and let it pass")
	}
}

var verdicts = map[access.DecisionType]string{
	access.DecisionTypeAllowed: "Allowed", access.DecisionTypeExplicitDeny: "Denied", access.DecisionTypeImplicitDeny: "Not allowed",
}

func printExplanation(w io.Writer, e *access.Explanation) {
	printLine(w, verdicts[e.Decision], aws.Val(e.Action)+" on "+aws.Val(e.Resource))
	printLine(w, "Caller", aws.Val(e.PrincipalArn))
	printLine(w, "Because", aws.Val(e.Reason))
	if e.Statement != nil {
		printLine(w, "Statement", fmt.Sprintf("%d of the %s %s: %s", aws.Val(e.StatementNumber), aws.Val(e.PolicyType), aws.Val(e.PolicyName), *e.Statement))
	}
	for _, n := range e.NearMisses {
		printLine(w, "Near", n)
	}
	for _, c := range e.Considered {
		printLine(w, "Read", c)
	}
	if e.Fix != nil {
		printLine(w, "Fix", *e.Fix)
	}
}

func printLine(w io.Writer, name, text string) { fmt.Fprintf(w, "%-11s  %s\n", name, text) }

// Suggest prints the least-privilege policy of a principal; notes go to warn.
func (q Questions) Suggest(ctx context.Context, w, warn io.Writer, principal string, exact bool) error {
	var out access.SuggestPolicyOutput
	if err := q.call(ctx, "SuggestPolicy", &access.SuggestPolicyInput{PrincipalArn: &principal, Exact: &exact}, &out); err != nil {
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(aws.Val(out.PolicyDocument)), "", "  "); err != nil {
		return fmt.Errorf("read the suggested policy: %w", err)
	}
	fmt.Fprintln(w, pretty.String())
	fmt.Fprintf(warn, "From %d calls since %s.\n", aws.Val(out.Calls), aws.Val(out.Since).Format(time.RFC3339))
	for _, n := range out.Notes {
		fmt.Fprintln(warn, n)
	}
	return nil
}
