package logs

import (
	"context"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/logs"
	"github.com/hardstand/hardstand/internal/store"
)

// DescribeLogGroups lists groups by name.
func (s *Service) DescribeLogGroups(ctx context.Context, in *api.DescribeLogGroupsInput) (*api.DescribeLogGroupsOutput, error) {
	switch {
	case aws.Val(in.IncludeLinkedAccounts) || len(in.AccountIdentifiers) > 0:
		return nil, notHonoured("linked accounts")
	case in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil:
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	c := aws.CallFrom(ctx)
	pattern := strings.ToLower(aws.Val(in.LogGroupNamePattern))
	var wanted []string
	for _, id := range in.LogGroupIdentifiers {
		name, err := groupOf(c, id)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, name)
	}
	rows, err := s.groups(ctx, func(g *group) bool {
		return strings.HasPrefix(g.Name, aws.Val(in.LogGroupNamePrefix)) && strings.Contains(strings.ToLower(g.Name), pattern) &&
			(in.LogGroupClass == "" || g.Class == in.LogGroupClass) && (len(wanted) == 0 || slices.Contains(wanted, g.Name))
	})
	if err != nil {
		return nil, err
	}
	rows, next, err := page(rows, in.NextToken, in.Limit, groupName)
	if err != nil {
		return nil, err
	}
	out := &api.DescribeLogGroupsOutput{LogGroups: []api.LogGroup{}, NextToken: next}
	for _, g := range rows {
		d := describeGroup(c, g)
		if pattern != "" { // such lists come from an index on AWS, which does not know these
			d.StoredBytes, d.DeletionProtectionEnabled = nil, nil
		}
		out.LogGroups = append(out.LogGroups, d)
	}
	return out, nil
}

func groupName(g *group) string { return g.Name }

// groups lists the groups of the caller's account that a test accepts.
func (s *Service) groups(ctx context.Context, accept func(*group) bool) ([]*group, error) {
	var out []*group
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := groups.List(tx, scope(aws.CallFrom(ctx)), "", 0)
		for _, r := range rows {
			if accept(r.Value) {
				out = append(out, r.Value)
			}
		}
		return err
	})
	return out, err
}

func describeGroup(c aws.Call, g *group) api.LogGroup {
	a := groupARN(c, g.Name)
	d := api.LogGroup{LogGroupName: &g.Name, CreationTime: &g.Created, MetricFilterCount: &g.Filters, Arn: aws.Ptr(a + ":*"),
		StoredBytes: &g.Bytes, LogGroupClass: g.Class, LogGroupArn: &a, DeletionProtectionEnabled: aws.Ptr(false)}
	if g.Retention != 0 {
		d.RetentionInDays = &g.Retention
	}
	return d
}

// ListLogGroups lists names and ARNs of groups.
func (s *Service) ListLogGroups(ctx context.Context, in *api.ListLogGroupsInput) (*api.ListLogGroupsOutput, error) {
	switch {
	case aws.Val(in.IncludeLinkedAccounts) || len(in.AccountIdentifiers) > 0:
		return nil, notHonoured("linked accounts")
	case len(in.DataSources) > 0 || len(in.FieldIndexNames) > 0 || len(in.LogGroupTags) > 0:
		return nil, notHonoured("dataSources, fieldIndexNames and logGroupTags of ListLogGroups")
	}
	c := aws.CallFrom(ctx)
	rows, err := s.groups(ctx, func(g *group) bool {
		return (in.LogGroupClass == "" || g.Class == in.LogGroupClass) && matchesAny(g.Name, aws.Val(in.LogGroupNamePattern))
	})
	if err != nil {
		return nil, err
	}
	rows, next, err := page(rows, in.NextToken, in.Limit, groupName)
	if err != nil {
		return nil, err
	}
	out := &api.ListLogGroupsOutput{LogGroups: []api.LogGroupSummary{}, NextToken: next}
	for _, g := range rows {
		out.LogGroups = append(out.LogGroups, api.LogGroupSummary{LogGroupName: &g.Name, LogGroupArn: aws.Ptr(groupARN(c, g.Name)), LogGroupClass: g.Class})
	}
	return out, nil
}

// matchesAny reports whether one of the alternatives, divided by |, is in name; ^
// ties one to its begin.
func matchesAny(name, pattern string) bool {
	return pattern == "" || slices.ContainsFunc(strings.Split(pattern, "|"), func(p string) bool {
		if front, ok := strings.CutPrefix(p, "^"); ok {
			return strings.HasPrefix(name, front)
		}
		return strings.Contains(name, p)
	})
}
