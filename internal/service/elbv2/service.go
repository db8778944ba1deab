// Package elbv2 is Elastic Load Balancing, version 2015-12-01: application and network
// load balancers, target groups, listeners and rules, and the resource types
// AWS::ElasticLoadBalancingV2::LoadBalancer, TargetGroup, Listener, ListenerRule and
// ListenerCertificate.
//
// It owns the tables elbv2.balancer, elbv2.leaving, elbv2.listener, elbv2.rule,
// elbv2.group and elbv2.target. It imports store, lb (the plane's types), stack (its
// resource types), wire and the types of APIs. The flow enters through Wire's
// operations, which judge and write rows:
//
//	operation --> rows + an event that names the balancer
//	Run --------> for each balancer named: interfaces (EC2, as the service), then
//	              Plane.Apply with what the rows say; its state follows
//	plane ------> Report: the health of a target into its row, with an event
//	EC2's events -> instances that stop, start and end
//	each minute --> metrics to CloudWatch, as the service
//
// The rows are the truth: a server that was started again applies them anew. A
// balancer that was deleted lives on as rows of elbv2.leaving until its interfaces are
// gone; a target that was deregistered until its delay is over. Gateways, functions as
// targets, authentication, mutual TLS and access logs are refused.
package elbv2

import (
	"context"
	"log/slog"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// Invoker calls operations of any service as the caller in ctx.
type Invoker interface {
	Invoke(ctx context.Context, service, operation string, in any) (any, error)
}

// Plane carries the traffic.
type Plane interface {
	Apply(ctx context.Context, spec lb.Spec) error
	Remove(ctx context.Context, id string) error
	// Counts is what a balancer has done since it runs; false when it does not.
	Counts(id string) (lb.Counts, bool)
}

// Config is what New needs.
type Config struct {
	DB      *store.DB
	Clock   clock.Clock
	Log     *slog.Logger
	Invoker Invoker
	// Plane is nil where nothing carries traffic (the fake driver).
	Plane Plane
	// Certificates is nil where there are none.
	Certificates Certificates
}

// Service implements the operations.
type Service struct {
	cfg  Config
	jobs *jobs
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	return &Service{cfg: cfg, jobs: newJobs()}
}

func op[I, O any](name string, h func(context.Context, *I) (*O, error), resources func(context.Context, any) []aws.Check) wire.Operation {
	if resources == nil {
		return wire.Op(name, signer+":"+name, h, nil)
	}
	return wire.Op(name, signer+":"+name, h, checked[I](resources, name))
}

// Wire lists the operations.
func (s *Service) Wire() wire.Service {
	balancer, listener, rule, group := on("LoadBalancerArn"), on("ListenerArn"), on("RuleArn"), on("TargetGroupArn")
	return wire.Service{Model: api.Model(), Operations: wire.Completed([]wire.Operation{
		op("CreateLoadBalancer", s.CreateLoadBalancer, onNewBalancer),
		op("DeleteLoadBalancer", s.DeleteLoadBalancer, balancer),
		op("DescribeLoadBalancers", s.DescribeLoadBalancers, nil),
		op("DescribeLoadBalancerAttributes", s.DescribeLoadBalancerAttributes, nil),
		op("ModifyLoadBalancerAttributes", s.ModifyLoadBalancerAttributes, balancer),
		op("SetSecurityGroups", s.SetSecurityGroups, balancer),
		op("SetSubnets", s.SetSubnets, balancer),
		op("SetIpAddressType", s.SetIpAddressType, balancer),
		op("DescribeCapacityReservation", s.DescribeCapacityReservation, nil),
		op("CreateTargetGroup", s.CreateTargetGroup, onNewGroup),
		op("DeleteTargetGroup", s.DeleteTargetGroup, group),
		op("DescribeTargetGroups", s.DescribeTargetGroups, nil),
		op("ModifyTargetGroup", s.ModifyTargetGroup, group),
		op("DescribeTargetGroupAttributes", s.DescribeTargetGroupAttributes, nil),
		op("ModifyTargetGroupAttributes", s.ModifyTargetGroupAttributes, group),
		op("RegisterTargets", s.RegisterTargets, group),
		op("DeregisterTargets", s.DeregisterTargets, group),
		op("DescribeTargetHealth", s.DescribeTargetHealth, nil),
		op("CreateListener", s.CreateListener, balancer),
		op("ModifyListener", s.ModifyListener, listener),
		op("DeleteListener", s.DeleteListener, listener),
		op("DescribeListeners", s.DescribeListeners, nil),
		op("DescribeListenerAttributes", s.DescribeListenerAttributes, nil),
		op("ModifyListenerAttributes", s.ModifyListenerAttributes, listener),
		op("AddListenerCertificates", s.AddListenerCertificates, listener),
		op("RemoveListenerCertificates", s.RemoveListenerCertificates, listener),
		op("DescribeListenerCertificates", s.DescribeListenerCertificates, nil),
		op("CreateRule", s.CreateRule, listener),
		op("ModifyRule", s.ModifyRule, rule),
		op("DeleteRule", s.DeleteRule, rule),
		op("DescribeRules", s.DescribeRules, nil),
		op("SetRulePriorities", s.SetRulePriorities, onPriorities),
		op("AddTags", s.AddTags, on("ResourceArns")),
		op("RemoveTags", s.RemoveTags, on("ResourceArns")),
		op("DescribeTags", s.DescribeTags, nil),
		op("DescribeSSLPolicies", s.DescribeSSLPolicies, nil),
		op("DescribeAccountLimits", s.DescribeAccountLimits, nil),
	}, s.complete)}
}
