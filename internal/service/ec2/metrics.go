package ec2

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

const (
	// metricsPrincipal is as whom EC2 puts metrics.
	metricsPrincipal = "ec2.amazonaws.com"
	metricNamespace  = "AWS/EC2"
	// basicPeriod and detailedPeriod are how often an instance's usage is published.
	basicPeriod    = 5 * time.Minute
	detailedPeriod = time.Minute
	// groupTag is the tag by which Auto Scaling marks the instances of a group.
	groupTag = "aws:autoscaling:groupName"
	// maxData is how many data one call may put, maxValues how many values a datum holds.
	maxData, maxValues = 500, 150
)

// PublishMetrics puts the metrics of the instances that run, at each minute, until ctx
// ends. It is one timer for all of them and one call for up to maxData values.
// Instances that are records only have no metrics.
func (s *Service) PublishMetrics(ctx context.Context) error {
	if s.fake {
		return nil
	}
	m := &meter{s: s, last: map[string]reading{}}
	for {
		now := s.clock.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-s.clock.After(now.Truncate(detailedPeriod).Add(detailedPeriod).Sub(now)):
		}
		// The clock may have been moved by more than that.
		if err := m.round(ctx, s.clock.Now().Truncate(detailedPeriod)); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// meter knows what each instance had used when that was last published. It is lost
// with the server: the first period after a start is where the next one begins.
type meter struct {
	s    *Service
	last map[string]reading
}

// reading is a usage and when it was read by the server's clock.
type reading struct {
	at    time.Time
	usage hsinstance.Usage
}

// round publishes what is due at a full minute.
func (m *meter) round(ctx context.Context, at time.Time) error {
	var rows []store.Row[instance]
	err := m.s.db.View(ctx, func(tx *store.Tx) (err error) {
		rows, err = instances.Lookup(tx, "state", stateRunning)
		return err
	})
	if err != nil {
		return err
	}
	boards, running := map[store.Scope]board{}, map[string]bool{}
	for _, r := range rows {
		running[r.Key.ID] = true
		k := store.Scope{Account: r.Key.Account, Region: r.Key.Region}
		if boards[k] == nil {
			boards[k] = board{}
		}
		m.read(ctx, boards[k], r.Value, at)
	}
	maps.DeleteFunc(m.last, func(id string, _ reading) bool { return !running[id] })
	for k, b := range boards {
		m.put(ctx, k, b)
	}
	return nil
}

// read adds an instance's values. Status checks are of every minute, as on EC2. The
// first reading of an instance is where its first period begins. Nothing is added for
// a machine that does not run though its row says so: it is about to boot again.
func (m *meter) read(ctx context.Context, b board, r *instance, at time.Time) {
	was, known := m.last[r.ID]
	period := basicPeriod
	if r.Monitoring {
		period = detailedPeriod
	}
	now, err := m.s.machines.Usage(r.ID)
	if err != nil {
		delete(m.last, r.ID)
		if !errors.Is(err, hsinstance.ErrNotCounted) && ctx.Err() == nil {
			m.s.log.WarnContext(ctx, "metrics of an instance could not be read", "instance", r.ID, "error", err)
		}
		return
	}
	// A value is of the last minute of its period, so that alarms with short periods see
	// those of five minutes too.
	sets, when := dimensionsOf(r), at.Add(-detailedPeriod)
	for _, name := range []string{"StatusCheckFailed", "StatusCheckFailed_Instance", "StatusCheckFailed_System"} {
		b.add(sets, name, "Count", when, 0)
	}
	if known && !at.Equal(at.Truncate(period)) && at.Sub(was.at) < period {
		return
	}
	m.last[r.ID] = reading{at, now}
	if !known {
		return
	}
	if percent, ok := busy(was.usage, now, vcpusOf(r)); ok {
		b.add(sets, "CPUUtilization", "Percent", when, percent)
	}
	b.add(sets, "NetworkIn", "Bytes", when, float64(since(was.usage.In, now.In)))
	b.add(sets, "NetworkOut", "Bytes", when, float64(since(was.usage.Out, now.Out)))
}

// busy is the share of an instance's processors that was used between two readings,
// in percent. What the limits let through above that is the inexactness of reading.
func busy(was, now hsinstance.Usage, vcpus int32) (float64, bool) {
	elapsed := now.At.Sub(was.At)
	if elapsed <= 0 || vcpus <= 0 {
		return 0, false
	}
	used := since(was.CPU, now.CPU)
	return min(100, 100*used.Seconds()/(elapsed.Seconds()*float64(vcpus))), true
}

// since is how far a counter has come. One that stands lower than before began anew
// with a boot.
func since[N uint64 | time.Duration](was, now N) N {
	if now < was {
		return now
	}
	return now - was
}

func vcpusOf(r *instance) int32 {
	kind, _ := findType(r.Type)
	return kind.VCPUs
}

// dimensionsOf are the sets of dimensions under which an instance's values are found.
// Those of a type, an image and all instances together need detailed monitoring.
func dimensionsOf(r *instance) []dimension {
	sets := []dimension{{"InstanceId", r.ID}}
	if group := r.Tags[groupTag]; group != "" {
		sets = append(sets, dimension{"AutoScalingGroupName", group})
	}
	if r.Monitoring {
		sets = append(sets, dimension{"InstanceType", r.Type}, dimension{"ImageId", r.ImageID}, dimension{})
	}
	return sets
}

// dimension is the one that a value is found under, or none for all instances.
type dimension struct{ name, value string }

// board gathers the values of an account's instances in a region.
type board map[slot][]float64

// slot is where values are aggregated.
type slot struct {
	dimension
	metric string
	unit   cloudwatch.StandardUnit
	at     time.Time
}

func (b board) add(sets []dimension, metric string, unit cloudwatch.StandardUnit, at time.Time, value float64) {
	for _, d := range sets {
		k := slot{d, metric, unit, at.UTC()}
		b[k] = append(b[k], value)
	}
}

// data is the board in the form in which it is put.
func (b board) data() (out []cloudwatch.MetricDatum) {
	for k, all := range b {
		for values := range slices.Chunk(all, maxValues) {
			d := cloudwatch.MetricDatum{MetricName: &k.metric, Timestamp: &k.at, Unit: k.unit, Values: values}
			if k.name != "" {
				d.Dimensions = []cloudwatch.Dimension{{Name: &k.name, Value: &k.value}}
			}
			out = append(out, d)
		}
	}
	return out
}

// put hands the values to CloudWatch. What it does not take is lost: the next minute
// has values of its own.
func (m *meter) put(ctx context.Context, k store.Scope, b board) {
	as := aws.WithCall(ctx, aws.AsService(metricsPrincipal, "", k.Account, k.Region))
	for part := range slices.Chunk(b.data(), maxData) {
		_, err := wire.Call[cloudwatch.PutMetricDataOutput](as, m.s.invoker, "monitoring", "PutMetricData",
			&cloudwatch.PutMetricDataInput{Namespace: aws.Ptr(metricNamespace), MetricData: part})
		if err != nil && ctx.Err() == nil {
			m.s.log.WarnContext(ctx, "metrics of instances were not published", "account", k.Account, "region", k.Region, "error", err)
		}
	}
}
