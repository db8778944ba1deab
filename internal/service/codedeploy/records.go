package codedeploy

import (
	"maps"
	"slices"
	"strings"
	"time"

	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// The rows of the service. Applications and groups are keyed by their UUIDs,
// which a rename keeps: what an agent remembers on its host hangs on the
// group's.
var (
	applications = store.Table[application]{Name: "codedeploy.application", Version: 1, Indexes: []store.Index[application]{
		{Name: "name", Unique: true, Value: func(k store.Key, a *application) []string {
			return []string{joined(k.Account, k.Region, a.Name)}
		}},
		{Name: "token", Unique: true, Value: func(_ store.Key, a *application) []string { return given(a.Token) }},
	}}
	groups = store.Table[group]{Name: "codedeploy.group", Version: 1, Indexes: []store.Index[group]{
		{Name: "name", Unique: true, Value: func(_ store.Key, g *group) []string {
			return []string{joined(g.ApplicationID, g.Name)}
		}},
		{Name: "token", Unique: true, Value: func(_ store.Key, g *group) []string { return given(g.Token) }},
		{Name: "scaling", Value: func(_ store.Key, g *group) []string {
			if len(g.Scaling)+len(g.Unhook) == 0 {
				return nil
			}
			return []string{"yes"}
		}},
	}}
	configs = store.Table[config]{Name: "codedeploy.config", Version: 1}
	// Revisions are keyed by application and location.
	revisions   = store.Table[revision]{Name: "codedeploy.revision", Version: 1}
	deployments = store.Table[deployment]{Name: "codedeploy.deployment", Version: 1, Indexes: []store.Index[deployment]{
		{Name: "active", Value: func(_ store.Key, d *deployment) []string {
			if d.ended() {
				return nil
			}
			if d.Scaling != nil {
				return []string{"active", scalingOf(d.GroupID)}
			}
			return []string{"active", d.GroupID}
		}},
		{Name: "scaling", Value: func(_ store.Key, d *deployment) []string {
			if d.Scaling == nil || d.Scaling.Reported {
				return nil
			}
			return []string{"unreported"}
		}},
		{Name: "created", Value: func(k store.Key, d *deployment) []string {
			return []string{joined(k.Account, k.Region, d.Created.UTC().Format(sortable), k.ID)}
		}},
		{Name: "group", Value: func(k store.Key, d *deployment) []string {
			return []string{joined(d.GroupID, d.Created.UTC().Format(sortable), k.ID)}
		}},
		{Name: "token", Unique: true, Value: func(_ store.Key, d *deployment) []string { return given(d.Token) }},
	}, Clone: (*deployment).clone}
	targets = store.Table[target]{Name: "codedeploy.target", Version: 1, Indexes: []store.Index[target]{
		{Name: "deployment", Value: func(_ store.Key, t *target) []string { return []string{t.DeploymentID} }},
		{Name: "host", Value: func(k store.Key, t *target) []string {
			if t.Status != api.TargetStatusInProgress {
				return nil
			}
			return []string{joined(k.Account, k.Region, t.InstanceID)}
		}},
	}, Clone: (*target).clone}
	// Hosts are what is known of an instance in a group, keyed by both.
	hosts = store.Table[host]{Name: "codedeploy.host", Version: 1, Indexes: []store.Index[host]{
		{Name: "instance", Value: func(k store.Key, _ *host) []string {
			_, instance, _ := strings.Cut(k.ID, "/")
			return []string{joined(k.Account, k.Region, instance)}
		}},
	}}
	// Agents are keyed by instance.
	agents     = store.Table[agent]{Name: "codedeploy.agent", Version: 1}
	signerRows = store.Table[signerRow]{Name: "codedeploy.signer", Version: 1}
)

// sortable makes times sort as text.
const sortable = "2006-01-02T15:04:05.000000000Z"

// scalingOf is the index value of a group's deployments to single instances of its
// Auto Scaling groups, which run beside the group's one deployment.
func scalingOf(groupID string) string { return joined("scaling", groupID) }

func given(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

type application struct {
	Name, ID string
	Created  time.Time
	Tags     map[string]string `json:",omitempty"`
	Token    string            `json:",omitempty"`
}

type group struct {
	ID, Name, ApplicationID string
	Config                  string
	Filters                 []api.EC2TagFilter             `json:",omitempty"`
	TagSet                  *api.EC2TagSet                 `json:",omitempty"`
	OnPremises              []api.TagFilter                `json:",omitempty"`
	OnPremisesSet           *api.OnPremisesTagSet          `json:",omitempty"`
	Role                    string                         // ARN
	Rollback                *api.AutoRollbackConfiguration `json:",omitempty"`
	Outdated                api.OutdatedInstancesStrategy
	Style                   *api.DeploymentStyle                  `json:",omitempty"`
	BlueGreen               *api.BlueGreenDeploymentConfiguration `json:",omitempty"`
	Balancer                *api.LoadBalancerInfo                 `json:",omitempty"`
	// Scaling are the Auto Scaling groups, Unhook those whose hooks are to be taken
	// away; see scaling_groups.go.
	Scaling, Unhook []scalingGroup          `json:",omitempty"`
	TerminationHook bool                    `json:",omitempty"`
	Alarms          *api.AlarmConfiguration `json:",omitempty"`
	Triggers        []api.TriggerConfig     `json:",omitempty"`
	Tags            map[string]string       `json:",omitempty"`
	Token           string                  `json:",omitempty"`
	LastSuccessful  *lastDeployment         `json:",omitempty"`
	LastAttempted   *lastDeployment         `json:",omitempty"`
}

// lastDeployment is what a group remembers of a deployment: enough to roll back
// to it.
type lastDeployment struct {
	ID             string
	Status         api.DeploymentStatus
	Created, Ended time.Time
	Revision       *api.RevisionLocation
	FileExists     api.FileExistsBehavior
}

type config struct {
	Name, ID string
	Minimum  api.MinimumHealthyHosts
	Zonal    *api.ZonalConfig `json:",omitempty"`
	Created  time.Time
	Token    string `json:",omitempty"`
}

type revision struct {
	ApplicationID                   string
	Location                        *api.RevisionLocation
	Description                     string `json:",omitempty"`
	Registered, FirstUsed, LastUsed time.Time
}

// deployment is one deployment from its creation on.
type deployment struct {
	ID                             string
	ApplicationID, ApplicationName string
	GroupID, GroupName             string
	Config                         string
	Role                           string
	Revision, Previous             *api.RevisionLocation
	Description                    string
	Creator                        api.DeploymentCreator
	IgnoreStopFailures             bool
	OutdatedOnly                   bool
	FileExists                     api.FileExistsBehavior
	Rollback                       *api.AutoRollbackConfiguration
	// Alarms and Triggers are the group's when the deployment was created;
	// OverrideAlarms tells that the call gave other alarms.
	Alarms         *api.AlarmConfiguration `json:",omitempty"`
	OverrideAlarms bool                    `json:",omitempty"`
	Triggers       []api.TriggerConfig     `json:",omitempty"`

	Status                      api.DeploymentStatus
	Created, Started, Completed time.Time
	ErrorCode                   api.ErrorCode
	ErrorMessage                string
	RollbackID, RollbackOf      string
	RollbackMessage             string
	Messages                    []string `json:",omitempty"` // what else there is to say
	// BlueGreen is set for a deployment to a replacement environment, which New
	// selects; see blue_green.go.
	BlueGreen *blueGreen           `json:",omitempty"`
	New       *api.TargetInstances `json:",omitempty"`
	// Balancer is set for a deployment with traffic control; see traffic.go.
	Balancer *api.LoadBalancerInfo `json:",omitempty"`
	// Zonal is set for a deployment that goes zone by zone.
	Zonal *api.ZonalConfig `json:",omitempty"`
	// Prepared tells that the targets have been found.
	Prepared bool `json:",omitempty"`
	// Hosts and MinHealthy are counted when the deployment starts.
	Hosts, MinHealthy int
	// StopAsked is set by StopDeployment; StopRollback is what the call asked
	// for, nil leaving it to the configuration.
	StopAsked    bool
	StopRollback *bool
	// StopCode and StopMessage are set when it was not a user that asked.
	StopCode    api.ErrorCode `json:",omitempty"`
	StopMessage string        `json:",omitempty"`
	// ReadyTimeout tells that nobody continued the deployment in time.
	ReadyTimeout bool `json:",omitempty"`
	// OutputGone tells that the complete output of its scripts is no longer kept.
	OutputGone bool `json:",omitempty"`
	// Scaling is set for a deployment to one instance of an Auto Scaling group.
	Scaling *scaling `json:",omitempty"`
	// UpdateOf is the deployment whose outdated instances this one updates, Updates
	// the ones that do so for this one.
	UpdateOf string   `json:",omitempty"`
	Updates  []string `json:",omitempty"`
	// Token is set for deployments that a stack made, and for those with Scaling.
	Token string `json:",omitempty"`
}

// clone copies what is changed in place.
func (d *deployment) clone() *deployment {
	c := *d
	c.Messages, c.Updates = slices.Clone(d.Messages), slices.Clone(d.Updates)
	if d.Scaling != nil {
		sc := *d.Scaling
		c.Scaling = &sc
	}
	if d.BlueGreen != nil {
		b := *d.BlueGreen
		c.BlueGreen = &b
	}
	return &c
}

func (d *deployment) ended() bool {
	switch d.Status {
	case api.DeploymentStatusSucceeded, api.DeploymentStatusFailed, api.DeploymentStatusStopped:
		return true
	}
	return false
}

// target is one instance of a deployment.
type target struct {
	// InstanceID is the id of an instance of EC2, or the name of one on premises.
	DeploymentID, InstanceID string
	ARN                      string
	OnPremises               bool `json:",omitempty"`
	Status                   api.TargetStatus
	Updated                  time.Time
	Events                   []event
	// Label is the environment in a blue/green deployment, Zone the availability
	// zone in one that goes zone by zone.
	Label api.TargetLabel `json:",omitempty"`
	Zone  string          `json:",omitempty"`
	// Rank orders targets: unhealthy hosts first.
	Rank int
	// Profile tells that the instance has an instance profile: without one its
	// agent cannot sign.
	Profile bool
	// Issue is set for a failure that is not the application's: its agent's, or
	// its load balancer's.
	Issue api.ErrorCode `json:",omitempty"`
	// Patient tells that its agent may still be on its way: the instance was just
	// launched.
	Patient bool `json:",omitempty"`
	// Ports are those at which the instance was a target of a target group before
	// it was taken out, by what is said of the group.
	Ports map[string][]int32 `json:",omitempty"`
	// The first event that has not ended is the current one. Ready is since when
	// it may be handed out, Acked when the agent took it.
	Ready, Acked time.Time
	// Longest is what the scripts of the current event may take together, where the
	// agent says so.
	Longest time.Duration `json:",omitempty"`
}

// clone copies what is changed in place.
func (t *target) clone() *target {
	c := *t
	c.Events, c.Ports = slices.Clone(t.Events), maps.Clone(t.Ports)
	return &c
}

// event is one lifecycle event of a target.
type event struct {
	Name       string
	Status     api.LifecycleEventStatus
	Start, End time.Time
	Code       api.LifecycleErrorCode `json:",omitempty"`
	Script     string                 `json:",omitempty"`
	Message    string                 `json:",omitempty"`
	Log        string                 `json:",omitempty"`
	// LogParts counts the pieces of output that were kept; see deployment_log.go.
	LogParts int `json:",omitempty"`
}

func (t *target) ended() bool {
	switch t.Status {
	case api.TargetStatusPending, api.TargetStatusInProgress, api.TargetStatusReady:
		return false
	}
	return true
}

func targetKey(k store.Key, deployment, instance string) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: deployment + "/" + instance}
}

type host struct {
	// Failed tells that the last deployment to the instance did not succeed.
	Failed bool
	// Deployment is the last that succeeded, Revision its revision's key.
	Deployment, Revision string
	// Ports are those of a target that failed with its traffic taken away.
	Ports map[string][]int32 `json:",omitempty"`
}

func hostKey(k store.Key, group, instance string) store.Key {
	return store.Key{Account: k.Account, Region: k.Region, ID: group + "/" + instance}
}

type agent struct {
	First, Last time.Time // polls
	// Ours tells that it is an agent of ours, whose silence means something soon.
	Ours bool `json:",omitempty"`
	// Refused is why the last call was refused, "" once one was let in.
	Refused   string    `json:",omitempty"`
	RefusedAt time.Time `json:",omitzero"`
}

type signerRow struct {
	Certificate []byte // DER
	Key         []byte // sealed PKCS #1
	Ends        time.Time
}
