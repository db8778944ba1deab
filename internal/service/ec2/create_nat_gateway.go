package ec2

import (
	"context"
	"net/netip"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// natOwner is who manages the interfaces of NAT gateways.
const natOwner = "ec2.amazonaws.com"

// CreateNatGateway makes a NAT gateway. As on EC2, one that cannot work is made, too,
// in state failed, with the reason.
func (s *Service) CreateNatGateway(ctx context.Context, in *api.CreateNatGatewayInput) (*api.CreateNatGatewayOutput, error) {
	c := aws.CallFrom(ctx)
	g, address, err := wantedNAT(c, in)
	if err != nil {
		return nil, err
	}
	made := g
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		earlier, err := madeWith(tx, c, &natGateways, g.Token, g.Hash, func(g *natGateway) string { return g.Hash })
		if earlier != nil || err != nil {
			made = earlier
			return err
		}
		return s.insertNAT(tx, c, g, address)
	})
	if err != nil {
		return nil, err
	}
	shown := apiNAT(*made)
	if made == g {
		// Whoever waits for it describes it.
		shown.State, shown.FailureCode, shown.FailureMessage, shown.DeleteTime = "pending", nil, nil, nil
	}
	return &api.CreateNatGatewayOutput{NatGateway: &shown, ClientToken: in.ClientToken}, nil
}

// wantedNAT judges the request without looking at stored state; it also returns the
// private address that it asks for, if any.
func wantedNAT(c aws.Call, in *api.CreateNatGatewayInput) (*natGateway, netip.Addr, error) {
	err := refuse(
		asked{"AvailabilityMode=regional", in.AvailabilityMode != "" && in.AvailabilityMode != "zonal"},
		asked{"VpcId", in.VpcId != nil},
		asked{"AvailabilityZoneAddresses", len(in.AvailabilityZoneAddresses) > 0},
		asked{"SecondaryAllocationIds", len(in.SecondaryAllocationIds) > 0},
		asked{"SecondaryPrivateIpAddresses", len(in.SecondaryPrivateIpAddresses) > 0 || aws.Val(in.SecondaryPrivateIpAddressCount) > 0},
	)
	if err != nil {
		return nil, noAddr, err
	}
	if aws.Val(in.SubnetId) == "" {
		return nil, noAddr, missing("subnetId")
	}
	g := &natGateway{ID: ids.Resource("nat"), Subnet: *in.SubnetId, Allocation: aws.Val(in.AllocationId), State: natAvailable}
	switch in.ConnectivityType {
	case "", "public":
		if g.Allocation == "" {
			return nil, noAddr, awserr.New("MissingParameter", "The request must include the AllocationId parameter. Add the required parameter and retry the request.")
		}
	case "private":
		if g.Private = true; g.Allocation != "" {
			return nil, noAddr, awserr.New("InvalidParameterCombination", "The parameter AllocationId cannot be used with the connectivity type private.")
		}
	default:
		return nil, noAddr, invalidValue(string(in.ConnectivityType), "connectivityType")
	}
	address, err := primaryAddress(in.PrivateIpAddress, nil)
	if err != nil {
		return nil, noAddr, err
	}
	if g.Tags, err = newTags(c, in.TagSpecifications, "natgateway"); err != nil {
		return nil, noAddr, err
	}
	copied := *in
	copied.ClientToken, copied.DryRun = nil, nil
	g.Token, g.Hash, err = creationToken(c, in.ClientToken, copied)
	return g, address, err
}

func (s *Service) insertNAT(tx *store.Tx, c aws.Call, g *natGateway, private netip.Addr) error {
	v, sub, err := vpcOfSubnet(tx, c, g.Subnet)
	if err != nil {
		return awserr.New("InvalidSubnet", "Subnet %s was not found", g.Subnet)
	}
	var a *address
	if !g.Private {
		if a, err = findAddress(tx, c, &g.Allocation, nil); err != nil {
			return err
		}
	}
	g.VPC, g.Zone, g.Created = v.ID, sub.Zone, s.clock.Now().UTC()
	switch {
	case a != nil && v.InternetGateway == "":
		s.failNAT(g, "Gateway.NotAttached", "Network "+v.ID+" has no Internet gateway attached")
	case a != nil && a.bound():
		s.failNAT(g, "Resource.AlreadyAssociated", "Elastic IP address "+a.AllocationID+" is already associated")
	default:
		if err := s.connectNAT(tx, c, v, sub, g, a, private); err != nil {
			return err
		}
	}
	emitPart(tx, c, g.ID, "nat-gateway-created")
	return natGateways.Insert(tx, key(c, g.ID), g)
}

func (s *Service) failNAT(g *natGateway, code, message string) {
	g.State, g.FailureCode, g.FailureMessage, g.Ended = natFailed, code, message, g.Created
}

// connectNAT makes the gateway's interface and gives it its elastic address.
func (s *Service) connectNAT(tx *store.Tx, c aws.Call, v *vpc, sub *subnet, g *natGateway, a *address, private netip.Addr) error {
	row := &networkInterface{Kind: "nat_gateway", Requester: natOwner, Device: 1, AttachedAt: g.Created}
	row.NIC.ID, row.NIC.AttachmentID, row.NIC.Keep = ids.Resource("eni"), ids.Resource("ela-attach"), true
	row.NIC.Description = "Interface for NAT Gateway " + g.ID
	if err := s.placeInterface(tx, v, sub, row, private); err != nil {
		return err
	}
	if err := interfaces.Insert(tx, key(c, row.NIC.ID), row); err != nil {
		return err
	}
	if a != nil {
		a.BindToken, a.Former = c.Token, nil
		if err := bind(tx, c, a, heldRow(row), ids.Resource("eipassoc")); err != nil {
			return err
		}
	}
	g.Interface, g.Address = row.NIC.ID, row.NIC.Private
	g.Public, g.Association = row.NIC.Public, row.NIC.Association
	return nil
}
