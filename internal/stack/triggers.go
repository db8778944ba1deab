package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// RollbackConfig is a stack's RollbackConfiguration: alarms that roll an operation
// back, and for how long they are watched once all resources are done.
type RollbackConfig struct {
	Triggers []Trigger `json:",omitempty"`
	Minutes  *int32    `json:",omitempty"`
}

// Trigger is one alarm; Type is AWS::CloudWatch::Alarm or CompositeAlarm.
type Trigger struct{ ARN, Type string }

// Alarms tells the state of alarms.
type Alarms interface {
	// Alarm returns the state of an alarm, "" where there is no such alarm. ctx carries
	// the stack's caller.
	Alarm(ctx context.Context, arn string) (string, error)
}

const (
	alarmService   = "monitoring"
	alarmStateKind = "state"
	inAlarm        = "ALARM"
)

// triggered is the end of an operation that an alarm has ended.
type triggered struct{ PropertyError }

func (t *triggered) Unwrap() error { return &t.PropertyError }

func triggeredBy(format string, args ...any) error {
	return &triggered{PropertyError{Message: fmt.Sprintf(format, args...)}}
}

// checkTriggers returns why the triggers end the operation, nil if they do not.
func (r *run) checkTriggers(ctx context.Context, list []Trigger) error {
	ctx = aws.WithCall(ctx, callFor(r.stack, ""))
	for _, t := range list {
		state, err := r.e.cfg.Alarms.Alarm(ctx, t.ARN)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return triggeredBy("Rollback Trigger %s cannot be monitored: %s", t.ARN, Reason(t.Type, err))
		case state == "":
			return triggeredBy("The following Rollback Trigger does not exist: %s", t.ARN)
		case state == inAlarm:
			return triggeredBy("Rollback Trigger %s is in ALARM state", t.ARN)
		}
	}
	return nil
}

// watch ends ctx, with the alarm as its cause, when a trigger of spec goes to ALARM.
// The triggers that are missing, or in ALARM already, are its error.
func (r *run) watch(ctx context.Context, spec *Spec) (context.Context, func(), error) {
	if spec.Rollback == nil || len(spec.Rollback.Triggers) == 0 {
		return ctx, func() {}, nil
	}
	filter := store.Filter{Service: alarmService, Kind: alarmStateKind, Account: r.key.Account}
	changed := r.e.cfg.DB.Changed(filter)
	if err := r.checkTriggers(ctx, spec.Rollback.Triggers); err != nil {
		return ctx, func() {}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
			changed = r.e.cfg.DB.Changed(filter)
			if err := r.checkTriggers(ctx, spec.Rollback.Triggers); err != nil {
				cancel(err)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }, nil
}

// alarmed is the alarm that has ended ctx, nil for none.
func alarmed(ctx context.Context) error {
	var t *triggered
	if cause := context.Cause(ctx); errors.As(cause, &t) {
		return t
	}
	return nil
}

// monitor waits, once the resources are done, for as long as the stack asks for. The
// end of the time is kept in the stack's row, so that a restart does not begin anew.
func (r *run) monitor(ctx context.Context, spec *Spec) error {
	if spec.Rollback == nil || spec.Rollback.Minutes == nil || *spec.Rollback.Minutes == 0 {
		return alarmed(ctx)
	}
	if r.stack.MonitorUntil.IsZero() {
		err := r.e.write(func(tx *store.Tx) error {
			s, err := r.fence(tx)
			if err != nil {
				return err
			}
			s.MonitorUntil = tx.Now().Add(time.Duration(*spec.Rollback.Minutes) * time.Minute)
			r.stack.MonitorUntil = s.MonitorUntil
			return Stacks.Put(tx, r.key, s)
		})
		if err != nil {
			return err
		}
	}
	left := r.stack.MonitorUntil.Sub(r.e.cfg.Clock.Now())
	if err := clock.Sleep(ctx, r.e.cfg.Clock, left); err != nil {
		if stop := r.stopped(); stop != nil {
			return stop
		}
		if errors.Is(context.Cause(ctx), errDeadline) {
			return errDeadline
		}
	}
	return alarmed(ctx)
}

// AlarmName is the name in an alarm's ARN, "" if it is none.
func AlarmName(arn string) string {
	_, name, _ := strings.Cut(arn, ":alarm:")
	return name
}
