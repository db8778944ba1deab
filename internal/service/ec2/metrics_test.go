package ec2

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	hsinstance "github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/wire"
)

// gauges is as much of CloudWatch as keeps what was put since the last take.
type gauges struct {
	mu     sync.Mutex
	values map[string][]float64 // by name, dimension and minute

}

func (g *gauges) service() wire.Service {
	put := func(ctx context.Context, in *cloudwatch.PutMetricDataInput) (*cloudwatch.PutMetricDataOutput, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if p := aws.CallFrom(ctx).Principal; p.Service != metricsPrincipal || *in.Namespace != "AWS/EC2" || len(in.MetricData) > maxData {
			return nil, fmt.Errorf("%d values of %s by %+v", len(in.MetricData), *in.Namespace, p)
		}
		for _, d := range in.MetricData {
			name := *d.MetricName
			for _, dim := range d.Dimensions {
				name += " " + *dim.Name + "=" + *dim.Value
			}
			name += d.Timestamp.Format(" 15:04 ") + string(d.Unit)
			g.values[name] = append(g.values[name], d.Values...)
		}
		return &cloudwatch.PutMetricDataOutput{}, nil
	}
	return wire.Service{Model: cloudwatch.Model(), Operations: []wire.Operation{wire.Op("PutMetricData", "cloudwatch:PutMetricData", put, nil)}}
}

func (g *gauges) take() map[string][]float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := g.values
	g.values = map[string][]float64{}
	return taken
}

// measured is a world whose instances are measured; minutes lets n of them pass, one
// by one, and returns what was published meanwhile.
func measured(t *testing.T) (w *world, minutes func(n int) map[string][]float64) {
	w = newWorld(t)
	g := &gauges{values: map[string][]float64{}}
	if err := w.server.Register(g.service()); err != nil {
		t.Fatal(err)
	}
	w.run()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.svc.PublishMetrics(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w, func(n int) map[string][]float64 {
		settle := func() { // both wait for the clock: this, and the sweep for what has ended
			if err := w.clock.BlockUntil(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
		}
		for settle(); n > 0; n-- {
			w.clock.Advance(time.Minute)
			settle()
		}
		return g.take()
	}
}

func detailed(in *api.RunInstancesInput) {
	in.Monitoring = &api.RunInstancesMonitoringEnabled{Enabled: aws.Ptr(true)}
}

// after is a usage, seconds after the epoch of the kernel's time.
func after(seconds, cpu int, in, out uint64) hsinstance.Usage {
	return hsinstance.Usage{At: time.Unix(int64(seconds), 0), CPU: time.Duration(cpu) * time.Second, In: in, Out: out}
}

func expect(t *testing.T, got map[string][]float64, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if len(got[name]) != 1 || got[name][0] != v {
			t.Errorf("%s is %v, want %v", name, got[name], v)
		}
	}
}

func count(got map[string][]float64, prefix string) (n int) {
	for name := range got {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

// TestBasicMetrics: every five minutes, under the instance alone; status checks every
// minute. The vCPUs of a t3.micro are two.
func TestBasicMetrics(t *testing.T) {
	w, minutes := measured(t)
	id := w.running(nil)
	w.machines.use(id, after(0, 0, 100, 200))
	if got := minutes(1); count(got, "CPU") != 0 || count(got, "Net") != 0 || count(got, "StatusCheckFailed") != 3 {
		t.Errorf("the first reading has nothing to compare with, and published %v", got)
	}
	w.machines.use(id, after(240, 240, 1100, 2200))
	if got := minutes(3); count(got, "CPU") != 0 || count(got, "StatusCheckFailed ") != 3 {
		t.Errorf("within the period there is %v", got)
	}
	got := minutes(1)
	expect(t, got, map[string]float64{
		"CPUUtilization InstanceId=" + id + " 12:34 Percent": 50, "NetworkIn InstanceId=" + id + " 12:34 Bytes": 1000, "NetworkOut InstanceId=" + id + " 12:34 Bytes": 2000,
		"StatusCheckFailed InstanceId=" + id + " 12:34 Count": 0, "StatusCheckFailed_Instance InstanceId=" + id + " 12:34 Count": 0, "StatusCheckFailed_System InstanceId=" + id + " 12:34 Count": 0,
	})
	if len(got) != 6 {
		t.Errorf("published %v", got)
	}
}

// TestDetailedMetrics: every minute, and under the type, the image and all instances.
func TestDetailedMetrics(t *testing.T) {
	w, minutes := measured(t)
	one, two := w.running(detailed), w.running(detailed)
	w.machines.use(one, after(0, 0, 0, 0))
	w.machines.use(two, after(0, 0, 0, 0))
	minutes(1)
	w.machines.use(one, after(60, 12, 5, 0))
	w.machines.use(two, after(60, 500, 5, 0)) // more than there is
	got := minutes(1)
	expect(t, got, map[string]float64{"CPUUtilization InstanceId=" + one + " 12:31 Percent": 10, "CPUUtilization InstanceId=" + two + " 12:31 Percent": 100})
	for _, name := range []string{"InstanceType=t3.micro", "ImageId=" + testImage} {
		if v := got["CPUUtilization "+name+" 12:31 Percent"]; len(v) != 2 {
			t.Errorf("%s has the values %v", name, v)
		}
	}
	if v := got["CPUUtilization 12:31 Percent"]; len(v) != 2 {
		t.Errorf("all instances have the values %v", v)
	}

	// A boot begins to count anew, and of a machine that stopped nothing is said.
	w.machines.use(one, after(120, 6, 3, 0))
	w.stop(two)
	w.await(two, stateStopped)
	got = minutes(1)
	expect(t, got, map[string]float64{"CPUUtilization InstanceId=" + one + " 12:32 Percent": 5, "NetworkIn InstanceId=" + one + " 12:32 Bytes": 3})
	if n := count(got, "StatusCheckFailed InstanceId="+two); n != 0 {
		t.Errorf("a stopped instance has %d status checks", n)
	}
	do[api.UnmonitorInstancesOutput](w, "UnmonitorInstances", &api.UnmonitorInstancesInput{InstanceIds: []string{one}})
	if got = minutes(1); count(got, "CPU") != 0 || count(got, "StatusCheckFailed InstanceType") != 0 {
		t.Errorf("without detailed monitoring there is %v", got)
	}
}

// TestGroupMetrics: the instances of an Auto Scaling group are found under its name,
// also without detailed monitoring, in one call for all of them.
func TestGroupMetrics(t *testing.T) {
	w, minutes := measured(t)
	const size = 20
	out := do[api.RunInstancesOutput](w, "RunInstances", &api.RunInstancesInput{ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](size), MaxCount: aws.Ptr[int32](size), InstanceType: "t3.micro"})
	for i, in := range out.Instances {
		w.await(*in.InstanceId, stateRunning)
		err := w.svc.change(w.ctx, key(aws.CallFrom(w.ctx), *in.InstanceId), "test", func(r *instance) bool {
			r.Tags = map[string]string{groupTag: "web"}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		w.machines.use(*in.InstanceId, after(0, 0, uint64(i), 0))
	}
	minutes(1)
	for _, in := range out.Instances {
		w.machines.use(*in.InstanceId, after(100, 40, 1000, 0))
	}
	got := minutes(4)
	if v := got["CPUUtilization AutoScalingGroupName=web 12:34 Percent"]; len(v) != size || v[0] != 20 {
		t.Errorf("the group has the values %v", v)
	}
	if n := count(got, "CPUUtilization InstanceId="); n != size {
		t.Errorf("%d instances have values", n)
	}
}

// TestMachineAway: of a machine that does not run, though its row says so, nothing is
// published, and its next life begins a period of its own.
func TestMachineAway(t *testing.T) {
	w, minutes := measured(t)
	id := w.running(detailed)
	w.machines.use(id, after(0, 0, 0, 0))
	minutes(1)
	spec, _ := w.machines.spec(id)
	w.machines.crash(id)
	if got := minutes(1); len(got) != 0 {
		t.Errorf("published %v", got)
	}
	spec.FirstBoot = false
	if err := w.machines.Start(w.ctx, spec); err != nil {
		t.Fatal(err)
	}
	if got := minutes(1); count(got, "CPU") != 0 || count(got, "Status") == 0 {
		t.Errorf("published %v", got)
	}
}

// TestRecordsHaveNoMetrics: with the fake driver nothing is measured.
func TestRecordsHaveNoMetrics(t *testing.T) {
	w := newWorld(t)
	w.svc.fake = true
	if err := w.svc.PublishMetrics(t.Context()); err != nil {
		t.Fatal(err)
	}
}
