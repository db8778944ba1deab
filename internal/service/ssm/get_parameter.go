package ssm

import (
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
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

// get finds a parameter, of the version that a selector names.
func (s *Service) get(tx *store.Tx, c aws.Call, nameAndSelector string, decrypt bool) (api.Parameter, error) {
	name, selector := splitSelector(nameAndSelector)
	if p, ok := s.public(c, name); ok && (selector == "" || selector == "1") {
		return p, nil
	}
	p, err := parameters.Get(tx, key(c, name))
	if err != nil {
		return api.Parameter{}, orNoParameter(err, name)
	}
	v := p.last()
	if selector != "" {
		number, err := strconv.ParseInt(selector, 10, 64)
		i := slices.IndexFunc(p.Versions, func(v version) bool { return v.Number == number })
		if err != nil || i < 0 {
			return api.Parameter{}, awserr.New("ParameterVersionNotFound",
				"Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
		}
		v = p.Versions[i]
	}
	return s.view(c, p, v, selector, decrypt)
}

// GetParameter returns one parameter.
func (s *Service) GetParameter(ctx context.Context, in *api.GetParameterInput) (*api.GetParameterOutput, error) {
	var out api.Parameter
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		out, err = s.get(tx, aws.CallFrom(ctx), *in.Name, aws.Val(in.WithDecryption))
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetParameterOutput{Parameter: &out}, nil
}

// GetParameters returns several and says which do not exist.
func (s *Service) GetParameters(ctx context.Context, in *api.GetParametersInput) (*api.GetParametersOutput, error) {
	out := &api.GetParametersOutput{Parameters: []api.Parameter{}, InvalidParameters: []string{}}
	seen := map[string]bool{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range in.Names {
			if seen[name] {
				continue
			}
			seen[name] = true
			p, err := s.get(tx, aws.CallFrom(ctx), name, aws.Val(in.WithDecryption))
			switch {
			case err == nil:
				out.Parameters = append(out.Parameters, p)
			case awserr.As(err) != nil:
				out.InvalidParameters = append(out.InvalidParameters, name)
			default:
				return err
			}
		}
		return nil
	})
	return out, err
}

const defaultByPath = 10

// GetParametersByPath returns the parameters below a path, the public ones too.
func (s *Service) GetParametersByPath(ctx context.Context, in *api.GetParametersByPathInput) (*api.GetParametersByPathOutput, error) {
	path := aws.Val(in.Path)
	if !strings.HasPrefix(path, "/") {
		return nil, invalid("The parameter path must begin with a slash.")
	}
	if len(in.ParameterFilters) > 0 {
		return nil, awserr.Status(501, "NotImplemented", "hardstand does not implement ParameterFilters of GetParametersByPath.")
	}
	c := aws.CallFrom(ctx)
	names, err := s.below(ctx, c, strings.TrimSuffix(path, "/")+"/", aws.Val(in.Recursive))
	if err != nil {
		return nil, err
	}
	limit := defaultByPath
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	names, next, err := paginate(names, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &api.GetParametersByPathOutput{Parameters: []api.Parameter{}, NextToken: next}
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range names {
			p, err := s.get(tx, c, name, aws.Val(in.WithDecryption))
			if awserr.As(err) != nil {
				continue // deleted meanwhile
			}
			if err != nil {
				return err
			}
			out.Parameters = append(out.Parameters, p)
		}
		return nil
	})
	return out, err
}

// below lists the names under a path, in order.
func (s *Service) below(ctx context.Context, c aws.Call, prefix string, recursive bool) ([]string, error) {
	rows, err := s.list(ctx, c)
	if err != nil {
		return nil, err
	}
	names := slices.Clone(wellKnown)
	for _, row := range rows {
		names = append(names, row.Value.Name)
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		rest, ok := strings.CutPrefix(n, prefix)
		return !ok || !recursive && strings.Contains(rest, "/")
	})
	slices.Sort(names)
	return names, nil
}

func (s *Service) list(ctx context.Context, c aws.Call) (rows []store.Row[parameter], err error) {
	err = s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err = parameters.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
		return err
	})
	return rows, err
}

// paginate cuts list at the offset that token holds.
func paginate[T any](list []T, token *string, limit int) ([]T, *string, error) {
	start := 0
	if t := aws.Val(token); t != "" {
		raw, err := base64.RawURLEncoding.DecodeString(t)
		if err == nil {
			start, err = strconv.Atoi(string(raw))
		}
		if err != nil || start < 0 || start > len(list) {
			return nil, nil, awserr.New("InvalidNextToken", "The specified token isn't valid.")
		}
	}
	list = list[start:]
	if len(list) <= limit {
		return list, nil, nil
	}
	return list[:limit], aws.Ptr(base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(start + limit)))), nil
}
