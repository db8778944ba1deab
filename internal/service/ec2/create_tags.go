package ec2

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// taggable describes how to reach the tags behind an id.
type taggable struct {
	kind string // the resource type: "instance"
	code string // the stem of the not-found code
	word string
	// edit loads the row of id, applies f to its tags and stores it.
	edit func(tx *store.Tx, c aws.Call, id string, f func(map[string]string) (map[string]string, error)) error
}

// taggables are the resources that carry tags, by id prefix.
var taggables = map[string]taggable{
	"i":        {"instance", "InvalidInstanceID", "instance ID", editInstanceTags},
	"sg":       {"security-group", "InvalidGroup", "security group", editGroupTags},
	"key":      {"key-pair", "InvalidKeyPair", "key pair", editKeyTags},
	"eipalloc": {"elastic-ip", "InvalidAllocationID", "allocation ID", editAddressTags},
	"vpc":      {"vpc", "InvalidVpcID", "vpc ID", editVPCTags},
	"subnet":   {"subnet", "InvalidSubnetID", "subnet ID", editVPCTags},
	"igw":      {"internet-gateway", "InvalidInternetGatewayID", "internetGateway ID", editVPCTags},
	"rtb":      {"route-table", "InvalidRouteTableID", "routeTable ID", editVPCTags},
	"acl":      {"network-acl", "InvalidNetworkAclID", "networkAcl ID", editVPCTags},
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

func (s *Service) editTags(ctx context.Context, c aws.Call, resources []string, f func(map[string]string) (map[string]string, error)) error {
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

// tagChecks asks for the operation's action on each resource, with the tags it has
// and those in the request.
func (s *Service) tagChecks(ctx context.Context, resources []string, tags []api.Tag) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	out := make([]aws.Check, 0, len(resources))
	for _, id := range resources {
		t, err := taggableOf(id)
		if err != nil {
			return nil, err
		}
		own, err := s.tagsOf(ctx, c, t, id)
		if err != nil {
			return nil, err
		}
		cond := resourceTagContext(c, own)
		for _, tag := range tags {
			cond["aws:RequestTag/"+aws.Val(tag.Key)] = []string{aws.Val(tag.Value)}
			cond["aws:TagKeys"] = append(cond["aws:TagKeys"], aws.Val(tag.Key))
		}
		out = append(out, aws.Check{Resource: arn.New("ec2", c.Region, c.Account, t.kind+"/"+id), Context: cond})
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

func editInstanceTags(tx *store.Tx, c aws.Call, id string, f func(map[string]string) (map[string]string, error)) error {
	r, err := instances.Get(tx, key(c, id))
	if err != nil {
		return err
	}
	if r.Tags, err = f(r.Tags); err != nil {
		return err
	}
	return instances.Put(tx, key(c, id), r)
}

func editGroupTags(tx *store.Tx, c aws.Call, id string, f func(map[string]string) (map[string]string, error)) error {
	r, err := securityGroups.Get(tx, key(c, id))
	if err != nil {
		return err
	}
	if r.Tags, err = f(r.Tags); err != nil {
		return err
	}
	return securityGroups.Put(tx, key(c, id), r)
}

func editKeyTags(tx *store.Tx, c aws.Call, id string, f func(map[string]string) (map[string]string, error)) error {
	r, err := keyPairs.Get(tx, key(c, id))
	if err != nil {
		return err
	}
	if r.Tags, err = f(r.Tags); err != nil {
		return err
	}
	return keyPairs.Put(tx, key(c, id), r)
}

func editAddressTags(tx *store.Tx, c aws.Call, id string, f func(map[string]string) (map[string]string, error)) error {
	r, err := addresses.Get(tx, key(c, id))
	if err != nil {
		return err
	}
	if r.Tags, err = f(r.Tags); err != nil {
		return err
	}
	return addresses.Put(tx, key(c, id), r)
}

// editVPCTags serves the VPC and all that belongs to it.
func editVPCTags(tx *store.Tx, c aws.Call, id string, f func(map[string]string) (map[string]string, error)) error {
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

func (v *vpc) owns(id string) bool {
	return id == v.ID || id == v.InternetGateway || id == v.MainRouteTable || id == v.NACL || v.subnet(id) != nil
}
