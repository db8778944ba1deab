package codedeploy

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	commands "github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// balancerFake is a target group "web" and a classic load balancer "old" with the
// same instances. settle false leaves changes as they begin: initial, or draining.
type balancerFake struct {
	settle bool
	states map[string]elbv2.TargetHealthStateEnum // by instance
	ports  map[string][]int32
	calls  []string
	asked  int    // for the health of web
	refuse string // RegisterTargets fails with this code, and what concerns one instance of old
	// forgets tells that the instances of old are terminated.
	forgets bool
}

const webARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"

func (w *world) targetGroupService() wire.Service {
	return wire.Service{Model: elbv2.Model(), Operations: []wire.Operation{
		wire.Op("DescribeTargetGroups", "elasticloadbalancing:DescribeTargetGroups", func(_ context.Context, in *elbv2.DescribeTargetGroupsInput) (*elbv2.DescribeTargetGroupsOutput, error) {
			if !slices.Equal(in.Names, []string{"web"}) {
				return nil, awserr.New("TargetGroupNotFound", "One or more target groups not found")
			}
			return &elbv2.DescribeTargetGroupsOutput{TargetGroups: []elbv2.TargetGroup{{TargetGroupArn: aws.Ptr(webARN)}}}, nil
		}, nil),
		wire.Op("RegisterTargets", "elasticloadbalancing:RegisterTargets", func(_ context.Context, in *elbv2.RegisterTargetsInput) (*elbv2.RegisterTargetsOutput, error) {
			if w.lb.refuse != "" {
				return nil, awserr.New(w.lb.refuse, "The instance is in another VPC")
			}
			for _, t := range in.Targets {
				w.setTarget(*t.Id, true, cmp.Or(aws.Val(t.Port), 80))
			}
			return &elbv2.RegisterTargetsOutput{}, nil
		}, nil),
		wire.Op("DeregisterTargets", "elasticloadbalancing:DeregisterTargets", func(_ context.Context, in *elbv2.DeregisterTargetsInput) (*elbv2.DeregisterTargetsOutput, error) {
			for _, t := range in.Targets {
				w.setTarget(*t.Id, false, aws.Val(t.Port))
			}
			return &elbv2.DeregisterTargetsOutput{}, nil
		}, nil),
		wire.Op("DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth", w.targetHealth, nil),
	}}
}

func (w *world) classicService() wire.Service {
	return wire.Service{Model: elb.Model(), Operations: []wire.Operation{
		wire.Op("DescribeLoadBalancers", "elasticloadbalancing:DescribeLoadBalancers", func(_ context.Context, in *elb.DescribeLoadBalancersInput) (*elb.DescribeLoadBalancersOutput, error) {
			return &elb.DescribeLoadBalancersOutput{LoadBalancerDescriptions: []elb.LoadBalancerDescription{{}}}, nil
		}, nil),
		wire.Op("RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterInstancesWithLoadBalancer", func(_ context.Context, in *elb.RegisterInstancesWithLoadBalancerInput) (*elb.RegisterInstancesWithLoadBalancerOutput, error) {
			w.setTarget(*in.Instances[0].InstanceId, true, 0)
			return &elb.RegisterInstancesWithLoadBalancerOutput{}, nil
		}, nil),
		wire.Op("DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterInstancesFromLoadBalancer", func(_ context.Context, in *elb.DeregisterInstancesFromLoadBalancerInput) (*elb.DeregisterInstancesFromLoadBalancerOutput, error) {
			if w.lb.refuse != "" {
				return nil, awserr.New(w.lb.refuse, "Could not find EC2 instance.")
			}
			w.setTarget(*in.Instances[0].InstanceId, false, 0)
			return &elb.DeregisterInstancesFromLoadBalancerOutput{}, nil
		}, nil),
		wire.Op("DescribeInstanceHealth", "elasticloadbalancing:DescribeInstanceHealth", w.instanceHealth, nil),
	}}
}

// setTarget registers an instance, or takes it out.
func (w *world) setTarget(id string, in bool, port int32) {
	w.mu.Lock()
	word, state := "out ", elbv2.TargetHealthStateEnumDraining
	if in {
		word, state = "in ", elbv2.TargetHealthStateEnumInitial
		w.lb.ports[id] = append(w.lb.ports[id], port)
	}
	w.lb.calls = append(w.lb.calls, word+id)
	w.lb.states[id] = state
	settle := w.lb.settle
	w.mu.Unlock()
	if settle {
		w.settleTarget(id)
	}
}

// settleTarget ends the change of an instance, and tells of it.
func (w *world) settleTarget(id string) {
	w.mu.Lock()
	if w.lb.states[id] == elbv2.TargetHealthStateEnumInitial {
		w.lb.states[id] = elbv2.TargetHealthStateEnumHealthy
	} else {
		delete(w.lb.states, id)
		delete(w.lb.ports, id)
	}
	w.mu.Unlock()
	err := w.db.Update(context.Background(), func(tx *store.Tx) error {
		tx.Emit(store.Event{Account: account, Region: region, Service: "elasticloadbalancing", Resource: "web", Kind: "health"})
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) targetHealth(context.Context, *elbv2.DescribeTargetHealthInput) (*elbv2.DescribeTargetHealthOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lb.asked++
	out := &elbv2.DescribeTargetHealthOutput{}
	for id, state := range w.lb.states {
		for _, port := range w.lb.ports[id] {
			out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, elbv2.TargetHealthDescription{
				Target: &elbv2.TargetDescription{Id: &id, Port: &port}, TargetHealth: &elbv2.TargetHealth{State: state, Description: aws.Ptr("as the test says")}})
		}
	}
	return out, nil
}

func (w *world) instanceHealth(_ context.Context, in *elb.DescribeInstanceHealthInput) (*elb.DescribeInstanceHealthOutput, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := elb.InstanceState{InstanceId: in.Instances[0].InstanceId, State: aws.Ptr("OutOfService"), Description: aws.Ptr("Instance is not currently registered with the LoadBalancer.")}
	if w.lb.refuse != "" {
		return nil, awserr.New(w.lb.refuse, "Could not find EC2 instance %s.", *st.InstanceId)
	}
	if w.lb.forgets {
		return &elb.DescribeInstanceHealthOutput{}, nil
	}
	switch w.lb.states[*st.InstanceId] {
	case elbv2.TargetHealthStateEnumDraining:
		st.Description = aws.Ptr(draining)
	case elbv2.TargetHealthStateEnumHealthy:
		st.State = aws.Ptr("InService")
	}
	return &elb.DescribeInstanceHealthOutput{InstanceStates: []elb.InstanceState{st}}, nil
}

// balancedWorld is a world whose group g is behind the target group web.
func balancedWorld(t *testing.T, info *api.LoadBalancerInfo, instances ...string) *world {
	w := newWorld(t, instances...)
	w.mu.Lock()
	w.lb = balancerFake{settle: true, states: map[string]elbv2.TargetHealthStateEnum{}, ports: map[string][]int32{}}
	for _, id := range instances {
		w.lb.states[id], w.lb.ports[id] = elbv2.TargetHealthStateEnumHealthy, []int32{8080, 8081}
	}
	w.mu.Unlock()
	w.setUp(func(in *api.CreateDeploymentGroupInput) {
		in.LoadBalancerInfo = info
		in.DeploymentStyle = &api.DeploymentStyle{DeploymentOption: api.DeploymentOptionWithTrafficControl}
	})
	return w
}

var (
	behindWeb = &api.LoadBalancerInfo{TargetGroupInfoList: []api.TargetGroupInfo{{Name: aws.Ptr("web")}}}
	behindOld = &api.LoadBalancerInfo{ElbInfoList: []api.ELBInfo{{Name: aws.Ptr("old")}}}
)

// withTraffic are the events in place behind a load balancer.
const withTraffic = "BeforeBlockTraffic BlockTraffic AfterBlockTraffic ApplicationStop DownloadBundle BeforeInstall Install AfterInstall " +
	"ApplicationStart ValidateService BeforeAllowTraffic AllowTraffic AfterAllowTraffic"

func TestTrafficControlInPlace(t *testing.T) {
	for name, info := range map[string]*api.LoadBalancerInfo{"target group": behindWeb, "classic": behindOld} {
		t.Run(name, func(t *testing.T) {
			w := balancedWorld(t, info, "i-1", "i-2")
			one, two := w.agent("i-1", nil), w.agent("i-2", nil)
			id := w.deploy("v1")
			d := w.awaitStatus(id, api.DeploymentStatusSucceeded)
			if d.DeploymentStyle.DeploymentOption != api.DeploymentOptionWithTrafficControl || d.LoadBalancerInfo == nil {
				t.Errorf("style %+v, balancer %+v", d.DeploymentStyle, d.LoadBalancerInfo)
			}
			var names []string
			for _, e := range w.target(id, "i-1").LifecycleEvents {
				names = append(names, *e.LifecycleEventName)
				if e.Status != api.LifecycleEventStatusSucceeded || e.StartTime == nil || e.EndTime == nil {
					t.Errorf("%s is %s from %v to %v", *e.LifecycleEventName, e.Status, e.StartTime, e.EndTime)
				}
			}
			if got := strings.Join(names, " "); got != withTraffic {
				t.Errorf("events %s", got)
			}
			for _, h := range []*hostAgent{one, two} {
				if ran := h.events(); strings.Contains(strings.Join(ran, " "), " BlockTraffic") || len(ran) != 11 {
					t.Errorf("the agent was sent %q", ran)
				}
			}
			want := []string{"out i-1", "in i-1", "out i-2", "in i-2"}
			if info == behindWeb {
				// Both ports are let go and taken again.
				want = []string{"out i-1", "out i-1", "in i-1", "in i-1", "out i-2", "out i-2", "in i-2", "in i-2"}
			}
			if !slices.Equal(w.lb.calls, want) {
				t.Errorf("calls %q, want %q", w.lb.calls, want)
			}
		})
	}
}

// events returns what the agent was sent.
func (h *hostAgent) events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.ran)
}

// awaitLifecycle waits until a target's event has the status.
func (w *world) awaitLifecycle(id, instance, name string, want api.LifecycleEventStatus) {
	w.t.Helper()
	w.await(id, name+" "+string(want), func(d *api.DeploymentInfo) bool {
		return d.Status != api.DeploymentStatusCreated && eventStatus(w.target(id, instance), name) == want
	})
}

func TestTrafficControlWaits(t *testing.T) {
	w := balancedWorld(t, behindWeb, "i-1")
	w.lb.settle = false
	h := w.agent("i-1", nil)
	id := w.deploy("v1")
	w.awaitLifecycle(id, "i-1", "BlockTraffic", api.LifecycleEventStatusInProgress)
	if ran := h.events(); len(ran) != 1 {
		t.Errorf("the agent was sent %q while connections drain", ran)
	}
	// Nor can it end the event: it is not its own.
	_, err := wire.Call[commands.PutHostCommandCompleteOutput](as("i-1"), w.server, "codedeploy-commands", "PutHostCommandComplete", &commands.PutHostCommandCompleteInput{
		HostCommandIdentifier: aws.Ptr(commandID(&target{DeploymentID: id, InstanceID: "i-1", Events: []event{
			{Status: api.LifecycleEventStatusSucceeded}, {Status: api.LifecycleEventStatusPending}}})),
		CommandStatus: commands.CommandStatusSucceeded})
	if s := eventStatus(w.target(id, "i-1"), "BlockTraffic"); err != nil || s != api.LifecycleEventStatusInProgress {
		t.Errorf("an agent's completion: %v; BlockTraffic is %s", err, s)
	}
	// A server that ends meanwhile changes nothing.
	h.close()
	w.stop()
	w.start()
	w.agent("i-1", nil)
	w.settleTarget("i-1")
	w.awaitLifecycle(id, "i-1", "AllowTraffic", api.LifecycleEventStatusInProgress)
	if s := eventStatus(w.target(id, "i-1"), "BlockTraffic"); s != api.LifecycleEventStatusSucceeded {
		t.Errorf("BlockTraffic is %s", s)
	}
	w.settleTarget("i-1")
	w.awaitStatus(id, api.DeploymentStatusSucceeded)
}

func TestTrafficControlFailures(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(w *world)
		code    api.ErrorCode
		text    string
	}{
		{"unhealthy for an hour", func(w *world) { w.lb.settle = false }, api.ErrorCodeElbInvalidInstance, "target group web says initial"},
		{"no such instance there", func(w *world) { w.lb.refuse = "InvalidTarget" }, api.ErrorCodeElbInvalidInstance, "The instance is in another VPC"},
		{"role may not", func(w *world) { w.denied["elasticloadbalancing:RegisterTargets"] = true }, api.ErrorCodeIamRolePermissions, "AmazonElasticLoadBalancing"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := balancedWorld(t, behindWeb, "i-1")
			delete(w.lb.states, "i-1") // nothing to drain
			tc.prepare(w)
			w.agent("i-1", nil)
			id := w.deploy("v1")
			if !w.lb.settle {
				w.awaitLifecycle(id, "i-1", "AllowTraffic", api.LifecycleEventStatusInProgress)
				w.clock.Advance(trafficTimeout + time.Second)
			}
			d := w.awaitStatus(id, api.DeploymentStatusFailed)
			if d.ErrorInformation.Code != tc.code || !strings.Contains(*d.ErrorInformation.Message, tc.text) {
				t.Errorf("error %s: %s", d.ErrorInformation.Code, *d.ErrorInformation.Message)
			}
			if s := eventStatus(w.target(id, "i-1"), "AllowTraffic"); s != api.LifecycleEventStatusFailed {
				t.Errorf("AllowTraffic is %s", s)
			}
		})
	}
}

func TestTrafficControlRollsBack(t *testing.T) {
	w := balancedWorld(t, behindWeb, "i-1", "i-2")
	must[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{
		ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g"),
		AutoRollbackConfiguration: &api.AutoRollbackConfiguration{Enabled: aws.Ptr(true), Events: []api.AutoRollbackEvent{api.AutoRollbackEventDeploymentFailure}}})
	for _, id := range []string{"i-1", "i-2"} {
		w.agent(id, func(key, event string) bool { return key == "v2" && event == "ApplicationStart" })
	}
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	d := w.awaitStatus(w.deploy("v2"), api.DeploymentStatusFailed)
	if len(w.healthy()) != 1 {
		t.Errorf("healthy after the failure: %q", w.healthy())
	}
	w.awaitStatus(*d.RollbackInfo.RollbackDeploymentId, api.DeploymentStatusSucceeded)
	if len(w.healthy()) != 2 {
		t.Errorf("healthy after the rollback: %q", w.healthy())
	}
}

// healthy returns the instances that get traffic.
func (w *world) healthy() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, state := range w.lb.states {
		if state == elbv2.TargetHealthStateEnumHealthy {
			out = append(out, id)
		}
	}
	return out
}

func TestTrafficControlWithoutBalancer(t *testing.T) {
	w := balancedWorld(t, &api.LoadBalancerInfo{TargetGroupInfoList: []api.TargetGroupInfo{{Name: aws.Ptr("gone")}}}, "i-1")
	d := w.awaitStatus(w.deploy("v1"), api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeElasticLoadBalancingInvalid {
		t.Errorf("error %+v", d.ErrorInformation)
	}
	w.denied["elasticloadbalancing:DescribeTargetGroups"] = true
	d = w.awaitStatus(w.deploy("v1"), api.DeploymentStatusFailed)
	if d.ErrorInformation.Code != api.ErrorCodeIamRolePermissions {
		t.Errorf("error %+v", d.ErrorInformation)
	}
}

// However many instances are looked at, their target group is asked once, and again
// after a change.
func TestTargetGroupIsAskedOnce(t *testing.T) {
	w := balancedWorld(t, behindWeb, "i-1", "i-2", "i-3")
	b, why, err := w.s.balancers(t.Context(), store.Key{Account: account, Region: region}, &deployment{Role: roleARN, Balancer: behindWeb})
	if why != nil || err != nil {
		t.Fatal(why, err)
	}
	look := func(want string) {
		t.Helper()
		for _, id := range []string{"i-1", "i-2", "i-3"} {
			missing, _, err := b.all[0].waits(b.ctx, id, true)
			if err != nil || id == "i-2" && !strings.Contains(missing, want) {
				t.Errorf("%s waits for %q, %v", id, missing, err)
			}
		}
	}
	look("")
	if w.lb.asked != 1 {
		t.Errorf("asked %d times for three instances", w.lb.asked)
	}
	if err := b.all[0].change(b.ctx, &target{InstanceID: "i-2"}, false); err != nil {
		t.Fatal(err)
	}
	look("does not know the instance")
	if w.lb.asked != 2 {
		t.Errorf("asked %d times after a change", w.lb.asked)
	}
}

// An instance that is terminated meanwhile has no traffic, and gets none.
func TestClassicBalancerOfTerminatedInstance(t *testing.T) {
	w := balancedWorld(t, behindOld, "i-1")
	w.lb.refuse = "InvalidInstance"
	w.lb.settle = false
	old := classicBalancer{w.s.invoker, "old"}
	ctx, why := w.s.asRole(t.Context(), store.Key{Account: account, Region: region}, roleARN, "DescribeLoadBalancers")
	if why != nil {
		t.Fatal(why)
	}
	if err := old.change(ctx, &target{InstanceID: "i-1"}, false); err != nil {
		t.Error(err)
	}
	if missing, _, err := old.waits(ctx, "i-1", false); missing != "" || err != nil {
		t.Errorf("waits for %q, %v", missing, err)
	}
	w.lb.refuse, w.lb.forgets = "", true
	if missing, stuck, err := old.waits(ctx, "i-1", true); !strings.Contains(missing, "does not know the instance") || !stuck || err != nil {
		t.Errorf("waits for %q, %t, %v", missing, stuck, err)
	}
}

func TestStopDuringDraining(t *testing.T) {
	w := balancedWorld(t, behindWeb, "i-1")
	w.lb.settle = false
	w.agent("i-1", nil)
	id := w.deploy("v1")
	w.awaitLifecycle(id, "i-1", "BlockTraffic", api.LifecycleEventStatusInProgress)
	must[api.StopDeploymentOutput](w, "StopDeployment", &api.StopDeploymentInput{DeploymentId: &id})
	w.awaitStatus(id, api.DeploymentStatusStopped)
}

func TestTrafficControlBlueGreen(t *testing.T) {
	for config, most := range map[string]int{allAtOnce: 2, oneAtATime: 1} {
		t.Run(config, func(t *testing.T) {
			w, agents := greenWorld(t, 0, nil)
			w.lb = balancerFake{settle: true, states: map[string]elbv2.TargetHealthStateEnum{
				"i-1": elbv2.TargetHealthStateEnumHealthy, "i-2": elbv2.TargetHealthStateEnumHealthy}, ports: map[string][]int32{"i-1": {80}, "i-2": {80}}}
			must[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{
				ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g"), LoadBalancerInfo: behindWeb,
				DeploymentStyle: &api.DeploymentStyle{DeploymentType: api.DeploymentTypeBlueGreen, DeploymentOption: api.DeploymentOptionWithTrafficControl}})
			w.lb.settle = false
			id := w.deploy("v1", toGreen, func(in *api.CreateDeploymentInput) { in.DeploymentConfigName = &config })
			// One step begins with all that may begin.
			w.await(id, "traffic", func(*api.DeploymentInfo) bool { return len(w.inTraffic(id)) == most })
			if ready := int(*w.get(id).DeploymentOverview.Ready); ready != 2-most {
				t.Errorf("%d are ready beside %q, want %d", ready, w.inTraffic(id), 2-most)
			}
			w.mu.Lock()
			w.lb.settle = true
			w.mu.Unlock()
			for _, one := range w.inTraffic(id) {
				w.settleTarget(one)
			}
			w.await(id, "blue out of use", waitsForTermination)
			calls := strings.Join(w.lb.calls, " ")
			if strings.Index(calls, "out") < strings.LastIndex(calls, "in") {
				t.Errorf("blue went out before green was in: %s", calls)
			}
			for _, blue := range []string{"i-1", "i-2"} {
				if got := agents[blue].events(); !slices.Equal(got, []string{"v1 BeforeBlockTraffic", "v1 AfterBlockTraffic"}) {
					t.Errorf("%s was sent %q", blue, got)
				}
			}
		})
	}
}

// A rollback takes the instances out and puts them back where they were, though the
// deployment that failed left them outside.
func TestRollbackWithTrafficControl(t *testing.T) {
	w := balancedWorld(t, behindWeb, "i-1")
	w.agent("i-1", func(key, event string) bool { return key == "v2" && event == "Install" })
	w.awaitStatus(w.deploy("v1"), api.DeploymentStatusSucceeded)
	d := w.awaitStatus(w.deploy("v2", func(in *api.CreateDeploymentInput) {
		in.AutoRollbackConfiguration = rollingBack(true, api.AutoRollbackEventDeploymentFailure)
	}), api.DeploymentStatusFailed)
	back := w.awaitStatus(*d.RollbackInfo.RollbackDeploymentId, api.DeploymentStatusSucceeded)
	if back.LoadBalancerInfo == nil || back.DeploymentStyle.DeploymentOption != api.DeploymentOptionWithTrafficControl {
		t.Errorf("rolled back with %+v, %+v", back.DeploymentStyle, back.LoadBalancerInfo)
	}
	if got := w.lb.ports["i-1"]; !slices.Equal(got, []int32{8080, 8081}) {
		t.Errorf("the instance has traffic at %v", got)
	}
}

func TestGivingTrafficBackAtBalancers(t *testing.T) {
	w, agents := greenWorld(t, 0, nil)
	w.lb = balancerFake{settle: true, states: map[string]elbv2.TargetHealthStateEnum{
		"i-1": elbv2.TargetHealthStateEnumHealthy, "i-2": elbv2.TargetHealthStateEnumHealthy}, ports: map[string][]int32{"i-1": {8080}, "i-2": {8080}}}
	must[api.UpdateDeploymentGroupOutput](w, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{
		ApplicationName: aws.Ptr("a"), CurrentDeploymentGroupName: aws.Ptr("g"), LoadBalancerInfo: behindWeb,
		DeploymentStyle: &api.DeploymentStyle{DeploymentType: api.DeploymentTypeBlueGreen, DeploymentOption: api.DeploymentOptionWithTrafficControl}})
	agents["i-1"].close()
	w.agent("i-1", func(_, event string) bool { return event == "AfterBlockTraffic" })
	d := w.awaitStatus(w.deploy("v1", toGreen), api.DeploymentStatusFailed)
	w.awaitStatus(*d.RollbackInfo.RollbackDeploymentId, api.DeploymentStatusSucceeded)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lb.states) != 2 || !slices.Equal(w.lb.ports["i-1"], []int32{8080}) || !slices.Equal(w.lb.ports["i-2"], []int32{8080}) {
		t.Errorf("in use are %v at %v", w.lb.states, w.lb.ports)
	}
}

// inTraffic returns the targets whose traffic is being moved.
func (w *world) inTraffic(id string) (out []string) {
	list, err := view(context.Background(), w.s, func(tx *store.Tx) ([]*target, error) { return targetsOf(tx, id) })
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range list {
		if t.inTraffic() && !t.Acked.IsZero() {
			out = append(out, t.InstanceID)
		}
	}
	return out
}
