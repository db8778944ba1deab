package elbv2_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	cloudwatch "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/wire"
)

// board is as much of CloudWatch as keeps the last values.
type board struct {
	mu     sync.Mutex
	values map[string]float64 // by namespace, name and dimensions
}

func (b *board) service() wire.Service {
	put := func(ctx context.Context, in *cloudwatch.PutMetricDataInput) (*cloudwatch.PutMetricDataOutput, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if aws.CallFrom(ctx).Principal.Service != "elasticloadbalancing.amazonaws.com" {
			return nil, context.Canceled
		}
		for _, d := range in.MetricData {
			name := *in.Namespace + " " + *d.MetricName
			for _, dim := range d.Dimensions {
				kind, _, _ := strings.Cut(*dim.Value, "/")
				name += " " + *dim.Name + "=" + kind
			}
			b.values[name] = *d.Value
		}
		return &cloudwatch.PutMetricDataOutput{}, nil
	}
	return wire.Service{Model: cloudwatch.Model(), Operations: []wire.Operation{wire.Op("PutMetricData", "cloudwatch:PutMetricData", put, nil)}}
}

func (b *board) at(name string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.values[name]
}

func TestMetrics(t *testing.T) {
	l := newLab(t)
	balancer, group := l.balancer("app"), l.group("web")
	l.register(group, "i-1", "i-2")
	l.listener(balancer, "HTTP", 80, forward(group))
	l.plane.counts = map[string]lb.Counts{balancer: {Own: [6]int64{4: 3}, Groups: map[string]lb.GroupCounts{group: {Requests: 10, Answers: [6]int64{2: 8, 5: 2}, Time: 5 * time.Second}}}}
	l.run()
	l.until("the plane has the targets", func() bool { s := l.plane.spec(balancer); return len(s.Groups) == 1 && len(s.Groups[0].Targets) == 2 })
	l.plane.spec(balancer).Report(lb.Change{Balancer: balancer, Group: group, Target: lb.Key{TargetID: "i-1", Port: 80}, Health: lb.Health{State: lb.Healthy}})
	const ofGroup, ofBalancer = " TargetGroup=targetgroup LoadBalancer=app", " LoadBalancer=app"
	l.until("the metrics are there", func() bool {
		l.Clock.Advance(time.Minute)
		l.plane.ring()
		return l.board.at("AWS/ApplicationELB HealthyHostCount"+ofGroup) == 1
	})
	for name, want := range map[string]float64{
		"RequestCount" + ofGroup: 10, "RequestCount" + ofBalancer: 10, "RequestCountPerTarget" + ofGroup: 10, "HTTPCode_Target_2XX_Count" + ofGroup: 8,
		"HTTPCode_Target_5XX_Count" + ofGroup: 2, "HTTPCode_ELB_4XX_Count" + ofBalancer: 3, "TargetResponseTime" + ofGroup: 0.5, "UnHealthyHostCount" + ofGroup: 0,
	} {
		if got := l.board.at("AWS/ApplicationELB " + name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
