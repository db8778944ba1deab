package autoscaling

import (
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// A rolling update that was broken off has made the group larger and suspended processes.
// Where the next update has nothing to replace, it takes both back all the same, but not
// what the user has suspended.
func TestBrokenRollingUpdateIsTakenOver(t *testing.T) {
	for name, policy := range map[string]map[string]any{
		"with a policy":    {"AutoScalingRollingUpdate": map[string]any{"MinInstancesInService": "1", "SuspendProcesses": []any{"HealthCheck", "AZRebalance"}}},
		"without a policy": nil,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, wiretest.Gate{})
			l.group(size(2))
			l.settle("g")
			l.suspend("HealthCheck", "AZRebalance")
			k := key(aws.CallFrom(l.Ctx), "g")
			err := l.svc.changeGroup(l.Ctx, k, "", func(_ *store.Tx, g *group) error {
				g.Rolling = &sizes{Min: 0, Desired: 1, Processes: []string{"HealthCheck"}}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			properties := groupTemplate("g")
			if err := l.updateStack(properties, properties, policy); err != nil {
				t.Fatal(err)
			}
			g := l.describe("g")
			if *g.DesiredCapacity != 1 || len(g.Instances) != 1 || !slices.Equal(l.suspended(), []string{"AZRebalance"}) {
				t.Errorf("desired %d, %d instances, suspended %v", *g.DesiredCapacity, len(g.Instances), g.SuspendedProcesses)
			}
			err = l.DB.View(l.Ctx, func(tx *store.Tx) error {
				row, err := groups.Get(tx, k)
				if err == nil && row.Rolling != nil {
					t.Errorf("the sizes are still kept: %+v", row.Rolling)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// groupTemplate are the properties of the group g that launches by a configuration.
func groupTemplate(configuration string) map[string]any {
	return map[string]any{"AutoScalingGroupName": "g", "LaunchConfigurationName": configuration, "MinSize": "0", "MaxSize": "4", "VPCZoneIdentifier": []any{"subnet-a", "subnet-b"}}
}

// updateStack updates the group as a stack does, while its instances come and go.
func (l *lab) updateStack(old, now, policy map[string]any) error {
	l.T.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := resourceGroup{l.svc}.Update(l.Ctx, stack.Request{PhysicalID: "g", Properties: now, OldProperties: old, UpdatePolicy: policy})
		done <- err
	}()
	for {
		select {
		case err := <-done:
			return err
		default:
			l.settle("g")
		}
	}
}

func (l *lab) suspend(processes ...string) {
	l.T.Helper()
	wiretest.Must[api.SuspendProcessesOutput](l, "SuspendProcesses", &api.SuspendProcessesInput{AutoScalingGroupName: ptr("g"), ScalingProcesses: processes})
}

func (l *lab) suspended() []string {
	l.T.Helper()
	var out []string
	for _, p := range l.describe("g").SuspendedProcesses {
		out = append(out, *p.ProcessName)
	}
	return out
}

// otherConfiguration makes a launch configuration to update the group to.
func (l *lab) otherConfiguration() {
	l.T.Helper()
	wiretest.Must[api.CreateLaunchConfigurationOutput](l, "CreateLaunchConfiguration",
		&api.CreateLaunchConfigurationInput{LaunchConfigurationName: ptr("h"), ImageId: ptr("ami-2"), InstanceType: ptr("t3.micro")})
}

// A rolling update resumes what it has suspended itself, and nothing else.
func TestRollingUpdateKeepsWhatIsSuspended(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group(size(2))
	l.settle("g")
	l.otherConfiguration()
	l.suspend("AlarmNotification")
	policy := map[string]any{"AutoScalingRollingUpdate": map[string]any{"MaxBatchSize": "2", "PauseTime": "PT0S", "SuspendProcesses": []any{"AlarmNotification", "AZRebalance"}}}
	if err := l.updateStack(groupTemplate("g"), groupTemplate("h"), policy); err != nil {
		t.Fatal(err)
	}
	if got := l.suspended(); !slices.Equal(got, []string{"AlarmNotification"}) {
		t.Errorf("suspended are %v", got)
	}
	l.expect("g", "3 InService a, 4 InService b")
}

// Where launches are suspended a rolling update fails before it has replaced anything.
func TestRollingUpdateWithoutLaunches(t *testing.T) {
	for name, c := range map[string]struct {
		before []string
		policy map[string]any
	}{
		"by the user":   {[]string{"Launch"}, map[string]any{}},
		"by the policy": {nil, map[string]any{"SuspendProcesses": []any{"Launch"}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, wiretest.Gate{})
			l.group(size(1))
			l.settle("g")
			l.otherConfiguration()
			if c.before != nil {
				l.suspend(c.before...)
			}
			err := l.updateStack(groupTemplate("g"), groupTemplate("h"), map[string]any{"AutoScalingRollingUpdate": c.policy})
			if err == nil || !strings.Contains(err.Error(), "while the process Launch is suspended") {
				t.Error(err)
			}
			l.expect("g", "1 InService a")
			if got := l.suspended(); !slices.Equal(got, c.before) {
				t.Errorf("suspended are %v", got)
			}
		})
	}
}

// What a template does not say any more goes back to its default.
func TestUpdateResetsWhatTheTemplateDrops(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	l.group()
	said := groupTemplate("g")
	said["CapacityRebalance"], said["AvailabilityZoneDistribution"] = true, map[string]any{"CapacityDistributionStrategy": "balanced-only"}
	for _, c := range []struct {
		old, now  map[string]any
		rebalance any
		strategy  string
	}{
		{groupTemplate("g"), groupTemplate("g"), nil, "balanced-best-effort"},
		{groupTemplate("g"), said, true, "balanced-only"},
		{said, groupTemplate("g"), false, "balanced-best-effort"},
	} {
		if err := l.updateStack(c.old, c.now, nil); err != nil {
			t.Fatal(err)
		}
		g := l.describe("g")
		var rebalance any
		if g.CapacityRebalance != nil {
			rebalance = *g.CapacityRebalance
		}
		if got := string(g.AvailabilityZoneDistribution.CapacityDistributionStrategy); rebalance != c.rebalance || got != c.strategy {
			t.Errorf("the group shows %v and %s, not %v and %s", rebalance, got, c.rebalance, c.strategy)
		}
	}
}
