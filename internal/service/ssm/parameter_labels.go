package ssm

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

const maxLabels = 10 // of a version

var labelForm = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)

// validLabel holds a label to AWS's rules, which would let it be taken neither for
// a version nor for one of AWS's own.
func validLabel(label string) bool {
	low := strings.ToLower(label)
	return labelForm.MatchString(label) && !strings.HasPrefix(low, "aws") && !strings.HasPrefix(low, "ssm")
}

// LabelParameterVersion gives labels to a version, the newest by default. A label
// that another version has moves.
func (s *Service) LabelParameterVersion(ctx context.Context, in *api.LabelParameterVersionInput) (*api.LabelParameterVersionOutput, error) {
	out := &api.LabelParameterVersionOutput{InvalidLabels: []string{}}
	var valid []string
	for _, l := range in.Labels {
		switch {
		case !validLabel(l):
			out.InvalidLabels = append(out.InvalidLabels, l)
		case !slices.Contains(valid, l):
			valid = append(valid, l)
		}
	}
	err := s.relabel(ctx, *in.Name, in.ParameterVersion, func(p *parameter, i int) error {
		out.ParameterVersion = aws.Ptr(p.Versions[i].Number)
		for j := range p.Versions {
			if j != i {
				p.Versions[j].Labels = slices.DeleteFunc(p.Versions[j].Labels, func(l string) bool { return slices.Contains(valid, l) })
			}
		}
		for _, l := range valid {
			if !slices.Contains(p.Versions[i].Labels, l) {
				p.Versions[i].Labels = append(p.Versions[i].Labels, l)
			}
		}
		if len(p.Versions[i].Labels) > maxLabels {
			return awserr.New("ParameterVersionLabelLimitExceeded", "A parameter version can have maximum %d labels.Move one or more labels to another version and try again.", maxLabels)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UnlabelParameterVersion takes labels from a version.
func (s *Service) UnlabelParameterVersion(ctx context.Context, in *api.UnlabelParameterVersionInput) (*api.UnlabelParameterVersionOutput, error) {
	out := &api.UnlabelParameterVersionOutput{RemovedLabels: []string{}, InvalidLabels: []string{}}
	err := s.relabel(ctx, *in.Name, in.ParameterVersion, func(p *parameter, i int) error {
		v := &p.Versions[i]
		for _, l := range in.Labels {
			if j := slices.Index(v.Labels, l); j >= 0 {
				v.Labels = slices.Delete(v.Labels, j, j+1)
				out.RemovedLabels = append(out.RemovedLabels, l)
			} else {
				out.InvalidLabels = append(out.InvalidLabels, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// relabel changes the labels of a version, the newest by default.
func (s *Service) relabel(ctx context.Context, name string, number *int64, change func(*parameter, int) error) error {
	c := aws.CallFrom(ctx)
	return s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		k, p, err := find(tx, c, name)
		if err != nil {
			return orNoParameter(err, name)
		}
		i := len(p.Versions) - 1
		if number != nil {
			if i = p.at(*number); i < 0 {
				return errNoVersion(strconv.FormatInt(*number, 10), name)
			}
		}
		if err := change(p, i); err != nil {
			return err
		}
		tx.Emit(store.Event{Account: c.Account, Region: c.Region, Service: "ssm", Resource: k.ID, Kind: "labels", RequestID: c.RequestID})
		return parameters.Put(tx, k, p)
	})
}
