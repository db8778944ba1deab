package imds

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// ErrNoInstance is the Source's answer for an instance it does not know.
var ErrNoInstance = errors.New("no such instance")

// Source knows the instances. It is asked at every request, so that what it
// says may change while an instance runs.
type Source interface {
	Metadata(ctx context.Context, instance string) (Metadata, error)
	// Credentials makes new credentials of the instance's role. The error is a
	// *RoleError when the role may not be used; its text reaches the instance.
	Credentials(ctx context.Context, instance string) (Credentials, error)
}

// Metadata is what an instance may know about itself. Empty fields are absent
// from the tree.
type Metadata struct {
	Account, Partition, Domain string // 123456789012, aws, amazonaws.com
	Region, Zone, ZoneID       string // us-east-1, us-east-1a, use1-az1

	InstanceID, InstanceType, ImageID, ReservationID string
	Architecture                                     string // x86_64
	LaunchIndex                                      int
	LaunchTime                                       time.Time
	LifeCycle                                        string // on-demand when empty
	RootDevice                                       string // /dev/xvda

	PrivateIP, PublicIP       netip.Addr
	PrivateHost, PublicHost   string
	MAC, InterfaceID          string
	SubnetID, VPCID           string
	SubnetCIDR, VPCCIDR       netip.Prefix
	VPCCIDRs                  []netip.Prefix // all ranges of the VPC
	SecurityGroups            []SecurityGroup
	KeyName, PublicKey        string // PublicKey as in authorized_keys
	ProfileARN, ProfileID     string
	RoleName, RoleID, RoleARN string // of the role in the profile; RoleID changes when it is made anew
	UserData                  []byte
	Tags                      map[string]string
	Options                   Options
	// Others are the interfaces beside the primary one.
	Others []Interface
}

// Interface is a network interface as its instance sees it.
type Interface struct {
	Device                  int
	PrivateIP, PublicIP     netip.Addr
	PrivateHost, PublicHost string
	MAC, InterfaceID        string
	SubnetID, VPCID         string
	SubnetCIDR, VPCCIDR     netip.Prefix
	VPCCIDRs                []netip.Prefix
	SecurityGroups          []SecurityGroup
}

// primary is the interface of device 0.
func (m Metadata) primary() Interface {
	return Interface{
		PrivateIP: m.PrivateIP, PublicIP: m.PublicIP, PrivateHost: m.PrivateHost, PublicHost: m.PublicHost, MAC: m.MAC, InterfaceID: m.InterfaceID,
		SubnetID: m.SubnetID, VPCID: m.VPCID, SubnetCIDR: m.SubnetCIDR, VPCCIDR: m.VPCCIDR, VPCCIDRs: m.VPCCIDRs, SecurityGroups: m.SecurityGroups,
	}
}

// SecurityGroup names a group both ways.
type SecurityGroup struct{ ID, Name string }

// Options are EC2's metadata options, with EC2's words.
type Options struct {
	Tokens   string // optional or required (IMDSv2 only)
	Endpoint string // enabled or disabled
	HopLimit int    // of answers that carry a token
	Tags     string // enabled or disabled
}

// Credentials are those of a role session.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Issued, Expires                            time.Time
}

// RoleError says why there are no credentials, in AWS's words.
type RoleError struct{ Code, Message string }

func (e *RoleError) Error() string { return e.Code + ": " + e.Message }
