package ec2

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// tagEdit returns the tags that a resource is to have in place of those given.
type tagEdit func(map[string]string) (map[string]string, error)

// taggable describes how to reach the tags behind an id.
type taggable struct {
	kind string // the resource type: "instance"
	code string // the stem of the not-found code
	word string
	// edit loads the row of id, applies f to its tags and stores it.
	edit func(tx *store.Tx, c aws.Call, id string, f tagEdit) error
}

// taggables are the resources that carry tags, by id prefix.
var taggables = map[string]taggable{
	"i":        {"instance", "InvalidInstanceID", "instance ID", rowTags(&instances, func(r *instance) *map[string]string { return &r.Tags })},
	"vol":      {"volume", "InvalidVolume", "volume", editVolumeTags},
	"eni":      {"network-interface", "InvalidNetworkInterfaceID", "networkInterface ID", editInterfaceTags},
	"sg":       {"security-group", "InvalidGroup", "security group", rowTags(&securityGroups, func(r *securityGroup) *map[string]string { return &r.Tags })},
	"sgr":      {"security-group-rule", "InvalidSecurityGroupRuleId", "security group rule ID", editRuleTags},
	"key":      {"key-pair", "InvalidKeyPair", "key pair", rowTags(&keyPairs, func(r *keyPair) *map[string]string { return &r.Tags })},
	"eipalloc": {"elastic-ip", "InvalidAllocationID", "allocation ID", rowTags(&addresses, func(r *address) *map[string]string { return &r.Tags })},
	"vpc":      {"vpc", "InvalidVpcID", "vpc ID", editVPCTags},
	"subnet":   {"subnet", "InvalidSubnetID", "subnet ID", editVPCTags},
	"igw":      {"internet-gateway", "InvalidInternetGatewayID", "internetGateway ID", rowTags(&gateways, func(r *gateway) *map[string]string { return &r.Tags })},
	"nat":      {"natgateway", "NatGateway", "NAT gateway ID", rowTags(&natGateways, func(r *natGateway) *map[string]string { return &r.Tags })},
	"rtb":      {"route-table", "InvalidRouteTableID", "routeTable ID", editVPCTags},
	"acl":      {"network-acl", "InvalidNetworkAclID", "networkAcl ID", editVPCTags},
	"vpce":     {"vpc-endpoint", "InvalidVpcEndpointId", "Vpc Endpoint Id", editVPCTags},
	"lt":       {"launch-template", "InvalidLaunchTemplateId", "launch template ID", rowTags(&launchTemplates, func(r *launchTemplate) *map[string]string { return &r.Tags })},
	"dopt":     {"dhcp-options", "InvalidDhcpOptionID", "dhcpOption ID", editVPCTags},
}

func taggableOf(id string) (taggable, error) {
	prefix, _, _ := strings.Cut(id, "-")
	t, ok := taggables[prefix]
	if !ok {
		return t, awserr.New("InvalidID", "The ID '%s' is not valid", id)
	}
	return t, nil
}

// CreateTags sets tags on resources of any kind, all or none.
func (s *Service) CreateTags(ctx context.Context, in *api.CreateTagsInput) (*api.CreateTagsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := reservedTags(c, in.Tags); err != nil {
		return nil, err
	}
	err := s.editTags(ctx, c, in.Resources, func(tags map[string]string) (map[string]string, error) {
		if tags == nil {
			tags = map[string]string{}
		}
		return tags, mergeTags(tags, in.Tags)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateTagsOutput{}, nil
}

// DeleteTags removes tags: a tag with a value only when it has that value, and
// all of a caller's own tags when none is named.
func (s *Service) DeleteTags(ctx context.Context, in *api.DeleteTagsInput) (*api.DeleteTagsOutput, error) {
	c := aws.CallFrom(ctx)
	if err := reservedTags(c, in.Tags); err != nil {
		return nil, err
	}
	err := s.editTags(ctx, c, in.Resources, func(tags map[string]string) (map[string]string, error) {
		if len(in.Tags) == 0 {
			for k := range tags {
				if !strings.HasPrefix(k, "aws:") {
					delete(tags, k)
				}
			}
		}
		for _, t := range in.Tags {
			if v, ok := tags[aws.Val(t.Key)]; ok && (t.Value == nil || *t.Value == v) {
				delete(tags, aws.Val(t.Key))
			}
		}
		return tags, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteTagsOutput{}, nil
}

func (s *Service) editTags(ctx context.Context, c aws.Call, resources []string, f tagEdit) error {
	if len(resources) == 0 {
		return missing("resourceIdSet")
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		for _, id := range resources {
			t, err := taggableOf(id)
			if err != nil {
				return err
			}
			err = t.edit(tx, c, id, f)
			if errors.Is(err, store.ErrNotFound) {
				return notFound(t.code, t.word, id)
			}
			if err != nil {
				return err
			}
			tx.Emit(store.Event{Account: c.Account, Region: c.Region, Service: "ec2", Resource: id, Kind: "tags", RequestID: c.RequestID})
		}
		return nil
	})
}

// tagChecks asks for the operation's action on each resource.
func tagChecks(ctx context.Context, resources []string) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	out := make([]aws.Check, 0, len(resources))
	for _, id := range resources {
		t, err := taggableOf(id)
		if err != nil {
			return nil, err
		}
		out = append(out, aws.Check{Resource: ec2ARN(c, t.kind+"/"+id)})
	}
	return out, nil
}

var errReadOnly = errors.New("read only")

// tagsOf reads the tags of a resource; one that does not exist has none.
func (s *Service) tagsOf(ctx context.Context, c aws.Call, t taggable, id string) (map[string]string, error) {
	var own map[string]string
	err := s.db.View(ctx, func(tx *store.Tx) error {
		return t.edit(tx, c, id, func(tags map[string]string) (map[string]string, error) {
			own = tags
			return nil, errReadOnly
		})
	})
	if err == nil || errors.Is(err, errReadOnly) || errors.Is(err, store.ErrNotFound) {
		return own, nil
	}
	return nil, fmt.Errorf("tags of %s: %w", id, err)
}

// rowTags edits the tags of what has a row of its own under its id.
func rowTags[T any](table *store.Table[T], tags func(*T) *map[string]string) func(*store.Tx, aws.Call, string, tagEdit) error {
	return func(tx *store.Tx, c aws.Call, id string, f tagEdit) error {
		r, err := table.Get(tx, key(c, id))
		if err != nil {
			return err
		}
		own := tags(r)
		if *own, err = f(*own); err != nil {
			return err
		}
		return table.Put(tx, key(c, id), r)
	}
}

// editInterfaceTags serves interfaces, wherever they are kept.
func editInterfaceTags(tx *store.Tx, c aws.Call, id string, f tagEdit) error {
	h, err := findInterface(tx, c, id)
	if awserr.As(err) != nil {
		return store.ErrNotFound
	}
	if err != nil {
		return err
	}
	if h.Tags, err = f(h.Tags); err != nil {
		return err
	}
	return h.save(tx, c)
}

// editVolumeTags serves the volume of an instance.
func editVolumeTags(tx *store.Tx, c aws.Call, id string, f tagEdit) error {
	rows, err := instances.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Value.Root.ID != id || r.Value.State == stateTerminated {
			continue
		}
		if r.Value.Root.Tags, err = f(r.Value.Root.Tags); err != nil {
			return err
		}
		return instances.Put(tx, r.Key, r.Value)
	}
	return store.ErrNotFound
}

func editRuleTags(tx *store.Tx, c aws.Call, id string, f tagEdit) error {
	rows, err := securityGroups.Lookup(tx, "rule", id)
	if err != nil {
		return err
	}
	if len(rows) == 0 || rows[0].Key.Account != c.Account || rows[0].Key.Region != c.Region {
		return store.ErrNotFound
	}
	g := rows[0].Value
	i := slices.IndexFunc(g.Rules, func(r groupRule) bool { return r.ID == id })
	if g.Rules[i].Tags, err = f(g.Rules[i].Tags); err != nil {
		return err
	}
	return securityGroups.Put(tx, rows[0].Key, g)
}

// editVPCTags serves the VPC and all that belongs to it.
func editVPCTags(tx *store.Tx, c aws.Call, id string, f tagEdit) error {
	rows, err := vpcs.List(tx, store.Scope{Account: c.Account, Region: c.Region}, "", 0)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !r.Value.owns(id) {
			continue
		}
		tags, err := f(r.Value.Tags[id])
		if err != nil {
			return err
		}
		if r.Value.Tags == nil {
			r.Value.Tags = map[string]map[string]string{}
		}
		r.Value.Tags[id] = tags
		return vpcs.Put(tx, r.Key, r.Value)
	}
	return store.ErrNotFound
}
