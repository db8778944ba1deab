package elb

import (
	"context"
	"slices"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elb"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire"
)

// machine is an instance as EC2 describes it.
type machine struct{ state, addr, zone, vpc string }

// States of instances in EC2.
const (
	running    = "running"
	terminated = "terminated"
)

// machines asks EC2 about instances; what does not exist is left out.
func (s *Service) machines(ctx context.Context, k store.Key, ids []string) (map[string]machine, error) {
	found := map[string]machine{}
	if len(ids) == 0 {
		return found, nil
	}
	in := &ec2.DescribeInstancesInput{Filters: []ec2.Filter{filter("instance-id", ids...)}}
	for {
		out, err := wire.Call[ec2.DescribeInstancesOutput](asService(ctx, k), s.cfg.Invoker, "ec2", "DescribeInstances", in)
		if err != nil {
			return nil, err
		}
		for _, r := range out.Reservations {
			for _, i := range r.Instances {
				m := machine{addr: aws.Val(i.PrivateIpAddress), vpc: aws.Val(i.VpcId)}
				if i.State != nil {
					m.state = string(i.State.Name)
				}
				if i.Placement != nil {
					m.zone = aws.Val(i.Placement.AvailabilityZone)
				}
				found[aws.Val(i.InstanceId)] = m
			}
		}
		if aws.Val(out.NextToken) == "" {
			return found, nil
		}
		in.NextToken = out.NextToken
	}
}

func idsOf(list []api.Instance) []string {
	var ids []string
	for _, i := range list {
		if !slices.Contains(ids, aws.Val(i.InstanceId)) {
			ids = append(ids, aws.Val(i.InstanceId))
		}
	}
	return ids
}

// named looks up what an operation names: the balancer, and its instances in EC2.
func (s *Service) named(ctx context.Context, name *string, list []api.Instance) (b *balancer, ids []string, found map[string]machine, err error) {
	if b, err = s.view(ctx, name); err != nil {
		return nil, nil, nil, err
	}
	ids = idsOf(list)
	found, err = s.machines(ctx, keyOf(ctx, aws.Val(name)), ids)
	return b, ids, found, err
}

// RegisterInstancesWithLoadBalancer adds instances. One that is draining stays.
func (s *Service) RegisterInstancesWithLoadBalancer(ctx context.Context, in *api.RegisterInstancesWithLoadBalancerInput) (*api.RegisterInstancesWithLoadBalancerOutput, error) {
	now, ids, found, err := s.named(ctx, in.LoadBalancerName, in.Instances)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		switch m, ok := found[id]; {
		case !ok || m.state == terminated:
			return nil, errNoInstance(id)
		case m.vpc != now.VPC:
			return nil, awserr.New("InvalidInstance", "EC2 instance %s is not in the same VPC as ELB.", id)
		}
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(tx *store.Tx, k store.Key, b *balancer) error {
		for _, id := range ids {
			if old := b.instance(id); old != nil {
				old.Leaves = time.Time{}
				continue
			}
			m := found[id]
			b.Instances = append(b.Instances, instance{ID: id, Addr: m.addr, Zone: m.zone, EC2: m.state, Registered: tx.Now()})
			emit(ctx, tx, k, "health", id+" OutOfService")
		}
		if len(b.Instances) > maxInstances {
			return errConfiguration("A load balancer cannot have more than %d instances", maxInstances)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RegisterInstancesWithLoadBalancerOutput{Instances: b.registered()}, nil
}

// DeregisterInstancesFromLoadBalancer takes instances away. With connection draining
// they stay until they have nothing under way, or for the time that is set.
func (s *Service) DeregisterInstancesFromLoadBalancer(ctx context.Context, in *api.DeregisterInstancesFromLoadBalancerInput) (*api.DeregisterInstancesFromLoadBalancerOutput, error) {
	now, ids, found, err := s.named(ctx, in.LoadBalancerName, in.Instances)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, ok := found[id]; !ok && now.instance(id) == nil {
			return nil, errNoInstance(id)
		}
	}
	b, err := s.change(ctx, in.LoadBalancerName, func(tx *store.Tx, k store.Key, b *balancer) error {
		for _, id := range ids {
			i := b.instance(id)
			switch {
			case i == nil || !i.Leaves.IsZero():
			case b.Attributes.Draining && i.Health == healthy && s.busy(k, id):
				i.Leaves = tx.Now().Add(time.Duration(b.Attributes.DrainTimeout) * time.Second)
				emit(ctx, tx, k, "health", id+" draining")
			default:
				b.forget(ctx, tx, k, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeregisterInstancesFromLoadBalancerOutput{Instances: b.registered()}, nil
}

func (s *Service) busy(k store.Key, id string) bool {
	return s.cfg.Plane != nil && s.cfg.Plane.Busy(arnOf(k), id)
}

// forget removes an instance.
func (b *balancer) forget(ctx context.Context, tx *store.Tx, k store.Key, id string) {
	b.Instances = slices.DeleteFunc(b.Instances, func(i instance) bool { return i.ID == id })
	emit(ctx, tx, k, "health", id+" deregistered")
}

// registered are the instances that are not leaving.
func (b *balancer) registered() []api.Instance {
	out := []api.Instance{}
	for _, i := range b.Instances {
		if i.Leaves.IsZero() {
			out = append(out, api.Instance{InstanceId: aws.Ptr(i.ID)})
		}
	}
	return out
}

// DescribeInstanceHealth tells how instances are, the registered ones unless others
// are named. Terminated ones are left out.
func (s *Service) DescribeInstanceHealth(ctx context.Context, in *api.DescribeInstanceHealthInput) (*api.DescribeInstanceHealthOutput, error) {
	b, err := s.view(ctx, in.LoadBalancerName)
	if err != nil {
		return nil, err
	}
	ids := idsOf(in.Instances)
	var unknown []string
	for _, id := range ids {
		if b.instance(id) == nil {
			unknown = append(unknown, id)
		}
	}
	found, err := s.machines(ctx, keyOf(ctx, aws.Val(in.LoadBalancerName)), unknown)
	if err != nil {
		return nil, err
	}
	if len(in.Instances) == 0 {
		for _, i := range b.Instances {
			ids = append(ids, i.ID)
		}
	}
	out := &api.DescribeInstanceHealthOutput{InstanceStates: []api.InstanceState{}}
	for _, id := range ids {
		i := b.instance(id)
		if i == nil {
			m, ok := found[id]
			if !ok {
				return nil, errNoInstance(id)
			}
			if m.state == terminated {
				continue
			}
		}
		out.InstanceStates = append(out.InstanceStates, s.stateOf(b, id, i))
	}
	return out, nil
}

const (
	byInstance = "Instance"
	byELB      = "ELB"
)

// stateOf is the health of an instance in AWS's words.
func (s *Service) stateOf(b *balancer, id string, i *instance) api.InstanceState {
	state := func(state, reason, text string) api.InstanceState {
		return api.InstanceState{InstanceId: aws.Ptr(id), State: aws.Ptr(state), ReasonCode: aws.Ptr(reason), Description: aws.Ptr(text)}
	}
	switch {
	case i == nil:
		return state("OutOfService", byInstance, "Instance is not currently registered with the LoadBalancer.")
	case !i.Leaves.IsZero():
		return state("InService", "N/A", "Instance deregistration currently in progress.")
	case i.EC2 != running && i.EC2 != "":
		return state("OutOfService", byInstance, "Instance is in "+settled(i.EC2)+" state.")
	case s.cfg.Plane == nil:
		return state("Unknown", byELB, "The fake driver carries no traffic and checks no instance.")
	case !slices.Contains(b.zones(), i.Zone):
		return state("OutOfService", byELB, "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.")
	}
	switch i.Health {
	case healthy:
		return state("InService", "N/A", "N/A")
	case unhealthy:
		return state("OutOfService", byInstance, "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.")
	case checking:
		return state("OutOfService", byInstance, "Instance has not passed the configured HealthyThreshold number of health checks consecutively.")
	}
	return state("OutOfService", byELB, "Instance registration is still in progress.")
}

// settled is the state that AWS's texts know for one in between.
func settled(state string) string {
	switch state {
	case "stopping":
		return "stopped"
	case "shutting-down":
		return terminated
	}
	return state
}
