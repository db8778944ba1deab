package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// The words of the API for drift.
const (
	InSync     = "IN_SYNC"
	Drifted    = "DRIFTED"
	Modified   = "MODIFIED"
	Deleted    = "DELETED"
	NotChecked = "NOT_CHECKED"
)

// Drift is how far a resource is from its template. Expected and Actual are JSON
// objects of the properties that were compared.
type Drift struct {
	Status           string
	Checked          time.Time
	Expected, Actual string       `json:",omitempty"`
	Differences      []Difference `json:",omitempty"`
}

// Difference is one value that differs; Kind is ADD, REMOVE or NOT_EQUAL.
type Difference struct{ Path, Kind, Expected, Actual string }

// Driftable reports whether the drift of stacks in a status can be detected.
func Driftable(status string) bool {
	switch status {
	case CreateComplete, UpdateComplete, UpdateRollbackComplete, UpdateRollbackFailed, ImportComplete, ImportRollbackComplete:
		return true
	}
	return false
}

// DetectDrift compares the resources named, or all, with what they are now, as the
// caller in ctx, and records what it finds. failed are the resources that could
// not be read, with the reasons.
func (e *Engine) DetectDrift(ctx context.Context, s *Stack, only []string) (found []*Member, failed map[string]error, err error) {
	r, err := e.loadMembers(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	failed = map[string]error{}
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		m := r.members[id]
		if !m.exists() || len(only) > 0 && !slices.Contains(only, id) {
			continue
		}
		drift, err := r.drift(ctx, m)
		if err != nil {
			failed[id] = err
			continue
		}
		m.Drift = drift
		found = append(found, m)
	}
	return found, failed, e.recordDrift(ctx, s, found, len(only) == 0 && len(failed) == 0)
}

// recordDrift writes the findings; of all resources they judge the stack too.
func (e *Engine) recordDrift(ctx context.Context, s *Stack, found []*Member, whole bool) error {
	return e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		status := InSync
		for _, m := range found {
			now, err := Members.Get(tx, s.memberKey(m.LogicalID))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if m.Drift.Status == Modified || m.Drift.Status == Deleted {
				status = Drifted
			}
			m.Drift.Checked = tx.Now()
			now.Drift = m.Drift
			if err := Members.Put(tx, s.memberKey(m.LogicalID), now); err != nil {
				return err
			}
		}
		if !whole {
			return nil
		}
		now, err := Stacks.Get(tx, s.Key())
		if err != nil {
			return err
		}
		now.Drift, now.DriftChecked = status, tx.Now()
		s.Drift, s.DriftChecked = now.Drift, now.DriftChecked
		return Stacks.Put(tx, s.Key(), now)
	})
}

// drift compares one resource. Values that were masked or looked up when they were
// written are not compared: what is expected is not to be shown.
func (r *run) drift(ctx context.Context, m *Member) (*Drift, error) {
	req, res, err := r.request(m)
	if err != nil {
		return nil, err
	}
	live, can := res.(Live)
	if !can {
		_, err := res.Read(ctx, req)
		if errors.Is(err, ErrNotFound) {
			return &Drift{Status: Deleted}, nil
		}
		return &Drift{Status: NotChecked}, err
	}
	expected := map[string]any{}
	if m.Public != "" {
		if err := decodeJSON(m.Public, &expected); err != nil {
			return nil, fmt.Errorf("decode the properties of %s: %w", m.LogicalID, err)
		}
	}
	maps.DeleteFunc(expected, func(name string, v any) bool { return template.JSON(v) != template.JSON(req.Properties[name]) })
	found, err := live.Live(aws.WithCall(ctx, driftCall(ctx)), req)
	if errors.Is(err, ErrNotFound) {
		return &Drift{Status: Deleted, Expected: template.JSON(expected)}, nil
	}
	if err != nil {
		return nil, err
	}
	return CompareLive(expected, found, req.Tags), nil
}

// CompareLive compares the properties that a template gives with those that
// Live.Live has returned.
func CompareLive(properties, live map[string]any, stackTags map[string]string) *Drift {
	expected, actual := map[string]any{}, map[string]any{}
	for name, v := range properties {
		now, told := live[name]
		if !told {
			continue
		}
		expected[name] = v
		if name == "Tags" {
			now = withoutStackTags(now, stackTags)
		}
		if now != nil {
			actual[name] = now
		}
	}
	d := &Drift{Status: InSync, Expected: template.JSON(expected), Actual: template.JSON(actual), Differences: differences(expected, actual)}
	if len(d.Differences) > 0 {
		d.Status = Modified
	}
	return d
}

// driftCall is the caller's own Call, without the token of whatever made it.
func driftCall(ctx context.Context) aws.Call {
	c := aws.CallFrom(ctx)
	c.Token = ""
	return c.WithVia("cloudformation.amazonaws.com")
}

// withoutStackTags leaves out of a Tags property what the stack has put there.
func withoutStackTags(v any, stackTags map[string]string) any {
	switch tags := v.(type) {
	case []any:
		return slices.DeleteFunc(slices.Clone(tags), func(t any) bool {
			m, _ := t.(map[string]any)
			key, _ := scalarText(m["Key"])
			value, _ := scalarText(m["Value"])
			return fromStack(stackTags, key, value)
		})
	case map[string]any:
		out := maps.Clone(tags)
		maps.DeleteFunc(out, func(key string, v any) bool {
			value, _ := scalarText(v)
			return fromStack(stackTags, key, value)
		})
		return out
	}
	return v
}

func fromStack(stackTags map[string]string, key, value string) bool {
	put, ok := stackTags[key]
	return strings.HasPrefix(key, "aws:") || ok && put == value
}
