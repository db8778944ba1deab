package elbv2

import (
	"context"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	cloudwatch "github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/lb"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// publishMetrics puts the metrics of balancers at each minute, of what the plane has
// counted since the minute before and of the targets' health.
func (s *Service) publishMetrics(ctx context.Context) error {
	if s.cfg.Plane == nil {
		return nil
	}
	before := map[string]lb.Counts{}
	for {
		now := s.cfg.Clock.Now()
		next := now.Truncate(time.Minute).Add(time.Minute)
		select {
		case <-ctx.Done():
			return nil
		case <-s.cfg.Clock.After(next.Sub(now)):
		}
		if err := s.publishMinute(ctx, next.Add(-time.Minute), before); err != nil {
			return err
		}
	}
}

func (s *Service) publishMinute(ctx context.Context, at time.Time, before map[string]lb.Counts) error {
	data := map[store.Key][]cloudwatch.MetricDatum{}
	kinds := map[store.Key]string{}
	running := map[string]bool{}
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := balancers.List(tx, store.Scope{}, "", 0)
		for i := 0; i < len(rows) && err == nil; i++ {
			k, b := rows[i].Key, rows[i].Value
			name := balancerARN(k)
			running[name] = true
			m := &minute{at: at.UTC(), balancer: k.ID}
			if counted, ok := s.cfg.Plane.Counts(name); ok {
				m.traffic(before[name], counted)
				before[name] = counted
			}
			err = s.hosts(tx, k, m)
			data[k], kinds[k] = m.data, metricNamespaces[b.Type == network]
		}
		return err
	})
	for name := range before {
		if !running[name] {
			delete(before, name)
		}
	}
	for k, list := range data {
		for part := range slices.Chunk(list, maxData) {
			_, putErr := wire.Call[cloudwatch.PutMetricDataOutput](asService(ctx, k.Account, k.Region, balancerARN(k)), s.cfg.Invoker, "monitoring", "PutMetricData",
				&cloudwatch.PutMetricDataInput{Namespace: aws.Ptr(kinds[k]), MetricData: part})
			if putErr != nil && ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "metrics of a load balancer were not published", "balancer", balancerARN(k), "error", putErr)
			}
		}
	}
	return err
}

// maxData is how many values one call may put.
const maxData = 500

// metricNamespaces are those of application balancers and, for true, of network ones.
var metricNamespaces = map[bool]string{false: "AWS/ApplicationELB", true: "AWS/NetworkELB"}

// minute gathers the values of one balancer.
type minute struct {
	at       time.Time
	balancer string
	data     []cloudwatch.MetricDatum
}

// add adds a value under the balancer's dimension, and the group's where there is one.
func (m *minute) add(name, group string, unit cloudwatch.StandardUnit, value float64) {
	m.data = append(m.data, cloudwatch.MetricDatum{MetricName: &name, Dimensions: m.dimensions(group), Timestamp: &m.at, Unit: unit, Value: &value})
}

func (m *minute) dimensions(group string) (out []cloudwatch.Dimension) {
	if group != "" {
		out = append(out, cloudwatch.Dimension{Name: aws.Ptr("TargetGroup"), Value: &group})
	}
	return append(out, cloudwatch.Dimension{Name: aws.Ptr("LoadBalancer"), Value: &m.balancer})
}

const inCount = cloudwatch.StandardUnit("Count")

// traffic adds what was counted meanwhile. As on AWS there is no value where nothing was.
func (m *minute) traffic(before, now lb.Counts) {
	for class, name := range map[int]string{3: "HTTPCode_ELB_3XX_Count", 4: "HTTPCode_ELB_4XX_Count", 5: "HTTPCode_ELB_5XX_Count"} {
		if n := now.Own[class] - before.Own[class]; n > 0 {
			m.add(name, "", inCount, float64(n))
		}
	}
	var all int64
	for arn, g := range now.Groups {
		k, err := openGroup(arn)
		if err != nil {
			continue
		}
		was, group := before.Groups[arn], kindGroup+"/"+k.ID
		n := g.Requests - was.Requests
		if n <= 0 {
			continue
		}
		all += n
		m.add("RequestCount", group, inCount, float64(n))
		answers := int64(0)
		for class, name := range map[int]string{2: "HTTPCode_Target_2XX_Count", 3: "HTTPCode_Target_3XX_Count", 4: "HTTPCode_Target_4XX_Count", 5: "HTTPCode_Target_5XX_Count"} {
			if n := g.Answers[class] - was.Answers[class]; n > 0 {
				answers += n
				m.add(name, group, inCount, float64(n))
			}
		}
		if answers > 0 {
			m.add("TargetResponseTime", group, "Seconds", (g.Time-was.Time).Seconds()/float64(answers))
		}
	}
	if all > 0 {
		m.add("RequestCount", "", inCount, float64(all))
	}
}

// hosts adds how many targets of each group are well, and how many requests each got.
func (s *Service) hosts(tx *store.Tx, k store.Key, m *minute) error {
	used, err := groupsUsed(tx, k)
	for _, id := range used {
		rows, err := targetsOf(tx, at(k, id))
		if err != nil {
			return err
		}
		well, unwell := 0, 0
		for _, r := range rows {
			switch {
			case !r.Value.Leaves.IsZero() || r.Value.Stopped:
			case r.Value.Health.State == string(lb.Healthy):
				well++
			case r.Value.Health.State == string(lb.Unhealthy):
				unwell++
			}
		}
		group := kindGroup + "/" + id
		if len(rows) > 0 {
			m.add("HealthyHostCount", group, inCount, float64(well))
			m.add("UnHealthyHostCount", group, inCount, float64(unwell))
		}
		if n := m.requests(group); n > 0 && well > 0 {
			m.add("RequestCountPerTarget", group, inCount, n/float64(well))
		}
	}
	return err
}

// requests is how many requests a group got.
func (m *minute) requests(group string) float64 {
	for _, d := range m.data {
		if *d.MetricName == "RequestCount" && len(d.Dimensions) == 2 && *d.Dimensions[0].Value == group {
			return *d.Value
		}
	}
	return 0
}
