package ec2

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// Instance states, as DescribeInstances names them.
const (
	statePending      = "pending"
	stateRunning      = "running"
	stateShuttingDown = "shutting-down"
	stateTerminated   = "terminated"
	stateStopping     = "stopping"
	stateStopped      = "stopped"
)

// instance is one row of ec2_instances. It survives its own termination for an
// hour, as on EC2.
type instance struct {
	ID, ReservationID, Zone, Type, ImageID string
	State                                  string
	// Restart asks the worker for stop and start in one: RebootInstances.
	Restart          bool
	LaunchTime       time.Time
	StateReason      reason
	TransitionReason string
	// ForceStop has the machine stopped without being asked to shut down.
	ForceStop bool
	// EndedEarly is set when the machine ended before it was known to run.
	EndedEarly    bool
	KeyName       string
	AuthorizedKey string
	// UserData is sealed; PlainUserData is what the first version stored, until the
	// server that finds it seals it. See user_data.go.
	UserData              []byte
	PlainUserData         []byte `json:",omitempty"`
	Profile               *Profile
	ProfileAssocID        string
	NIC                   nic
	Tags                  map[string]string
	Metadata              metadataOptions
	Token                 string
	TokenHash             string
	LaunchIndex           int32
	ShutdownTerminates    bool
	DisableAPITermination bool
	DisableAPIStop        bool
	EBSOptimized          bool
	CPUCredits            string // standard | unlimited, for burstable types
	Monitoring            bool
	Root                  volume
	// Booted is set once the instance has run: user data belongs to the first
	// boot only.
	Booted       bool
	TerminatedAt time.Time
	// Dedicated is the VPC's tenancy when the instance was launched.
	Dedicated bool
	// Via names the service that asked for the instance on the caller's behalf.
	Via string
}

// volume is a root volume; there are no others.
type volume struct {
	ID, Type              string
	GiB, IOPS, Throughput int32
	Tags                  map[string]string
}

type reason struct{ Code, Message string }

type metadataOptions struct {
	Tokens   string // optional | required
	Endpoint string // enabled | disabled
	HopLimit int32
	Tags     string // enabled | disabled
}

// clone copies what operations change in place. The rest they replace as a whole.
func (r *instance) clone() *instance {
	c := *r
	c.Tags, c.Root.Tags, c.NIC.Tags = maps.Clone(r.Tags), maps.Clone(r.Root.Tags), maps.Clone(r.NIC.Tags)
	return &c
}

var instances = store.Table[instance]{
	Name: "ec2_instances", Version: 2, Clone: (*instance).clone, Upgrade: upgradeInstance,
	Indexes: []store.Index[instance]{
		// All instances of one RunInstances call share its token.
		{Name: "token", Value: func(k store.Key, v *instance) []string { return token(k, v.Token) }},
		{Name: "private", Unique: true, Value: func(k store.Key, v *instance) []string {
			if v.State == stateTerminated || !v.NIC.Private.IsValid() {
				return nil
			}
			return []string{privateEntry(v.NIC.VPC, v.NIC.Private)}
		}},
		{Name: "public", Unique: true, Value: func(_ store.Key, v *instance) []string { return v.NIC.automatic() }},
		{Name: "group", Value: func(_ store.Key, v *instance) []string {
			if v.State == stateTerminated {
				return nil
			}
			return v.NIC.Groups
		}},
		{Name: "interface", Unique: true, Value: func(_ store.Key, v *instance) []string {
			if v.State == stateTerminated {
				return nil
			}
			return []string{v.NIC.ID}
		}},
		{Name: "id", Unique: true, Value: func(k store.Key, _ *instance) []string { return []string{k.ID} }},
		{Name: "state", Value: func(_ store.Key, v *instance) []string { return []string{v.State} }},
		{Name: "subnet", Value: func(_ store.Key, v *instance) []string {
			if v.State == stateTerminated {
				return nil
			}
			return []string{v.NIC.Subnet}
		}},
	},
}

type keyPair struct {
	ID, Name, Type, Fingerprint string
	// PublicKey is one line of an authorized_keys file.
	PublicKey string
	Created   time.Time
	Tags      map[string]string
	Token     string
}

var keyPairs = store.Table[keyPair]{
	Name: "ec2_key_pairs", Version: 1,
	Indexes: []store.Index[keyPair]{
		{Name: "name", Unique: true, Value: func(k store.Key, v *keyPair) []string { return []string{scoped(k, v.Name)} }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *keyPair) []string { return token(k, v.Token) }},
	},
}

type securityGroup struct {
	ID, Name, Description, VPC string
	Rules                      []groupRule
	Tags                       map[string]string
	Token                      string
}

// groupRule is one row of DescribeSecurityGroupRules: one protocol, one range of
// ports, one peer.
type groupRule struct {
	ID          string
	Egress      bool
	Protocol    string // tcp, udp, icmp, icmpv6, -1 or a number
	From, To    int32  // -1 to -1: all ports, all ICMP types
	CIDR        string // IPv4 or IPv6 prefix, or ""
	Group       string // peer group id, or ""
	Description string
	Tags        map[string]string
	Token       string
}

var securityGroups = store.Table[securityGroup]{
	Name: "ec2_security_groups", Version: 1,
	Indexes: []store.Index[securityGroup]{
		{Name: "name", Unique: true, Value: func(k store.Key, v *securityGroup) []string { return []string{v.VPC + "/" + v.Name} }},
		{Name: "vpc", Value: func(_ store.Key, v *securityGroup) []string { return []string{v.VPC} }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *securityGroup) []string { return token(k, v.Token) }},
		{Name: "rule", Unique: true, Value: func(_ store.Key, v *securityGroup) []string {
			out := make([]string, 0, len(v.Rules))
			for _, r := range v.Rules {
				out = append(out, r.ID)
			}
			return out
		}},
		{Name: "peer", Value: func(_ store.Key, v *securityGroup) []string {
			var out []string
			for _, r := range v.Rules {
				if r.Group != "" && r.Group != v.ID && !slices.Contains(out, r.Group) {
					out = append(out, r.Group)
				}
			}
			return out
		}},
	},
}

// address is an elastic IP.
type address struct {
	AllocationID, AssociationID string
	Public                      netip.Addr
	// Instance is whose primary interface holds the address, Interface another one
	// that does.
	Instance, Interface string
	// BindToken is that of the call that bound it. Former is the binding that a stack
	// has replaced and may want back.
	BindToken string
	Former    *formerBinding
	Tags      map[string]string
	Token     string
}

// formerBinding comes back like a formerAssociation.
type formerBinding struct{ AssociationID, Instance, Interface string }

var addresses = store.Table[address]{
	Name: "ec2_addresses", Version: 1,
	Indexes: []store.Index[address]{
		{Name: "public", Unique: true, Value: func(_ store.Key, v *address) []string { return []string{v.Public.String()} }},
		{Name: "association", Unique: true, Value: func(_ store.Key, v *address) []string {
			var out []string
			if v.AssociationID != "" {
				out = append(out, v.AssociationID)
			}
			if v.Former != nil {
				out = append(out, v.Former.AssociationID)
			}
			return out
		}},
		{Name: "instance", Value: func(_ store.Key, v *address) []string { return some(v.Instance) }},
		{Name: "token", Unique: true, Value: func(k store.Key, v *address) []string { return token(k, v.Token) }},
	},
}

// privateEntry is what the index of private addresses holds: VPCs may overlap.
func privateEntry(vpcID string, a netip.Addr) string { return vpcID + "/" + a.String() }

func scoped(k store.Key, s string) string { return k.Account + "/" + k.Region + "/" + s }

// sameMaker says whether two tokens are of creations of one resource of a stack, of
// which the later replaces the earlier: they differ in their last part only.
func sameMaker(earlier, later string) bool {
	i, j := strings.LastIndexByte(earlier, '/'), strings.LastIndexByte(later, '/')
	return i > 0 && i == j && earlier != later && earlier[:i] == later[:j]
}

func token(k store.Key, t string) []string {
	if t == "" {
		return nil
	}
	return []string{scoped(k, t)}
}
