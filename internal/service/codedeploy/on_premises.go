package codedeploy

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// On-premises instances are keyed by name. The row of a deregistered one stays,
// because ListOnPremisesInstances lists those as well; its name and its ARN may
// be registered again.
var onPremises = store.Table[onPremisesInstance]{Name: "codedeploy.onpremises", Version: 1, Indexes: []store.Index[onPremisesInstance]{
	{Name: "identity", Unique: true, Value: func(k store.Key, o *onPremisesInstance) []string {
		if !o.registered() {
			return nil
		}
		return []string{joined(k.Region, o.identity())}
	}},
}}

// onPremisesInstance is a machine outside EC2. Its agent signs with the IAM user
// or the role session that it was registered with.
type onPremisesInstance struct {
	Name                     string
	ARN                      string
	User, Session            string // ARN, one of them
	Registered, Deregistered time.Time
	Tags                     map[string]string `json:",omitempty"`
}

func (o *onPremisesInstance) registered() bool { return o.Deregistered.IsZero() }

// identity is the ARN that the machine's agent signs with, which is its host
// identifier as well.
func (o *onPremisesInstance) identity() string {
	if o.User != "" {
		return o.User
	}
	return o.Session
}

func (o *onPremisesInstance) view() api.InstanceInfo {
	info := api.InstanceInfo{InstanceName: &o.Name, InstanceArn: &o.ARN, RegisterTime: &o.Registered, Tags: []api.Tag{}}
	if o.User != "" {
		info.IamUserArn = &o.User
	} else {
		info.IamSessionArn = &o.Session
	}
	if !o.registered() {
		info.DeregisterTime = &o.Deregistered
	}
	for _, k := range slices.Sorted(maps.Keys(o.Tags)) {
		info.Tags = append(info.Tags, api.Tag{Key: aws.Ptr(k), Value: aws.Ptr(o.Tags[k])})
	}
	return info
}

// machine is the instance as a deployment sees it.
func (o *onPremisesInstance) machine() machine {
	return machine{ID: o.Name, ARN: o.ARN, State: stateRunning, Tags: o.Tags, Profile: true, OnPremises: true}
}

func onPremisesARN(c aws.Call, name string) string {
	return arn.New("codedeploy", c.Region, c.Account, "instance:"+name)
}

var errInstanceNameRequired = awserr.New("InstanceNameRequiredException", "An on-premises instance name was not specified.")

// checkInstanceName refuses names that look like instances of EC2 too: targets of
// both kinds share one space of names.
func checkInstanceName(name string) error {
	if name == "" {
		return errInstanceNameRequired
	}
	if !namePattern.MatchString(name) || strings.HasPrefix(name, "i-") {
		return awserr.New("InvalidInstanceNameException", "The on-premises instance name was specified in an invalid format: %s", name)
	}
	return nil
}

func checkInstanceNames(names []string) error {
	if len(names) == 0 {
		return errInstanceNameRequired
	}
	for _, n := range names {
		if err := checkInstanceName(n); err != nil {
			return err
		}
	}
	return nil
}

func errNotRegistered(name string) error {
	return awserr.New("InstanceNotRegisteredException", "The on-premises instance could not be found: %s", name)
}

var (
	userPattern    = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:user/[\w+=,.@/-]+$`)
	sessionPattern = regexp.MustCompile(`^arn:aws[a-z-]*:sts::\d{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]{2,64}$`)
)

// findOnPremises returns a registered instance.
func findOnPremises(tx *store.Tx, c aws.Call, name string) (*onPremisesInstance, error) {
	o, err := onPremises.Get(tx, key(c, name))
	if isNotFound(err) || err == nil && !o.registered() {
		return nil, errNotRegistered(name)
	}
	return o, err
}

// onPremisesIdentity returns the caller's instance that signs as identity, nil for
// none. What another account has registered says nothing about this one's instances.
func onPremisesIdentity(tx *store.Tx, c aws.Call, identity string) (*onPremisesInstance, error) {
	rows, err := onPremises.Lookup(tx, "identity", joined(c.Region, identity))
	for _, r := range rows {
		if r.Key.Account == c.Account {
			return r.Value, err
		}
	}
	return nil, err
}

// plainFilter turns a filter for on-premises tags into one for EC2 tags: they
// mean the same.
func plainFilter(f api.TagFilter) api.EC2TagFilter {
	return api.EC2TagFilter{Key: f.Key, Value: f.Value, Type: api.EC2TagFilterType(f.Type)}
}

func plainFilters(in []api.TagFilter) []api.EC2TagFilter {
	out := make([]api.EC2TagFilter, len(in))
	for i, f := range in {
		out[i] = plainFilter(f)
	}
	return out
}

func plainSets(set *api.OnPremisesTagSet) [][]api.EC2TagFilter {
	if set == nil {
		return nil
	}
	out := make([][]api.EC2TagFilter, len(set.OnPremisesTagSetList))
	for i, l := range set.OnPremisesTagSetList {
		out[i] = plainFilters(l)
	}
	return out
}
