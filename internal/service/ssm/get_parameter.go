package ssm

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/pages"
	"github.com/hardstand/hardstand/internal/store"
)

// splitSelector cuts name:3 into name and selector. ARNs have colons of their own.
func splitSelector(name string) (string, string) {
	rest, prefix := name, ""
	if strings.HasPrefix(name, "arn:") {
		if i := strings.Index(name, ":parameter/"); i >= 0 {
			prefix, rest = name[:i+len(":parameter/")], name[i+len(":parameter/"):]
		}
	}
	base, selector, _ := strings.Cut(rest, ":")
	return prefix + base, selector
}

// get finds a parameter, of the version that a number or a label selects.
func (s *Service) get(ctx context.Context, nameAndSelector string, decrypt bool) (out api.Parameter, err error) {
	c := aws.CallFrom(ctx)
	name, selector := splitSelector(nameAndSelector)
	if err := judgeReference(name); err != nil {
		return api.Parameter{}, err
	}
	if strings.HasPrefix(name, secretPrefix) {
		return s.secret(ctx, name, selector, decrypt)
	}
	if p, ok := s.public(c, name); ok && (selector == "" || selector == "1") {
		return p, nil
	}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		k, p, err := find(tx, c, name)
		if err != nil {
			return orNoParameter(err, nameAndSelector)
		}
		v, err := p.pick(name, selector)
		if err != nil {
			return err
		}
		out, err = s.view(c, k, p, v, name, selector, decrypt)
		return err
	})
	return out, err
}

// pick is the version that a selector names, the newest without one.
func (p *parameter) pick(name, selector string) (version, error) {
	if selector == "" {
		return p.last(), nil
	}
	if strings.Contains(selector, ":") {
		return version{}, errNoParameter(name + ":" + selector)
	}
	i := p.labelled(selector)
	if number, err := strconv.ParseInt(selector, 10, 64); err == nil {
		i = p.at(number)
	}
	if i < 0 {
		return version{}, errNoVersion(selector, name)
	}
	return p.Versions[i], nil
}

// judgeReference refuses what looks like a path and is none.
func judgeReference(name string) error {
	if strings.HasPrefix(name, "arn:") || !strings.Contains(name, "//") && (strings.HasPrefix(name, "/") || !strings.Contains(name, "/")) {
		return nil
	}
	return invalid(namePath, `"ssm"`)
}

// GetParameter returns one parameter.
func (s *Service) GetParameter(ctx context.Context, in *api.GetParameterInput) (*api.GetParameterOutput, error) {
	out, err := s.get(ctx, *in.Name, aws.Val(in.WithDecryption))
	if err != nil {
		return nil, err
	}
	return &api.GetParameterOutput{Parameter: &out}, nil
}

// GetParameters returns several and says which do not exist.
func (s *Service) GetParameters(ctx context.Context, in *api.GetParametersInput) (*api.GetParametersOutput, error) {
	out := &api.GetParametersOutput{Parameters: []api.Parameter{}, InvalidParameters: []string{}}
	seen := map[string]bool{}
	for _, name := range in.Names {
		if seen[name] {
			continue
		}
		seen[name] = true
		p, err := s.get(ctx, name, aws.Val(in.WithDecryption))
		switch {
		case err == nil:
			out.Parameters = append(out.Parameters, p)
		case awserr.Is(err, "ParameterNotFound"), awserr.Is(err, "ParameterVersionNotFound"):
			out.InvalidParameters = append(out.InvalidParameters, name)
		default:
			return nil, err
		}
	}
	return out, nil
}

const defaultByPath = 10

var keysByPath = []string{"Type", "KeyId"}

// GetParametersByPath returns the parameters below a path, the public ones too
// where the path is theirs.
func (s *Service) GetParametersByPath(ctx context.Context, in *api.GetParametersByPathInput) (*api.GetParametersByPathOutput, error) {
	path := aws.Val(in.Path)
	if err := judgePath(path); err != nil {
		return nil, err
	}
	match, err := matcher(in.ParameterFilters, keysByPath, false)
	if err != nil {
		return nil, err
	}
	names, err := s.below(ctx, path, aws.Val(in.Recursive), match)
	if err != nil {
		return nil, err
	}
	if l := labelOf(in.ParameterFilters); l != "" {
		for i := range names {
			names[i] += ":" + l
		}
	}
	names, next, ok := pages.Cut(names, in.NextToken, pages.Limit(in.MaxResults, defaultByPath))
	if !ok {
		return nil, errToken
	}
	out := &api.GetParametersByPathOutput{Parameters: []api.Parameter{}, NextToken: next}
	for _, name := range names {
		p, err := s.get(ctx, name, aws.Val(in.WithDecryption))
		if awserr.As(err) != nil {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, p)
	}
	return out, nil
}

// labelOf is the label by which filters choose: the version that has it is shown,
// not the newest.
func labelOf(filters []api.ParameterStringFilter) string {
	for _, f := range filters {
		if aws.Val(f.Key) == "Label" && len(f.Values) == 1 && (f.Option == nil || *f.Option == "Equals") {
			return f.Values[0]
		}
	}
	return ""
}

// below lists the names under a path, in order.
func (s *Service) below(ctx context.Context, path string, recursive bool, match test) ([]string, error) {
	var names []string
	if strings.HasPrefix(path+"/", publicPrefix) {
		for _, n := range wellKnown {
			if isBelow(n, path, recursive) && match(&parameter{Name: n, facts: facts{Type: "String"}}) {
				names = append(names, n)
			}
		}
	}
	rows, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range rows {
		if isBelow(p.Name, path, recursive) && match(p) {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// list returns the caller's parameters, without those that have expired.
func (s *Service) list(ctx context.Context) (list []*parameter, err error) {
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := parameters.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		for _, r := range rows {
			if !r.Value.expired(tx.Now()) {
				list = append(list, r.Value)
			}
		}
		return err
	})
	return list, err
}
