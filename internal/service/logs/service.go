// Package logs is Amazon CloudWatch Logs: log groups and streams, events that
// agents and user data put and everybody reads and filters, retention, metric
// filters and resource policies; and the resource types AWS::Logs::LogGroup,
// LogStream, MetricFilter and ResourcePolicy.
//
// It owns the tables of records.go. It imports store, stack (its resource types),
// wire, the API's types and its own package pattern, the language of filters. The
// flow enters through Wire's operations and Run.
//
// Events are kept in batches, a row for each call that put some: what a reader
// wants is found by the batch's first and last time (scan.go), so that an event
// costs its text and little more. Run removes what a group's retention has made
// old, by the clock (retention.go), and puts the values that metric filters found
// into CloudWatch (publish_metrics.go): they are queued in the transaction that
// keeps the events.
package logs

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// servicePrincipal is who puts the metrics of filters.
const servicePrincipal = "logs.amazonaws.com"

// Invoker calls operations of any service as the principal in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Invoker Invoker
}

// Service implements the operations.
type Service struct{ cfg Config }

// New returns the service. Run does what it does in the background.
func New(cfg Config) *Service { return &Service{cfg} }

// Run applies retention and publishes metrics until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	done := make(chan error, 1)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { done <- s.publishMetrics(inner) }()
	err := s.applyRetention(inner)
	cancel()
	return errors.Join(err, <-done)
}

func key(c aws.Call, id string) store.Key {
	return store.Key{Account: c.Account, Region: c.Region, ID: id}
}

func scope(c aws.Call) store.Scope { return store.Scope{Account: c.Account, Region: c.Region} }

// streamID is the id of a stream's row. Group names hold no NUL.
func streamID(group, stream string) string { return group + "\x00" + stream }

func groupARN(c aws.Call, group string) string {
	return arn.New("logs", c.Region, c.Account, "log-group:"+group)
}

func streamARN(c aws.Call, group, stream string) string {
	return groupARN(c, group) + ":log-stream:" + stream
}

// groupOf is the name behind a group's name or ARN.
func groupOf(c aws.Call, identifier string) (string, error) {
	if !strings.HasPrefix(identifier, "arn:") {
		return identifier, nil
	}
	name, ok := strings.CutPrefix(identifier, arn.New("logs", c.Region, c.Account, "log-group:"))
	if !ok {
		return "", errNoGroup
	}
	return strings.TrimSuffix(name, ":*"), nil
}

// named is the group that a request means by name or by identifier.
func named(ctx context.Context, name, identifier *string) (string, error) {
	switch {
	case name != nil && identifier != nil:
		return "", awserr.New("ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")
	case name == nil && identifier == nil:
		return "", invalid("Either logGroupName or logGroupIdentifier must be specified.")
	case name != nil:
		return *name, nil
	}
	return groupOf(aws.CallFrom(ctx), *identifier)
}

func (s *Service) nowMillis() int64 { return s.cfg.Clock.Now().UnixMilli() }

// emit tells that a group has changed; kind says how.
func emit(tx *store.Tx, k store.Key, group, kind, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "logs", Resource: group, Kind: kind, Cause: cause})
}
