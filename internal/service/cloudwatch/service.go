// Package cloudwatch is Amazon CloudWatch: metrics that are put and read with
// statistics, percentiles and metric math; alarms on them, simple and composite,
// with their history and actions; dashboards as documents; and the resource types
// AWS::CloudWatch::Alarm, CompositeAlarm and Dashboard.
//
// It owns the tables of records.go. It imports store, stack (its resource types),
// wire, the API's types and its own package expression, metric math. The flow
// enters through Wire's operations and Run:
//
//	PutMetricData         buckets of a minute or a second, an hour a row   series.go
//	Run: each minute, or ten seconds when an alarm asks                    engine.go
//	  decide: datapoints to a state                                        decide.go (pure)
//	  transition: row, history, actions and event in one transaction       transition.go
//	  actions: SNS as cloudwatch.amazonaws.com, EC2 as the alarm's owner,
//	  scaling policies through Scaling, again each minute                  actions.go
//
// Who waits for an alarm asks DescribeAlarms through the Invoker (service
// "monitoring") and waits with the store's Changed and
//
//	store.Filter{Service: "monitoring", Kind: "state", Account: ..., Region: ..., Resource: <the alarm's name>}
//
// An event of that kind is committed with each change of an alarm's state.
package cloudwatch

import (
	"context"
	"log/slog"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/store"
)

// servicePrincipal is who publishes to topics.
const servicePrincipal = "cloudwatch.amazonaws.com"

// Invoker calls operations of any service as the principal in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Scaling does what a scaling policy says because an alarm is in a state; value is that of
// the alarm's metric.
type Scaling interface {
	Alarmed(ctx context.Context, account, region, policyARN, alarm, state string, value, threshold float64) error
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Invoker Invoker
	Scaling Scaling
}

// Service implements the operations.
type Service struct{ cfg Config }

// New returns the service. Run evaluates its alarms.
func New(cfg Config) *Service { return &Service{cfg} }

func key(c aws.Call, id string) store.Key {
	return store.Key{Account: c.Account, Region: c.Region, ID: id}
}

func scope(c aws.Call) store.Scope { return store.Scope{Account: c.Account, Region: c.Region} }

func alarmARN(k store.Key) string { return arn.New("cloudwatch", k.Region, k.Account, "alarm:"+k.ID) }

func dashboardARN(account, name string) string {
	return arn.New("cloudwatch", "", account, "dashboard/"+name)
}

// emit tells that an alarm has changed; kind says how.
func emit(tx *store.Tx, k store.Key, kind, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "monitoring", Resource: k.ID, Kind: kind, Cause: cause})
}
