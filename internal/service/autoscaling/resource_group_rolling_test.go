package autoscaling

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// A rolling update that was broken off has made the group larger and suspended processes.
// Where the next update has nothing to replace, it takes both back all the same.
func TestBrokenRollingUpdateIsTakenOver(t *testing.T) {
	for name, policy := range map[string]map[string]any{
		"with a policy":    {"AutoScalingRollingUpdate": map[string]any{"MinInstancesInService": "1", "SuspendProcesses": []any{"HealthCheck"}}},
		"without a policy": nil,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, wiretest.Gate{})
			l.group(size(2))
			l.settle("g")
			if policy != nil {
				wiretest.Must[api.SuspendProcessesOutput](l, "SuspendProcesses", &api.SuspendProcessesInput{AutoScalingGroupName: ptr("g"), ScalingProcesses: []string{"HealthCheck"}})
			}
			k := key(aws.CallFrom(l.Ctx), "g")
			err := l.svc.changeGroup(l.Ctx, k, "", func(_ *store.Tx, g *group) error {
				g.Rolling = &sizes{Min: 0, Desired: 1}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			properties := map[string]any{"AutoScalingGroupName": "g", "LaunchConfigurationName": "g", "MinSize": "0", "MaxSize": "4", "VPCZoneIdentifier": []any{"subnet-a", "subnet-b"}}
			done := make(chan error, 1)
			go func() {
				_, err := resourceGroup{l.svc}.Update(l.Ctx, stack.Request{PhysicalID: "g", Properties: properties, OldProperties: properties, UpdatePolicy: policy})
				done <- err
			}()
			for open := true; open; {
				select {
				case err := <-done:
					if open = false; err != nil {
						t.Fatal(err)
					}
				default:
					l.settle("g")
				}
			}
			g := l.describe("g")
			if *g.DesiredCapacity != 1 || len(g.Instances) != 1 || len(g.SuspendedProcesses) != 0 {
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
