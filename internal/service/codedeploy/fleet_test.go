package codedeploy

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// fleet is a number of agents that remember how many of them were at work at
// once, and in which order they began.
type fleet struct {
	mu           sync.Mutex
	working, top int
	order        []string
}

// newFleet makes instances i-1 to i-n with agents; failing are those whose
// Install fails.
func (w *world) newFleet(n int, failing ...int) *fleet {
	f := &fleet{}
	for i := 1; i <= n; i++ {
		id := fmt.Sprintf("i-%d", i)
		w.setState(id, "running")
		w.agent(id, func(_, event string) bool { return f.note(id, event, slices.Contains(failing, i)) })
	}
	return f
}

func (f *fleet) note(id, event string, fails bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch event {
	case "ApplicationStop":
		f.order = append(f.order, id)
		f.working++
		f.top = max(f.top, f.working)
	case "Install":
		if fails {
			f.working--
			return true
		}
	case "ValidateService":
		f.working--
	}
	return false
}

func (w *world) newConfig(name string, kind api.MinimumHealthyHostsType, value int32, zonal *api.ZonalConfig) {
	w.t.Helper()
	must[api.CreateDeploymentConfigOutput](w, "CreateDeploymentConfig", &api.CreateDeploymentConfigInput{DeploymentConfigName: &name,
		MinimumHealthyHosts: &api.MinimumHealthyHosts{Type: kind, Value: &value}, ZonalConfig: zonal})
}

// Each row is a fleet on its first deployment. top is how many hosts are at work
// at once at most.
func TestFleets(t *testing.T) {
	tests := []struct {
		name, config               string
		hosts                      int
		failing                    []int
		status                     api.DeploymentStatus
		succeeded, failed, skipped int64
		top                        int
	}{
		{"one at a time", oneAtATime, 3, nil, "Succeeded", 3, 0, 0, 1},
		{"one at a time, second fails", oneAtATime, 3, []int{2}, "Failed", 1, 1, 1, 1},
		{"one at a time, last fails", oneAtATime, 3, []int{3}, "Succeeded", 2, 1, 0, 1},
		{"half of three", halfAtATime, 3, nil, "Succeeded", 3, 0, 0, 1},
		{"half of three, second fails", halfAtATime, 3, []int{2}, "Failed", 1, 1, 1, 1},
		{"all of three, second fails", allAtOnce, 3, []int{2}, "Succeeded", 2, 1, 0, 3},
		{"all of three fail", allAtOnce, 3, []int{1, 2, 3}, "Failed", 0, 3, 0, 3},
		{"half of nine", halfAtATime, 9, nil, "Succeeded", 9, 0, 0, 4},
		{"half of nine, four fail", halfAtATime, 9, []int{1, 2, 3, 4}, "Failed", 0, 4, 5, 4},
		{"six of nine stay", "count6", 9, nil, "Succeeded", 9, 0, 0, 3},
		{"six of nine stay, three fail", "count6", 9, []int{1, 2, 3}, "Failed", 0, 3, 6, 3},
		{"40 % of nine stay", "percent40", 9, nil, "Succeeded", 9, 0, 0, 5},
		{"95 % of ten cannot", "percent95", 10, nil, "Failed", 0, 0, 0, 0},
		{"one host fails", oneAtATime, 1, []int{1}, "Failed", 0, 1, 0, 1},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.newConfig("count6", api.MinimumHealthyHostsTypeHostCount, 6, nil)
			w.newConfig("percent40", api.MinimumHealthyHostsTypeFleetPercent, 40, nil)
			w.newConfig("percent95", api.MinimumHealthyHostsTypeFleetPercent, 95, nil)
			w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = &tc.config })
			f := w.newFleet(tc.hosts, tc.failing...)
			d := w.awaitStatus(w.deploy("v1"), tc.status)
			o := d.DeploymentOverview
			if *o.Succeeded != tc.succeeded || *o.Failed != tc.failed || *o.Skipped != tc.skipped {
				t.Errorf("succeeded %d, failed %d, skipped %d, want %d, %d, %d", *o.Succeeded, *o.Failed, *o.Skipped, tc.succeeded, tc.failed, tc.skipped)
			}
			if f.top > tc.top {
				t.Errorf("%d hosts at work at once, want at most %d", f.top, tc.top)
			}
		})
	}
}

// Hosts whose last deployment failed come first, then those that are new, those
// with another revision, and last those that run the revision already.
func TestOrderOfHosts(t *testing.T) {
	w := newWorld(t)
	w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
	w.newFleet(1)
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	old := w.machines
	w.machines = nil
	w.setState("i-2", "running")
	w.agent("i-2", nil)
	w.awaitStatus(w.deploy("v0"), api.DeploymentStatusSucceeded)
	w.machines = nil
	w.setState("i-3", "running")
	w.agent("i-3", func(_, event string) bool { return event == "Install" })
	w.awaitStatus(w.deploy("v0"), api.DeploymentStatusFailed)
	w.machines = append(w.machines, old...)
	w.setState("i-2", "running")
	w.setState("i-4", "running")
	w.agent("i-4", nil)
	id := w.deploy("v1")
	w.awaitStatus(id, api.DeploymentStatusSucceeded)
	list, err := view(t.Context(), w.s, func(tx *store.Tx) ([]*target, error) { return targetsOf(tx, id) })
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, t := range list {
		order = append(order, t.InstanceID)
	}
	if want := []string{"i-3", "i-4", "i-2", "i-1"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
}

func TestZones(t *testing.T) {
	w := newWorld(t)
	w.newConfig("zonal", api.MinimumHealthyHostsTypeHostCount, 0, &api.ZonalConfig{
		FirstZoneMonitorDurationInSeconds: aws.Ptr[int64](600), MonitorDurationInSeconds: aws.Ptr[int64](60),
		MinimumHealthyHostsPerZone: &api.MinimumHealthyHostsPerZone{Type: api.MinimumHealthyHostsPerZoneTypeFleetPercent, Value: aws.Ptr[int32](50)},
	})
	w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr("zonal") })
	f := w.newFleet(6)
	for i := range w.machines {
		w.machines[i].Placement = &ec2.Placement{AvailabilityZone: aws.Ptr(region + string("bac"[i%3]))}
	}
	id := w.deploy("v1")
	for i, wait := range []time.Duration{600 * time.Second, 60 * time.Second} {
		w.await(id, "the next zone deployed", func(d *api.DeploymentInfo) bool { return *d.DeploymentOverview.Succeeded == int64(2*i+2) })
		if got := w.get(id); *got.DeploymentOverview.Pending != int64(4-2*i) {
			t.Errorf("zone %d: %+v", i, got.DeploymentOverview)
		}
		w.clock.Advance(wait)
	}
	w.awaitStatus(id, api.DeploymentStatusSucceeded)
	if want := []string{"i-2", "i-5", "i-1", "i-4", "i-3", "i-6"}; !slices.Equal(f.order, want) {
		t.Errorf("order %q, want %q", f.order, want)
	}
	if f.top != 1 {
		t.Errorf("%d at work at once in zones of two, half of which must stay", f.top)
	}
}

func TestZoneThatFailsEndsTheDeployment(t *testing.T) {
	w := newWorld(t)
	w.newConfig("zonal", api.MinimumHealthyHostsTypeHostCount, 0, &api.ZonalConfig{
		MinimumHealthyHostsPerZone: &api.MinimumHealthyHostsPerZone{Type: api.MinimumHealthyHostsPerZoneTypeHostCount, Value: aws.Ptr[int32](1)}})
	w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr("zonal") })
	w.newFleet(4, 1)
	for i := range w.machines {
		w.machines[i].Placement = &ec2.Placement{AvailabilityZone: aws.Ptr(region + string("aabb"[i]))}
	}
	d := w.awaitStatus(w.deploy("v1"), api.DeploymentStatusFailed)
	if o := d.DeploymentOverview; *o.Failed != 1 || *o.Skipped != 3 || d.ErrorInformation.Code != api.ErrorCodeHealthConstraints {
		t.Errorf("%+v %+v", o, d.ErrorInformation)
	}
}
