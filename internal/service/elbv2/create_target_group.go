package elbv2

import (
	"context"
	"errors"
	"maps"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	api "github.com/hardstand/hardstand/internal/aws/api/elbv2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// Protocols of listeners and groups.
const (
	http        = api.ProtocolEnum("HTTP")
	https       = api.ProtocolEnum("HTTPS")
	tcp         = api.ProtocolEnum("TCP")
	udp         = api.ProtocolEnum("UDP")
	tcpUDP      = api.ProtocolEnum("TCP_UDP")
	tlsProtocol = api.ProtocolEnum("TLS")
)

// Kinds of targets.
const (
	byInstance = api.TargetTypeEnum("instance")
	byIP       = api.TargetTypeEnum("ip")
	byALB      = api.TargetTypeEnum("alb")
)

const (
	trafficPort = "traffic-port"
	grpc        = "GRPC"
	maxGroups   = 3000
)

// CreateTargetGroup makes a group. One of the same name and settings is returned again.
func (s *Service) CreateTargetGroup(ctx context.Context, in *api.CreateTargetGroupInput) (*api.CreateTargetGroupOutput, error) {
	g, err := newGroup(in)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	g.Token = c.Token
	if err := s.judgeVPC(ctx, g.VPC); err != nil {
		return nil, err
	}
	k := store.Key{Account: c.Account, Region: c.Region, ID: g.Name + "/" + ids.Hex(16)}
	out := &api.CreateTargetGroupOutput{}
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		there, err := groups.Lookup(tx, "name", scoped(k, g.Name))
		if err != nil {
			return err
		}
		if len(there) > 0 {
			if !there[0].Value.same(g) {
				return awserr.New("DuplicateTargetGroupName", "A target group with the same name '%s' exists, but with different settings", g.Name)
			}
			return describeInto(tx, there[0].Key, there[0].Value, &out.TargetGroups)
		}
		n, err := groups.List(tx, store.Scope{Account: k.Account, Region: k.Region}, "", 0)
		if err != nil {
			return err
		}
		if len(n) >= maxGroups {
			return awserr.New("TooManyTargetGroups", "The maximum number of target groups has been reached")
		}
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: groupARN(k), Kind: "group", Cause: "created", RequestID: c.RequestID})
		if err := groups.Insert(tx, k, g); err != nil {
			return err
		}
		return describeInto(tx, k, g, &out.TargetGroups)
	})
	return out, err
}

func (g *group) same(o *group) bool {
	return g.Token == o.Token && g.Protocol == o.Protocol && g.Version == o.Version && g.Port == o.Port && g.VPC == o.VPC &&
		g.TargetType == o.TargetType && g.Check == o.Check && maps.Equal(g.Tags, o.Tags)
}

func newGroup(in *api.CreateTargetGroupInput) (*group, error) {
	g := &group{Name: *in.Name, Protocol: in.Protocol, Port: aws.Val(in.Port), VPC: aws.Val(in.VpcId), TargetType: in.TargetType}
	if g.TargetType == "" {
		g.TargetType = byInstance
	}
	if err := judgeGroupName(g.Name); err != nil {
		return nil, err
	}
	if err := judgeGroup(g, in); err != nil {
		return nil, err
	}
	if g.scope() == ofALB {
		if g.Version = aws.Val(in.ProtocolVersion); g.Version == "" {
			g.Version = "HTTP1"
		}
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	g.Tags = tags
	g.Check = g.standardCheck(in.HealthCheckProtocol)
	return g, g.setCheck(checkInput{in.HealthCheckProtocol, in.HealthCheckPort, in.HealthCheckPath, in.HealthCheckEnabled,
		in.HealthCheckIntervalSeconds, in.HealthCheckTimeoutSeconds, in.HealthyThresholdCount, in.UnhealthyThresholdCount, in.Matcher})
}

func judgeGroupName(name string) error {
	if err := judgeName("Target group", name); err != nil {
		return err
	}
	if strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") || strings.Contains(name, "--") {
		return invalid("1 validation error detected: Value '%s' at 'targetGroup.targetGroupArn.targetGroupName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: (?!.*--)(?!^-)(?!.*-$)^[A-Za-z0-9-]+$", name)
	}
	return nil
}

func judgeGroup(g *group, in *api.CreateTargetGroupInput) error {
	switch {
	case g.TargetType == "lambda" && in.Protocol != "":
		return invalid("Protocol cannot be specified for target groups with target type 'lambda'")
	case g.TargetType == "lambda" && in.Port != nil:
		return invalid("Port cannot be specified for target groups with target type 'lambda'")
	case g.TargetType == "lambda" && in.VpcId != nil:
		return invalid("VPC ID cannot be specified for target groups with target type 'lambda'")
	case g.TargetType == "lambda":
		return notBuilt("functions as targets")
	case in.Protocol == "":
		return invalid("A protocol must be specified")
	case in.Port == nil:
		return invalid("A port must be specified")
	case in.VpcId == nil:
		return invalid("A VPC ID must be specified")
	case g.Protocol == "GENEVE", g.Protocol == "QUIC", g.Protocol == "TCP_QUIC":
		return notBuilt("the protocol %s", g.Protocol)
	case in.IpAddressType == "ipv6":
		return notBuilt("target groups of IPv6 addresses")
	case in.TargetControlPort != nil:
		return notBuilt("target control ports")
	case g.TargetType == byALB && g.Protocol != tcp:
		return invalid("Protocol '%s' is not supported for target groups with target type 'alb'", g.Protocol)
	}
	return judgeVersion(g, aws.Val(in.ProtocolVersion))
}

func judgeVersion(g *group, version string) error {
	switch version {
	case "":
	case "HTTP1", "HTTP2", grpc:
		if g.scope() != ofALB {
			return invalid("Protocol version cannot be specified for target groups with the %s protocol", g.Protocol)
		}
	default:
		return invalid("Protocol version '%s' must be one of [GRPC, HTTP1, HTTP2]", version)
	}
	return nil
}

func (s *Service) judgeVPC(ctx context.Context, id string) error {
	out, err := look[ec2api.DescribeVpcsOutput](ctx, s, "DescribeVpcs", &ec2api.DescribeVpcsInput{Filters: filter("vpc-id", id)})
	if err == nil && len(out.Vpcs) == 0 {
		return invalid("The VPC ID '%s' is not found", id)
	}
	return err
}

// DeleteTargetGroup removes a group that nothing forwards to. What is gone already is
// success.
func (s *Service) DeleteTargetGroup(ctx context.Context, in *api.DeleteTargetGroupInput) (*api.DeleteTargetGroupOutput, error) {
	k, err := openGroup(*in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	c := aws.CallFrom(ctx)
	err = s.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := groups.Get(tx, k)
		if errors.Is(err, store.ErrNotFound) || err == nil && (k.Account != c.Account || k.Region != c.Region) {
			return nil
		}
		if err != nil {
			return err
		}
		users, err := usersOf(tx, k)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return awserr.New("ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", *in.TargetGroupArn)
		}
		rows, err := targetsOf(tx, k)
		if err != nil {
			return err
		}
		for _, t := range rows {
			if err := targets.Delete(tx, t.Key); err != nil {
				return err
			}
		}
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: signer, Resource: groupARN(k), Kind: "group", Cause: "deleted", RequestID: c.RequestID})
		return groups.Delete(tx, k)
	})
	return &api.DeleteTargetGroupOutput{}, err
}
