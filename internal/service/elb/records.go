package elb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/store"
)

// balancer is a row of elb.balancer; the key's ID is the name.
type balancer struct {
	DNS            string
	Scheme         string
	VPC            string
	Created        time.Time
	Listeners      []listener
	Policies       []policy
	Backends       map[int32][]string `json:",omitempty"` // policies by instance port
	Check          check
	Attributes     attributes
	Nodes          []node
	SecurityGroups []string
	// GroupName is the name of the first security group.
	GroupName string
	Instances []instance
	Tags      map[string]string `json:",omitempty"`
	Token     string            `json:",omitempty"` // of the stack that made it
}

type listener struct {
	Protocol         string
	Port             int32
	InstanceProtocol string
	InstancePort     int32
	Certificate      string   `json:",omitempty"`
	Policies         []string `json:",omitempty"`
}

// policy has its attributes in the order in which they were given.
type policy struct {
	Name, Type string
	Attributes []attribute
}

type attribute struct{ Name, Value string }

// check is the health check.
type check struct {
	Target                                string
	Interval, Timeout, Healthy, Unhealthy int32
}

type attributes struct {
	CrossZone    bool
	Draining     bool
	DrainTimeout int32
	IdleTimeout  int32
}

// node is the balancer's interface in one subnet.
type node struct {
	Subnet, Zone string
	Interface    string `json:",omitempty"`
	Private      string `json:",omitempty"`
	Public       string `json:",omitempty"`
	// Groups are the security groups that the interface has.
	Groups []string `json:",omitempty"`
}

// instance is a registered instance.
type instance struct {
	ID   string
	Addr string
	Zone string
	// EC2 is the instance's state there.
	EC2 string
	// Health is what the plane said last: healthy, unhealthy, checking (it is asked, and
	// has not passed) or "" for nothing yet.
	Health     string `json:",omitempty"`
	Registered time.Time
	// Leaves is when an instance that was deregistered is forgotten.
	Leaves time.Time `json:",omitzero"`
}

const (
	healthy   = "healthy"
	unhealthy = "unhealthy"
	checking  = "checking"
)

// leaving is a row of elb.leaving; the key's ID is the interface's.
type leaving struct{ Balancer string }

var (
	balancers = &store.Table[balancer]{Name: "elb.balancer", Version: 1, Clone: clone, Indexes: []store.Index[balancer]{
		{Name: "dns", Unique: true, Value: func(_ store.Key, b *balancer) []string { return []string{strings.ToLower(b.DNS)} }},
		{Name: "certificate", Value: func(_ store.Key, b *balancer) (out []string) {
			for _, l := range b.Listeners {
				if l.Certificate != "" {
					out = append(out, l.Certificate)
				}
			}
			slices.Sort(out)
			return slices.Compact(out)
		}},
		{Name: "instance", Value: func(_ store.Key, b *balancer) (out []string) {
			for _, i := range b.Instances {
				out = append(out, i.ID)
			}
			return out
		}},
	}}
	leavings = &store.Table[leaving]{Name: "elb.leaving", Version: 1}
)

// clone copies what operations change in place.
func clone(b *balancer) *balancer {
	c := *b
	c.Listeners, c.Policies, c.Nodes = slices.Clone(b.Listeners), slices.Clone(b.Policies), slices.Clone(b.Nodes)
	c.SecurityGroups, c.Instances = slices.Clone(b.SecurityGroups), slices.Clone(b.Instances)
	c.Tags, c.Backends = maps.Clone(b.Tags), maps.Clone(b.Backends)
	return &c
}

func keyOf(ctx context.Context, name string) store.Key {
	c := aws.CallFrom(ctx)
	return store.Key{Account: c.Account, Region: c.Region, ID: name}
}

// arnOf is the ARN of a classic balancer.
func arnOf(k store.Key) string {
	return arn.New("elasticloadbalancing", k.Region, k.Account, "loadbalancer/"+k.ID)
}

// get returns a balancer, or AWS's error.
func get(tx *store.Tx, k store.Key) (*balancer, error) {
	b, err := balancers.Get(tx, k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoBalancer(k.ID)
	}
	return b, err
}

func (s *Service) view(ctx context.Context, name *string) (*balancer, error) {
	var b *balancer
	err := s.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		b, err = get(tx, keyOf(ctx, aws.Val(name)))
		return err
	})
	return b, err
}

// change edits a balancer in one transaction with its event and then has it run as
// the row says.
func (s *Service) change(ctx context.Context, name *string, edit func(tx *store.Tx, k store.Key, b *balancer) error) (*balancer, error) {
	var out *balancer
	k := keyOf(ctx, aws.Val(name))
	err := s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		b, err := get(tx, k)
		if err != nil {
			return err
		}
		if err := edit(tx, k, b); err != nil {
			return err
		}
		emit(ctx, tx, k, "balancer", aws.CallFrom(ctx).Operation)
		out = b
		return balancers.Put(tx, k, b)
	})
	if err != nil {
		return nil, err
	}
	s.settle(ctx, k)
	return out, nil
}

// emit tells of a change to a balancer; "health" are those of its instances.
func emit(ctx context.Context, tx *store.Tx, k store.Key, kind, cause string) {
	tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "elasticloadbalancing", Resource: k.ID, Kind: kind,
		Cause: cause, RequestID: aws.CallFrom(ctx).RequestID})
}

// listener returns the listener on a port, or nil.
func (b *balancer) listener(port int32) *listener {
	for i := range b.Listeners {
		if b.Listeners[i].Port == port {
			return &b.Listeners[i]
		}
	}
	return nil
}

// policy returns a policy by its name, or nil.
func (b *balancer) policy(name string) *policy {
	for i := range b.Policies {
		if b.Policies[i].Name == name {
			return &b.Policies[i]
		}
	}
	return nil
}

// instance returns a registered instance, or nil.
func (b *balancer) instance(id string) *instance {
	for i := range b.Instances {
		if b.Instances[i].ID == id {
			return &b.Instances[i]
		}
	}
	return nil
}

// value is an attribute of a policy, or "".
func (p *policy) value(name string) string {
	for _, a := range p.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}
