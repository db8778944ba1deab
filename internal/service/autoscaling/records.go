package autoscaling

import (
	"fmt"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/store"
)

// The rows of the service. What belongs to a group goes with it; activities go after
// six weeks, messages when they have been sent.
var (
	// Configurations are launch configurations, keyed by name.
	configurations = &store.Table[configuration]{Name: "autoscaling.configuration", Version: 1, Indexes: []store.Index[configuration]{
		{Name: "token", Unique: true, Value: func(k store.Key, c *configuration) []string { return tokenIndex(k, c.Token) }},
	}}
	// Groups are keyed by name.
	groups = &store.Table[group]{Name: "autoscaling.group", Version: 1, Indexes: []store.Index[group]{
		{Name: "configuration", Value: func(k store.Key, g *group) []string {
			if g.Configuration == "" {
				return nil
			}
			return []string{scoped(k, g.Configuration)}
		}},
		{Name: "token", Unique: true, Value: func(k store.Key, g *group) []string { return tokenIndex(k, g.Token) }},
	}}
	// Members are the instances of groups, keyed by an id of their own: the token with
	// which they are launched.
	members = &store.Table[member]{Name: "autoscaling.member", Version: 1, Indexes: []store.Index[member]{
		{Name: "group", Value: func(k store.Key, m *member) []string { return []string{scoped(k, m.Group)} }},
		{Name: "instance", Value: func(k store.Key, m *member) []string {
			if m.Instance == "" {
				return nil
			}
			return []string{scoped(k, m.Instance)}
		}},
	}}
	// Activities are keyed by id; the index orders those of a group by their start.
	activities = &store.Table[activity]{Name: "autoscaling.activity", Version: 1, Indexes: []store.Index[activity]{
		{Name: "group", Value: func(k store.Key, a *activity) []string { return []string{scoped(k, a.Group) + "\x00" + a.order()} }},
		{Name: "time", Value: func(_ store.Key, a *activity) []string { return []string{a.order()} }},
	}}
	// Hooks, policies, scheduled actions and notification configurations are keyed by
	// the group's name and their own.
	hooks         = &store.Table[hook]{Name: "autoscaling.hook", Version: 1}
	policies      = &store.Table[policy]{Name: "autoscaling.policy", Version: 1}
	schedules     = &store.Table[schedule]{Name: "autoscaling.schedule", Version: 1}
	notifications = &store.Table[notification]{Name: "autoscaling.notification", Version: 1}
	// Refreshes are keyed by group and id.
	refreshes = &store.Table[refresh]{Name: "autoscaling.refresh", Version: 1}
	// Messages are what is still to be published, in order.
	messages = &store.Table[message]{Name: "autoscaling.message", Version: 1}
	// Discards are alarms that are still to be deleted.
	discards = &store.Table[discarded]{Name: "autoscaling.discard", Version: 1}
)

func tokenIndex(k store.Key, token string) []string {
	if token == "" {
		return nil
	}
	return []string{scoped(k, token)}
}

// configuration is a launch configuration. Its user data is sealed.
type configuration struct {
	ARN, Name string
	Created   time.Time
	Spec      api.CreateLaunchConfigurationInput // without user data
	UserData  []byte                             `json:",omitempty"`
	Token     string                             `json:",omitempty"`
}

// source is what a group's instances are launched from: one of the three.
type source struct {
	Configuration string                           `json:",omitempty"`
	Template      *api.LaunchTemplateSpecification `json:",omitempty"`
	Mixed         *api.MixedInstancesPolicy        `json:",omitempty"`
}

// place is where instances may be launched: a subnet, or a zone for its default one.
type place struct {
	Zone   string
	Subnet string `json:",omitempty"`
}

// The types and states of traffic sources.
const (
	classicSource = "elb"
	targetSource  = "elbv2"

	adding    = "Adding"
	added     = "Added"
	inService = "InService"
	removing  = "Removing"
)

// traffic is a load balancer or target group that gets a group's instances.
type traffic struct{ Type, ID, State string }

// tag is a tag of a group.
type tag struct {
	Key, Value string
	Propagate  bool
}

// group is an Auto Scaling group.
type group struct {
	ARN, Name string
	Created   time.Time
	Token     string `json:",omitempty"`
	source
	Min, Max, Desired int32
	Cooldown          int32
	Zones             []string
	ZonesGiven        bool    `json:",omitempty"` // AvailabilityZones were, not subnets
	Places            []place // in the order given
	Subnets           string  `json:",omitempty"` // VPCZoneIdentifier as given
	Traffic           []traffic
	HealthCheck       string
	Grace             int32
	Termination       []string
	Protect           bool   `json:",omitempty"`
	Role              string // the service-linked one
	Lifetime          int32  `json:",omitempty"` // seconds
	Warmup            *int32 `json:",omitempty"`
	Context           string `json:",omitempty"`
	Maintenance       *api.InstanceMaintenancePolicy
	DeletionGuard     api.DeletionProtection            `json:",omitempty"`
	Distribution      *api.AvailabilityZoneDistribution `json:",omitempty"`
	// Reservation is the preference about capacity reservations, of which there are none.
	Reservation api.CapacityReservationPreference `json:",omitempty"`
	// Rebalance is CapacityRebalance. It is about spot instances, of which there are none.
	Rebalance *bool             `json:",omitempty"`
	Suspended map[string]string `json:",omitempty"` // process -> why
	Tags      []tag             `json:",omitempty"`
	Metrics   []string          `json:",omitempty"`

	// Status is what DescribeAutoScalingGroups shows while the group is being deleted.
	Status string `json:",omitempty"`
	// Causes are the sentences that say why the desired capacity is what it is, until
	// it is reached.
	Causes []string `json:",omitempty"`
	// Scaled is when the last scaling activity ended: the cooldown begins there.
	Scaled time.Time `json:",omitzero"`
	// Failures counts launches that failed one after another; none begins before Retry.
	Failures int       `json:",omitempty"`
	Retry    time.Time `json:",omitzero"`
	// Replacing counts the unhealthy instances that were taken out of service and have no
	// successor yet.
	Replacing int `json:",omitempty"`
	// Rolling is what the group had before a rolling update changed it, until that update
	// or its rollback is over.
	Rolling *sizes `json:",omitempty"`
	// Count numbers the instances and activities of the group.
	Count int `json:",omitempty"`
	// Avoid is the zone of the last launch that failed.
	Avoid string `json:",omitempty"`
}

type sizes struct {
	Min, Desired int32
	// Processes are those that the update has suspended and lets go on at its end; what a
	// user had suspended before is not among them.
	Processes []string `json:",omitempty"`
}

const deleteInProgress = "Delete in progress"

func (g *group) suspended(process string) bool {
	_, yes := g.Suspended[process]
	return yes
}

// member is an instance of a group, from the decision to launch it to its end.
type member struct {
	ID       string
	Group    string
	Instance string `json:",omitempty"`
	Type     string `json:",omitempty"`
	Image    string `json:",omitempty"`
	place
	// What it was launched from. Of a template the version is a number.
	Configuration string                           `json:",omitempty"`
	Template      *api.LaunchTemplateSpecification `json:",omitempty"`
	Overridden    string                           `json:",omitempty"` // the type that an override asked for

	State     api.LifecycleState
	Unhealthy bool   `json:",omitempty"`
	Why       string `json:",omitempty"` // it is unhealthy
	Protected bool   `json:",omitempty"`
	Attached  bool   `json:",omitempty"` // not launched by the group
	// Extra is a launch beyond the desired capacity, until it is in service: it takes
	// the place of an instance that leaves then.
	Extra bool `json:",omitempty"`
	// Activity is the activity in progress, "" when there is none.
	Activity string          `json:",omitempty"`
	Actions  []pendingAction `json:",omitempty"`
	Decided  time.Time
	// Number orders those that were decided on at the same time.
	Number   int
	Launched time.Time `json:",omitzero"`
	Served   time.Time `json:",omitzero"` // in service since
	// Registered are the traffic sources that have the instance.
	Registered []traffic `json:",omitempty"`
	// Skipped are those that it was not registered with because AddToLoadBalancer was
	// suspended when it came into service; it stays so when that goes on.
	Skipped []traffic `json:",omitempty"`
	// Drained is when its connections have ended at the latest, set when it was
	// deregistered.
	Drained time.Time `json:",omitzero"`
	// Ending is what becomes of it when it has left service.
	Ending ending `json:",omitempty"`
	// Asked says that EC2 was asked to terminate it.
	Asked bool `json:",omitempty"`
	// Refresh is the instance refresh that launched it.
	Refresh string `json:",omitempty"`
}

// ending is where an instance goes that leaves service.
type ending string

const (
	toTerminated ending = "terminated"
	toStandby    ending = "standby"
	toDetached   ending = "detached"
)

// pendingAction is a lifecycle action that a hook of an instance waits for.
type pendingAction struct {
	Hook, Token string
	Beat        int32     // seconds between heartbeats
	Deadline    time.Time // unless a heartbeat comes
	Limit       time.Time // whatever comes
	Default     string    // what becomes of it then
	Result      string    `json:",omitempty"` // CONTINUE or ABANDON
	Expired     bool      `json:",omitempty"`
}

// activity is a scaling activity.
type activity struct {
	ID, Group, GroupARN    string
	Description, Cause     string
	Details, StatusMessage string
	Status                 api.ScalingActivityStatusCode
	Progress               int32
	Start                  time.Time
	End                    time.Time `json:",omitzero"`
	Instance               string    `json:",omitempty"`
	// Number orders those that begin at the same time.
	Number int
}

func (a *activity) order() string { return fmt.Sprintf("%016x%08x", a.Start.UnixNano(), a.Number) }

// hook is a lifecycle hook.
type hook struct {
	Group, Name, Transition string
	Target, Role, Metadata  string
	Beat                    int32 // seconds
	Default                 string
}

// notification are the events of a group that a topic is told of.
type notification struct {
	Group, Topic string
	Types        []string
}
