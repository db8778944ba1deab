package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/instance"
	"github.com/hardstand/hardstand/internal/instance/container"
	"github.com/hardstand/hardstand/internal/instance/fake"
	"github.com/hardstand/hardstand/internal/instance/imds"
	"github.com/hardstand/hardstand/internal/network"
	"github.com/hardstand/hardstand/internal/service/ec2"
	"github.com/hardstand/hardstand/internal/service/iam"
)

// ground is what instances stand on: the driver, its manager and the network.
type ground struct {
	manager  *instance.Manager
	driver   io.Closer // nil for the fake driver
	network  ec2.Network
	kernel   *network.Network // nil for the fake driver
	services *network.Services
}

// openGround opens the driver that the configuration chooses. EC2, which is opened
// afterwards, is told of machines that end by themselves and asked about those that
// reboot.
func (w *world) openGround(ctx context.Context) (*ground, error) {
	s := w.s
	machines := instance.Config{
		OnExit: func(id, reason string) { w.ec2.Exited(id, reason) },
		Spec:   func(ctx context.Context, id string) (instance.Spec, error) { return w.ec2.Spec(ctx, id) },
		Clock:  s.cfg.Clock, Log: s.cfg.Log,
	}
	if s.cfg.Instances == InstancesFake {
		return s.openRecords(machines)
	}
	n, err := network.Open(ctx, network.Config{
		Prefix: s.dir.prefix(), PublicCIDR: s.cfg.PublicCIDR, Egress: s.cfg.Egress, EgressLAN: s.cfg.EgressLAN, Log: s.cfg.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("open network: %w", err)
	}
	metadata, err := w.metadata()
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	g := &ground{network: n, kernel: n}
	g.services = network.NewServices(network.ServicesConfig{
		Network: n, Region: s.cfg.Region, Metadata: metadata, Port: s.port,
		Serve: s.serveInside, Forward: s.cfg.Egress == "on", Zones: balancerNames{w, w.route53}, Log: s.cfg.Log,
	})
	d, err := container.Open(container.Config{
		DataDir: s.dir.path, Prefix: s.dir.prefix(), Guest: s.cfg.Guest, Links: guest.Links(), Dirs: guest.Dirs(), Files: w.guestFiles,
		CA: s.ca.PEM(), Network: n, HostUsers: s.cfg.UserNS == "off", Clock: s.cfg.Clock, Log: s.cfg.Log,
		OnNamespace: g.services.Open,
		OnRelease: func(id string) {
			if err := g.services.Release(id); err != nil {
				s.cfg.Log.Warn("close the services of an instance", "instance", id, "err", err)
			}
		},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open instances: %w", err), g.services.Close(), n.Close())
	}
	g.driver, machines.Driver = d, d
	g.manager = instance.New(machines)
	return g, nil
}

// openRecords opens the fake driver.
func (s *System) openRecords(machines instance.Config) (*ground, error) {
	d, err := fake.Open(s.dir.path)
	if err != nil {
		return nil, err
	}
	machines.Driver = d
	return &ground{manager: instance.New(machines), network: noNetwork{}}, nil
}

// close lets go of everything; machines run on. When idle says that there are none,
// the networks go too.
func (g *ground) close(idle bool) error {
	g.manager.Close()
	var errs []error
	if g.driver != nil {
		errs = append(errs, g.driver.Close())
	}
	if g.services != nil {
		errs = append(errs, g.services.Close())
	}
	if g.kernel != nil {
		if idle {
			errs = append(errs, g.kernel.Destroy())
		}
		errs = append(errs, g.kernel.Close())
	}
	return errors.Join(errs...)
}

// serveInside handles connections that come from inside instances: the same
// server, http and https, with the connection's origin in the context.
func (s *System) serveInside(l net.Listener) error {
	server := s.httpServer()
	err := server.Serve(s.ca.Listen(l))
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// instanceMetadata joins what EC2 knows about an instance with the sessions that
// IAM makes for it. EC2 is opened after the metadata service, so it is looked up at
// each request.
type instanceMetadata struct{ w *world }

// roleSession is how long an instance's credentials last; EC2's last about six
// hours.
const roleSession = 6 * time.Hour

func (m instanceMetadata) Metadata(ctx context.Context, id string) (imds.Metadata, error) {
	return m.w.ec2.Metadata(ctx, id)
}

func (m instanceMetadata) Credentials(ctx context.Context, id string) (imds.Credentials, error) {
	md, err := m.w.ec2.Metadata(ctx, id)
	if err != nil {
		return imds.Credentials{}, err
	}
	session, err := m.w.iam.SessionFor(ctx, aws.SessionRequest{
		RoleARN: md.RoleARN, Name: id, Duration: roleSession, Service: "ec2.amazonaws.com", InstanceID: id,
		Instance: aws.Instance{ARN: arn.New("ec2", md.Region, md.Account, "instance/"+id), VPC: md.VPCID, PrivateIP: md.PrivateIP.String()},
	})
	if errors.Is(err, iam.ErrNotAssumable) {
		return imds.Credentials{}, &imds.RoleError{
			Code:    "AssumeRoleUnauthorizedAccess",
			Message: "EC2 cannot assume the role " + md.RoleName + ". Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc.",
		}
	}
	if err != nil {
		return imds.Credentials{}, err
	}
	return imds.Credentials{
		AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.Token,
		Issued: session.Principal.IssuedAt, Expires: session.Expires,
	}, nil
}

// profiles lets EC2 look up instance profiles.
type profiles struct{ iam *iam.Service }

func (p profiles) InstanceProfile(ctx context.Context, account, name string) (ec2.Profile, error) {
	found, err := p.iam.InstanceProfile(ctx, account, name)
	if awserr.Is(err, "NoSuchEntity") {
		return ec2.Profile{}, ec2.ErrNoProfile
	}
	if err != nil {
		return ec2.Profile{}, err
	}
	return ec2.Profile{ARN: found.ARN, ID: found.ID, Name: name, RoleARN: found.RoleARN, RoleID: found.RoleID}, nil
}

// RoleOf implements autoscaling.Profiles. A profile is named or given by its ARN.
func (p profiles) RoleOf(ctx context.Context, account, profile string) (string, error) {
	found, err := p.InstanceProfile(ctx, account, arn.Name(profile))
	if errors.Is(err, ec2.ErrNoProfile) {
		return "", awserr.New("ValidationError", "Invalid IamInstanceProfile: %s", profile)
	}
	return found.RoleARN, err
}

// noNetwork is the network of the fake driver: addresses are rows, and there is
// nothing that could be filtered.
type noNetwork struct{}

func (noNetwork) Adopt(context.Context, []network.VPCState) ([]string, error) { return nil, nil }
func (noNetwork) SetVPC(context.Context, network.VPC) error                   { return nil }
func (noNetwork) DeleteVPC(context.Context, string) error                     { return nil }
func (noNetwork) SetGroup(context.Context, string, network.Group) error       { return nil }
func (noNetwork) DeleteGroup(context.Context, string, string) error           { return nil }
func (noNetwork) SetMembership(context.Context, string, []string) error       { return nil }
func (noNetwork) SetPublic(context.Context, string, netip.Addr) error         { return nil }
func (noNetwork) SetForwarding(context.Context, string, bool) error           { return nil }
func (noNetwork) DetachNode(context.Context, string) error                    { return nil }
func (noNetwork) AttachNode(context.Context, network.NIC) (*network.Node, error) {
	return nil, ec2.ErrNoDataPlane
}
