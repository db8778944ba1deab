package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/validate"
)

// Invoke implements Invoker: the call of one service, or of the stack engine, to
// an operation of another, as the principal in ctx's Call. The error is what a
// client would see.
func (s *Server) Invoke(ctx context.Context, serviceName, operation string, in any) (any, error) {
	svc := s.byName[serviceName]
	if svc == nil {
		if named := s.bySigner[serviceName]; len(named) > 0 {
			svc = named[0]
		}
	}
	if svc == nil {
		return nil, awserr.NotImplemented(serviceName, operation)
	}
	row := svc.operations[operation]
	if row == nil {
		return nil, notImplemented(svc.Model, operation)
	}
	if want := reflect.TypeOf(row.New()); reflect.TypeOf(in) != want {
		return nil, fmt.Errorf("invoke %s:%s: want %s, got %T", serviceName, operation, want, in)
	}
	return s.run(aws.WithCall(ctx, derive(aws.CallFrom(ctx), svc.Model, operation)), svc, row, in)
}

// derive is the Call of an operation that parent's operation makes. It remembers
// the service in between (aws:CalledVia), unless that is its own: what an operation
// does by others of its service, the caller does.
func derive(parent aws.Call, m *model.Service, operation string) aws.Call {
	c := parent
	if via := parent.Service + ".amazonaws.com"; parent.Service != "" && parent.Service != m.Label() && (len(parent.Via) == 0 || parent.Via[len(parent.Via)-1] != via) {
		c = c.WithVia(via)
	}
	if c.Origin == "" {
		c.Origin = parent.RequestID
	}
	c.RequestID, c.Service, c.Operation, c.SignedRegion = ids.UUID(), m.Label(), operation, ""
	return c
}

// run is where every call passes, from outside or inside: validate, authorize, dry
// run, operation, audit.
func (s *Server) run(ctx context.Context, svc *service, row *Operation, in any) (any, error) {
	began := s.cfg.Clock.Now()
	out, err := s.pass(ctx, svc, row, in)
	return out, s.audit(ctx, svc, began, err)
}

// audit writes the log line of a call, and returns its error as the caller sees it.
//
//go:noinline
func (s *Server) audit(ctx context.Context, svc *service, began time.Time, err error) error {
	call := aws.CallFrom(ctx)
	code := ""
	if err != nil {
		e := s.asAWS(err, svc.Model.Protocol, svc, call.RequestID)
		code, err = e.Code, e
	}
	s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "call", slog.String("service", call.Service),
		slog.String("operation", call.Operation), slog.String("principal", call.Principal.ARN),
		slog.String("region", call.Region), slog.Any("via", call.Via), slog.String("code", code),
		slog.Duration("duration", s.cfg.Clock.Now().Sub(began)), slog.String("request_id", call.RequestID))
	return err
}

func (s *Server) pass(ctx context.Context, svc *service, row *Operation, in any) (any, error) {
	if err := s.admit(ctx, svc, row, in); err != nil {
		return nil, err
	}
	return row.Invoke(ctx, in)
}

// admit is what comes before every operation.
func (s *Server) admit(ctx context.Context, svc *service, row *Operation, in any) error {
	op := svc.Model.Operations[row.Name]
	violations, err := validate.Input(op.Input, in)
	if err != nil {
		return err
	}
	if len(violations) > 0 {
		return svc.violationError(op, violations)
	}
	if row.Free == "" {
		if err := s.authorize(ctx, row, in); err != nil {
			return err
		}
	}
	if svc.Model.Protocol == model.EC2 && dryRun(in) {
		return awserr.Status(http.StatusPreconditionFailed, "DryRunOperation",
			"Request would have succeeded, but DryRun flag is set.")
	}
	return nil
}

func (s *Server) authorize(ctx context.Context, row *Operation, in any) error {
	checks, err := row.Checks(ctx, in)
	if err != nil {
		return err
	}
	if len(checks) == 0 {
		return fmt.Errorf("%s names no permission for its input", row.Name)
	}
	for _, c := range checks {
		if err := s.cfg.Authorizer.Authorize(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func dryRun(in any) bool {
	f := reflect.ValueOf(in).Elem().FieldByName("DryRun")
	if !f.IsValid() {
		return false
	}
	flag, ok := f.Interface().(*bool)
	return ok && flag != nil && *flag
}
