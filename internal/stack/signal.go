package stack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// Signal is a row of cfn.signal: one UniqueId's word on a resource or a handle.
type Signal struct {
	StackID, LogicalID, UniqueID, Status string
	Reason, Data                         string
	Created                              int // the member's Created
	Time                                 time.Time
}

// Signals is the table of signals.
var Signals = &store.Table[Signal]{Name: "cfn.signal", Version: 1, Indexes: []store.Index[Signal]{
	{Name: stackIndex, Value: func(_ store.Key, s *Signal) []string { return []string{s.StackID} }},
	{Name: "target", Value: func(_ store.Key, s *Signal) []string { return []string{signalTarget(s.StackID, s.LogicalID)} }},
}}

// signalTarget is the value of the index target.
func signalTarget(stackID, logicalID string) string { return stackID + "\x00" + logicalID }

// Success and Failure are the statuses of signals.
const (
	Success = "SUCCESS"
	Failure = "FAILURE"
)

// maxSignalTimeout is the longest Timeout of a CreationPolicy or WaitCondition.
const maxSignalTimeout = 12 * time.Hour

// SignalResource records a signal for a resource whose creation is in progress.
// Each UniqueId counts once.
func (e *Engine) SignalResource(ctx context.Context, s *Stack, logicalID, uniqueID, status string) error {
	return e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		m, err := Members.Get(tx, s.memberKey(logicalID))
		if errors.Is(err, store.ErrNotFound) {
			return propertyErrorf("Resource %s does not exist for stack %s", logicalID, s.Name)
		}
		if err != nil {
			return err
		}
		updating := m.Status == UpdateInProgress && (m.Replaced || e.Schema(m.Type).UpdatePolicy)
		if m.Status != CreateInProgress && !updating {
			return propertyErrorf("Resource %s is in %s state and cannot be signaled", logicalID, m.Status)
		}
		added, err := addSignal(tx, s, &Signal{StackID: s.ID, LogicalID: logicalID, UniqueID: uniqueID, Status: status, Created: m.Created})
		if err != nil || !added {
			return err
		}
		return setMember(tx, s, m, m.Status, fmt.Sprintf("Received %s signal with UniqueId %s", status, uniqueID))
	})
}

// addSignal stores a signal and wakes who waits for it; a UniqueId that has
// spoken is not heard again.
func addSignal(tx *store.Tx, s *Stack, sig *Signal) (bool, error) {
	sig.Time = tx.Now()
	id := fmt.Sprintf("%s/%s/%d/%s", sig.StackID, sig.LogicalID, sig.Created, sig.UniqueID)
	err := Signals.Insert(tx, store.Key{Account: s.Account, Region: s.Region, ID: id}, sig)
	if errors.Is(err, store.ErrExists) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	tx.Emit(store.Event{Account: s.Account, Region: s.Region, Service: eventService, Resource: s.ID, Kind: signalKind})
	return true, nil
}

// forgetSignals drops the signals that index holds under value: those of a stack that is
// gone, those of a resource that is done.
func forgetSignals(tx *store.Tx, index, value string) error {
	rows, err := Signals.Lookup(tx, index, value)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := Signals.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

// creationPolicy is ResourceSignal of a CreationPolicy.
type creationPolicy struct {
	ResourceSignal struct {
		Count   *int
		Timeout *string
	}
	AutoScalingCreationPolicy struct{ MinSuccessfulInstancesPercent *int } // groups of instances only
}

// awaitPolicy waits for the signals that a member's CreationPolicy asks for.
func (r *run) awaitPolicy(ctx context.Context, m *Member) error {
	def := r.scope.Template.Resources[m.LogicalID]
	if def.CreationPolicy == nil {
		return nil
	}
	policy, err := r.scope.EvalMap(def.CreationPolicy, "/Resources/"+m.LogicalID+"/CreationPolicy")
	if err != nil {
		return err
	}
	var p creationPolicy
	if err := Decode(policy, &p); err != nil {
		return err
	}
	if !r.e.Schema(m.Type).Signals {
		return propertyErrorf("CreationPolicy is not supported for resource type %s", m.Type)
	}
	count, timeout := 1, 5*time.Minute
	if p.ResourceSignal.Count != nil {
		count = *p.ResourceSignal.Count
	}
	if p.ResourceSignal.Timeout != nil {
		if timeout, err = ParseDuration(*p.ResourceSignal.Timeout); err != nil {
			return err
		}
	}
	w := waiting{stackID: m.StackID, logicalID: m.LogicalID, created: m.Created, count: count, deadline: m.Started.Add(timeout)}
	if r.e.Schema(m.Type).UpdatePolicy {
		return r.awaitShare(ctx, w, p.AutoScalingCreationPolicy.MinSuccessfulInstancesPercent)
	}
	signals, err := r.e.await(ctx, w)
	if errors.Is(err, errNoSignals) && m.Type == waitConditionType {
		return waitTimedOut(len(signals), count)
	}
	if errors.Is(err, errNoSignals) {
		return propertyErrorf("Failed to receive %d resource signal(s) within the specified duration", count-len(signals))
	}
	var failed *failedSignal
	if errors.As(err, &failed) {
		return propertyErrorf("Received FAILURE signal with UniqueId %s", failed.signal.UniqueID)
	}
	return err
}

// waiting says whose signals are awaited, how many and until when. created 0
// means any creation.
type waiting struct {
	stackID, logicalID string
	created, count     int
	deadline           time.Time
}

var errNoSignals = errors.New("signals did not come in time")

// failedSignal is a FAILURE among the signals.
type failedSignal struct{ signal Signal }

func (f *failedSignal) Error() string { return "failure signalled by " + f.signal.UniqueID }

// await returns when count successes are there, with errNoSignals at the
// deadline, or with a *failedSignal.
func (e *Engine) await(ctx context.Context, w waiting) ([]Signal, error) {
	timer := e.cfg.Clock.After(w.deadline.Sub(e.cfg.Clock.Now()))
	for {
		changed := e.cfg.DB.Changed(store.Filter{Service: eventService, Resource: w.stackID, Kind: signalKind})
		signals, err := e.received(ctx, w)
		if err != nil || len(signals) >= w.count {
			return signals, err
		}
		select {
		case <-changed:
		case <-timer:
			return signals, errNoSignals
		case <-ctx.Done():
			return signals, context.Cause(ctx)
		}
	}
}

// received returns the successes so far.
func (e *Engine) received(ctx context.Context, w waiting) (out []Signal, err error) {
	err = e.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := Signals.Lookup(tx, "target", signalTarget(w.stackID, w.logicalID))
		if err != nil {
			return err
		}
		for _, row := range rows {
			sig := *row.Value
			switch {
			case w.created != 0 && sig.Created != w.created:
			case sig.Status == Failure:
				return &failedSignal{sig}
			default:
				out = append(out, sig)
			}
		}
		return nil
	})
	return out, err
}

var isoDuration = regexp.MustCompile(`^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$`)

// ParseDuration reads the ISO 8601 durations that policies use: PT15M, PT1H30M.
func ParseDuration(s string) (time.Duration, error) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || s == "PT" {
		return 0, propertyErrorf("Invalid Timeout %s: it must be an ISO8601 duration such as PT15M", s)
	}
	var d time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n > 1e6 {
			return 0, propertyErrorf("Invalid Timeout %s", s)
		}
		d += time.Duration(n) * unit
	}
	if d > maxSignalTimeout {
		return 0, propertyErrorf("Invalid Timeout %s: the maximum is PT12H", s)
	}
	return d, nil
}

// CheckPolicies refuses CreationPolicy on types that take no signals, and
// UpdatePolicy, which only groups have.
func (e *Engine) CheckPolicies(t *template.Template) error {
	for _, id := range t.ResourceIDs() {
		def := t.Resources[id]
		if !known(e.types, def.Type) {
			continue
		}
		if def.CreationPolicy != nil && !e.Schema(def.Type).Signals {
			return propertyErrorf("CreationPolicy is not supported for resource type %s", def.Type)
		}
		if def.UpdatePolicy != nil && !e.Schema(def.Type).UpdatePolicy {
			return propertyErrorf("UpdatePolicy is not supported for resource type %s", def.Type)
		}
	}
	return nil
}
