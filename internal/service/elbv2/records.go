package elbv2

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/store"
)

// balancer is a row of elbv2.balancer; the key's ID is "app/NAME/0123456789abcdef".
type balancer struct {
	Name   string
	Type   api.LoadBalancerTypeEnum
	Scheme api.LoadBalancerSchemeEnum
	VPC    string
	DNS    string
	// State is provisioning until the nodes listen, then active, or failed for Reason.
	State  api.LoadBalancerStateEnum
	Reason string `json:",omitempty"`
	// Began is set when the nodes listen for the first time.
	Began          bool `json:",omitempty"`
	Created        time.Time
	Nodes          []node
	SecurityGroups []string
	Attributes     map[string]string `json:",omitempty"` // those that were set
	Tags           map[string]string `json:",omitempty"`
	Token          string            `json:",omitempty"` // of the stack that made it
}

// node is the balancer's place in one zone.
type node struct {
	Subnet, Zone string
	// Serial tells the node from earlier ones in the same subnet.
	Serial     string
	Allocation string `json:",omitempty"` // of its elastic IP address
	Fixed      string `json:",omitempty"` // the private address that was asked for
	Interface  string `json:",omitempty"`
	Private    string `json:",omitempty"`
	Public     string `json:",omitempty"`
	// Groups are the security groups that the interface has.
	Groups []string `json:",omitempty"`
}

// leaving is a row of elbv2.leaving: an interface that is to be deleted when the plane
// uses it no more. The key's ID is the interface's.
type leaving struct {
	Balancer string // key ID
}

// listener is a row of elbv2.listener; the key's ID is the balancer's and 16 digits.
type listener struct {
	Port         int32
	Protocol     api.ProtocolEnum
	SSLPolicy    string   `json:",omitempty"`
	Certificate  string   `json:",omitempty"` // the default one
	Certificates []string `json:",omitempty"` // the further ones
	ALPN         string   `json:",omitempty"`
	Actions      []api.Action
	Attributes   map[string]string `json:",omitempty"`
	Tags         map[string]string `json:",omitempty"`
	// Default is the end of the default rule's ARN.
	Default     string
	DefaultTags map[string]string `json:",omitempty"`
	Token       string            `json:",omitempty"`
}

// rule is a row of elbv2.rule; the key's ID is the listener's and 16 digits.
type rule struct {
	Priority   int32
	Conditions []api.RuleCondition
	Actions    []api.Action
	Transforms []api.RuleTransform `json:",omitempty"`
	Tags       map[string]string   `json:",omitempty"`
	Token      string              `json:",omitempty"`
}

// group is a row of elbv2.group; the key's ID is "NAME/0123456789abcdef".
type group struct {
	Name       string
	Protocol   api.ProtocolEnum
	Version    string `json:",omitempty"`
	Port       int32
	VPC        string
	TargetType api.TargetTypeEnum
	Check      check
	Attributes map[string]string `json:",omitempty"`
	Tags       map[string]string `json:",omitempty"`
	Token      string            `json:",omitempty"`
}

// check is how a group's targets are asked.
type check struct {
	Protocol           api.ProtocolEnum
	Port               string // "traffic-port" or a number
	Path               string `json:",omitempty"`
	Interval, Timeout  int32
	Healthy, Unhealthy int32
	HTTPCode, GRPCCode string `json:",omitempty"`
}

// target is a row of elbv2.target; the key's ID is the group's, "|", what was
// registered, "|", and the port.
type target struct {
	ID   string
	Port int32
	// Asked is the zone that was registered with it, "all" for any.
	Asked string `json:",omitempty"`
	Zone  string `json:",omitempty"`
	Addr  string
	// Stopped instances get nothing.
	Stopped bool `json:",omitempty"`
	// Leaves is when a target that was deregistered is forgotten.
	Leaves time.Time `json:",omitzero"`
	Health health
}

// health is what the plane said last.
type health struct {
	State               string `json:",omitempty"`
	Reason, Description string `json:",omitempty"`
}

const joint = "\x00"

// scoped is a value that is unique within an account's region.
func scoped(k store.Key, value string) string { return k.Account + joint + k.Region + joint + value }

func nonEmpty(k store.Key, s string) []string {
	if s == "" {
		return nil
	}
	return []string{scoped(k, s)}
}

var (
	balancers = &store.Table[balancer]{Name: "elbv2.balancer", Version: 1, Clone: cloneBalancer, Indexes: []store.Index[balancer]{
		{Name: "name", Unique: true, Value: func(k store.Key, b *balancer) []string { return nonEmpty(k, b.Name) }},
		{Name: "dns", Unique: true, Value: func(_ store.Key, b *balancer) []string { return []string{strings.ToLower(b.DNS)} }},
	}}
	leavings  = &store.Table[leaving]{Name: "elbv2.leaving", Version: 1}
	listeners = &store.Table[listener]{Name: "elbv2.listener", Version: 1, Indexes: []store.Index[listener]{
		{Name: "balancer", Value: func(k store.Key, _ *listener) []string { return []string{scoped(k, parent(k.ID))} }},
		{Name: "group", Value: func(k store.Key, l *listener) []string { return groupValues(k, l.Actions) }},
	}}
	rules = &store.Table[rule]{Name: "elbv2.rule", Version: 1, Indexes: []store.Index[rule]{
		{Name: "listener", Value: func(k store.Key, _ *rule) []string { return []string{scoped(k, parent(k.ID))} }},
		{Name: "group", Value: func(k store.Key, r *rule) []string { return groupValues(k, r.Actions) }},
	}}
	groups = &store.Table[group]{Name: "elbv2.group", Version: 1, Indexes: []store.Index[group]{
		{Name: "name", Unique: true, Value: func(k store.Key, g *group) []string { return nonEmpty(k, g.Name) }},
	}}
	targets = &store.Table[target]{Name: "elbv2.target", Version: 1, Indexes: []store.Index[target]{
		{Name: "group", Value: func(k store.Key, _ *target) []string { return []string{scoped(k, groupOf(k))} }},
		{Name: "id", Value: func(k store.Key, t *target) []string { return []string{scoped(k, t.ID)} }},
	}}
)

func cloneBalancer(b *balancer) *balancer {
	c := *b
	c.Nodes, c.SecurityGroups = slices.Clone(b.Nodes), slices.Clone(b.SecurityGroups)
	c.Attributes, c.Tags = maps.Clone(b.Attributes), maps.Clone(b.Tags)
	return &c
}

// parent is the ID without its last part.
func parent(id string) string { return id[:max(strings.LastIndexByte(id, '/'), 0)] }

// groupOf is the ID of a target's group.
func groupOf(k store.Key) string {
	id, _, _ := strings.Cut(k.ID, "|")
	return id
}

// groupValues are the groups that actions forward to.
func groupValues(k store.Key, actions []api.Action) (out []string) {
	for _, name := range forwardedTo(actions) {
		if g, err := openGroup(name); err == nil {
			out = append(out, scoped(k, g.ID))
		}
	}
	return out
}

// forwardedTo are the ARNs of the groups that actions forward to, each once.
func forwardedTo(actions []api.Action) (out []string) {
	add := func(name *string) {
		if name != nil && !slices.Contains(out, *name) {
			out = append(out, *name)
		}
	}
	for i := range actions {
		add(actions[i].TargetGroupArn)
		if f := actions[i].ForwardConfig; f != nil {
			for j := range f.TargetGroups {
				add(f.TargetGroups[j].TargetGroupArn)
			}
		}
	}
	return out
}

// at is the key of an ID beside another.
func at(k store.Key, id string) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: id}
}

// usersOf are the IDs of the balancers that forward to a group, sorted.
func usersOf(tx *store.Tx, k store.Key) ([]string, error) {
	ls, err := listeners.Lookup(tx, "group", scoped(k, k.ID))
	if err != nil {
		return nil, err
	}
	rs, err := rules.Lookup(tx, "group", scoped(k, k.ID))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, l := range ls {
		out = append(out, parent(l.Key.ID))
	}
	for _, r := range rs {
		out = append(out, parent(parent(r.Key.ID)))
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func listenersOf(tx *store.Tx, k store.Key) ([]store.Row[listener], error) {
	return listeners.Lookup(tx, "balancer", scoped(k, k.ID))
}

// rulesOf are a listener's rules in order of priority, without the default one.
func rulesOf(tx *store.Tx, k store.Key) ([]store.Row[rule], error) {
	rows, err := rules.Lookup(tx, "listener", scoped(k, k.ID))
	slices.SortFunc(rows, func(a, b store.Row[rule]) int { return int(a.Value.Priority - b.Value.Priority) })
	return rows, err
}

func targetsOf(tx *store.Tx, k store.Key) ([]store.Row[target], error) {
	return targets.Lookup(tx, "group", scoped(k, k.ID))
}

// tagMap reads the tags of an input.
func tagMap(list []api.Tag) (map[string]string, error) {
	out := map[string]string{}
	for _, t := range list {
		key := aws.Val(t.Key)
		if _, twice := out[key]; twice {
			return nil, errDuplicateTag(key)
		}
		out[key] = aws.Val(t.Value)
	}
	return out, judgeTags(out)
}
