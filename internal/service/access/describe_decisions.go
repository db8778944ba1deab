package access

import (
	"context"
	"regexp"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/access"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const pageSize = 100

// tokenForm is that of a refusal's row id, which is the token of the page after it.
var tokenForm = regexp.MustCompile(`^\d{20}-\d{6}$`)

// checkDecisions is on the principals whose decisions are asked for: those of the
// request named, the one named, or all.
func (s *Service) checkDecisions(ctx context.Context, in *api.DescribeDecisionsInput) ([]aws.Check, error) {
	if in.PrincipalArn != nil {
		return about(*in.PrincipalArn), nil
	}
	if in.RequestId == nil {
		return []aws.Check{{Resource: "arn:aws:iam::" + aws.CallFrom(ctx).Account + ":*"}}, nil
	}
	found, err := s.recorder.find(ctx, aws.CallFrom(ctx).Account, *in.RequestId)
	if err != nil {
		return nil, err
	}
	checks := []aws.Check{}
	for _, r := range found {
		checks = append(checks, aws.Check{Resource: r.Explanation.Identity})
	}
	if len(checks) == 0 { // what is not there is nobody's secret, but nothing is said without some permission
		checks = about(aws.CallFrom(ctx).Principal.ARN)
	}
	return checks, nil
}

// DescribeDecisions returns recorded refusals of the account, newest first: of one
// request, of one principal, of both, or all.
func (s *Service) DescribeDecisions(ctx context.Context, in *api.DescribeDecisionsInput) (*api.DescribeDecisionsOutput, error) {
	account := aws.CallFrom(ctx).Account
	if in.RequestId != nil {
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, awserr.New("ValidationException", "MaxResults and NextToken are for lists: what is recorded of a request comes whole.")
		}
		found, err := s.recorder.find(ctx, account, *in.RequestId)
		if err != nil {
			return nil, err
		}
		if in.PrincipalArn != nil { // the permission asked for was on this one only
			found = slices.DeleteFunc(found, func(r refusal) bool { return !r.of(*in.PrincipalArn) })
		}
		if len(found) == 0 {
			return nil, awserr.New("ResourceNotFoundException",
				"No refusal is recorded of request %s. The latest %d of an account are kept.", *in.RequestId, keptRefusals)
		}
		return &api.DescribeDecisionsOutput{Decisions: decisions(found)}, nil
	}
	if in.NextToken != nil && !tokenForm.MatchString(*in.NextToken) {
		return nil, awserr.New("ValidationException", "NextToken is not one of this operation's.")
	}
	limit := pageSize
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	found, next, err := s.recorder.latest(ctx, account, aws.Val(in.PrincipalArn), aws.Val(in.NextToken), limit)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeDecisionsOutput{Decisions: decisions(found)}
	if next != "" {
		out.NextToken = aws.Ptr(next)
	}
	return out, nil
}

func decisions(rows []refusal) []api.RecordedDecision {
	out := []api.RecordedDecision{}
	for _, r := range rows {
		d := api.RecordedDecision{RequestId: aws.Ptr(r.RequestID), Time: aws.Ptr(r.Time), Service: aws.Ptr(r.Service),
			Operation: aws.Ptr(r.Operation), Enforced: aws.Ptr(r.Enforced), Explanation: r.Explanation.api()}
		if r.Origin != "" {
			d.OriginRequestId = aws.Ptr(r.Origin)
		}
		out = append(out, d)
	}
	return out
}

// find returns the refusals of a request, by its own id or that of the client's
// request it belongs to, oldest first.
func (r *Recorder) find(ctx context.Context, account, request string) ([]refusal, error) {
	if err := r.write(ctx); err != nil {
		return nil, err
	}
	var out []refusal
	err := r.db.View(ctx, func(tx *store.Tx) error {
		rows, err := refusals.Lookup(tx, "request", account+"\x00"+request)
		for _, row := range rows {
			out = append(out, *row.Value)
		}
		return err
	})
	slices.SortFunc(out, func(a, b refusal) int { return a.Time.Compare(b.Time) })
	return out, err
}

// latest returns a page of refusals, newest first; before is the last page's token.
func (r *Recorder) latest(ctx context.Context, account, principal, before string, limit int) ([]refusal, string, error) {
	if err := r.write(ctx); err != nil {
		return nil, "", err
	}
	to := account + "\x01"
	if before != "" {
		to = account + "\x00" + before
	}
	var out []refusal
	next := ""
	err := r.db.View(ctx, func(tx *store.Tx) error {
		rows, err := refusals.Range(tx, "age", account+"\x00", to, 0, true)
		for _, row := range rows {
			if principal != "" && !row.Value.of(principal) {
				continue
			}
			if len(out) == limit {
				return nil
			}
			out, next = append(out, *row.Value), row.Key.ID
		}
		next = ""
		return err
	})
	return out, next, err
}
