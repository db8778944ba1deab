package ec2

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// groupText is what EC2 takes in names and descriptions of groups in a VPC.
var groupText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

const groupTextWords = "Character sets beyond ASCII are not supported. Valid characters are a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*"

// CreateSecurityGroup makes a group in the default VPC, or in the one named, that
// lets nothing in and everything out.
func (s *Service) CreateSecurityGroup(ctx context.Context, in *api.CreateSecurityGroupInput) (*api.CreateSecurityGroupOutput, error) {
	c := aws.CallFrom(ctx)
	name, desc := aws.Val(in.GroupName), aws.Val(in.Description)
	if err := checkGroupText(name, desc); err != nil {
		return nil, err
	}
	if err := reservedSpecs(c, in.TagSpecifications); err != nil {
		return nil, err
	}
	tags, err := tagSpec(in.TagSpecifications, "security-group")
	if err != nil {
		return nil, err
	}
	g := &securityGroup{ID: ids.Resource("sg"), Name: name, Description: desc, Tags: tags, Token: c.Token, Rules: []groupRule{allEgress()}}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		return insertGroup(tx, c, g, aws.Val(in.VpcId))
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateSecurityGroupOutput{GroupId: aws.Ptr(g.ID), SecurityGroupArn: aws.Ptr(groupARN(c, g.ID))}
	if len(g.Tags) > 0 {
		out.Tags = apiTags(g.Tags)
	}
	return out, nil
}

func checkGroupText(name, desc string) error {
	switch {
	case name == "":
		return missing("GroupName")
	case desc == "":
		return missing("GroupDescription")
	case !groupText.MatchString(name):
		return awserr.New("InvalidParameterValue", "Value (%s) for parameter GroupName is invalid. %s", name, groupTextWords)
	case strings.HasPrefix(strings.ToLower(name), "sg-"):
		return awserr.New("InvalidParameterValue", "Value (%s) for parameter groupName is invalid. Group names may not be in the format sg-*.", name)
	case !groupText.MatchString(desc):
		return awserr.New("InvalidParameterValue", "Value (%s) for parameter GroupDescription is invalid. %s", desc, groupTextWords)
	}
	return nil
}

// insertGroup stores g; a group that the same token made before is returned in
// its place.
func insertGroup(tx *store.Tx, c aws.Call, g *securityGroup, vpcID string) error {
	if g.Token != "" {
		rows, err := securityGroups.Lookup(tx, "token", scoped(key(c, ""), g.Token))
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			*g = *rows[0].Value
			return nil
		}
	}
	v, err := vpcByID(tx, c, vpcID)
	if err != nil {
		return err
	}
	g.VPC = v.ID
	err = securityGroups.Insert(tx, key(c, g.ID), g)
	if errors.Is(err, store.ErrExists) {
		return awserr.New("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", g.Name, v.ID)
	}
	return err
}

func groupARN(c aws.Call, id string) string {
	return ec2ARN(c, "security-group/"+id)
}

// vpcByID returns the VPC of id, the default one when id is empty.
func vpcByID(tx *store.Tx, c aws.Call, id string) (*vpc, error) {
	v, err := ensureDefaultVPC(tx, c)
	if id == "" || err != nil && !awserr.Is(err, "VPCIdNotSpecified") {
		return v, err
	}
	return getVPC(tx, c, id)
}

// DeleteSecurityGroup removes a group that nothing refers to.
func (s *Service) DeleteSecurityGroup(ctx context.Context, in *api.DeleteSecurityGroupInput) (*api.DeleteSecurityGroupOutput, error) {
	c := aws.CallFrom(ctx)
	var gone *securityGroup
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		g, err := findGroup(tx, c, in.GroupId, in.GroupName)
		if err != nil {
			return err
		}
		if err := groupUnused(tx, g); err != nil {
			return err
		}
		gone = g
		return securityGroups.Delete(tx, key(c, g.ID))
	})
	if err != nil {
		return nil, err
	}
	s.pushing.Lock()
	defer s.pushing.Unlock()
	if err := s.net.DeleteGroup(ctx, gone.VPC, gone.ID); err != nil {
		return nil, fmt.Errorf("remove the rules of %s: %w", gone.ID, err)
	}
	return &api.DeleteSecurityGroupOutput{Return: aws.Ptr(true), GroupId: aws.Ptr(gone.ID)}, nil
}

func groupUnused(tx *store.Tx, g *securityGroup) error {
	if g.Name == "default" {
		return awserr.New("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", g.ID)
	}
	used, err := interfacesIn(tx, "group", g.ID)
	if err != nil {
		return err
	}
	if used == 0 {
		peers, err := securityGroups.Lookup(tx, "peer", g.ID)
		if err != nil {
			return err
		}
		if len(peers) == 0 {
			return nil
		}
	}
	return awserr.New("DependencyViolation", "resource %s has a dependent object", g.ID)
}

// findGroup returns the group by id or, in the default VPC, by name.
func findGroup(tx *store.Tx, c aws.Call, id, name *string) (*securityGroup, error) {
	if aws.Val(id) != "" {
		return groupByID(tx, c, *id)
	}
	if aws.Val(name) == "" {
		return nil, awserr.New("MissingParameter", "The request must contain the parameter GroupId or GroupName")
	}
	v, err := ensureDefaultVPC(tx, c)
	if err != nil {
		return nil, err
	}
	return groupByName(tx, v, *name)
}

func groupByID(tx *store.Tx, c aws.Call, id string) (*securityGroup, error) {
	if !strings.HasPrefix(id, "sg-") {
		return nil, awserr.New("InvalidGroupId.Malformed", "Invalid id: \"%s\" (expecting \"sg-...\")", id)
	}
	g, err := securityGroups.Get(tx, key(c, id))
	if isNotFound(err) {
		return nil, awserr.New("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	}
	return g, err
}

func groupByName(tx *store.Tx, v *vpc, name string) (*securityGroup, error) {
	rows, err := securityGroups.Lookup(tx, "name", v.ID+"/"+name)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, awserr.New("InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC '%s'", name, v.ID)
	}
	return rows[0].Value, nil
}

// resolveGroups turns what RunInstances names into group ids; nothing named means
// the VPC's default group.
func resolveGroups(tx *store.Tx, c aws.Call, v *vpc, subnetID string, byID, byName []string) ([]string, error) {
	var out []string
	for _, id := range byID {
		g, err := groupByID(tx, c, id)
		if err != nil {
			return nil, err
		}
		if g.VPC != v.ID {
			return nil, awserr.New("InvalidParameter", "Security group %s and subnet %s belong to different networks.", id, subnetID)
		}
		out = append(out, g.ID)
	}
	for _, name := range byName {
		g, err := groupByName(tx, v, name)
		if awserr.Is(err, "InvalidGroup.NotFound") && strings.HasPrefix(name, "sg-") {
			g, err = groupByID(tx, c, name)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, g.ID)
	}
	if out == nil {
		out = []string{v.DefaultGroup}
	}
	return out, nil
}

// groupChecks asks for the operation's action on the group that is named by id or
// by name.
func (s *Service) groupChecks(ctx context.Context, id, name *string) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	g := &securityGroup{ID: orAny(aws.Val(id))}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		var found *securityGroup
		var err error
		switch {
		case aws.Val(id) != "":
			found, err = securityGroups.Get(tx, key(c, *id))
		case aws.Val(name) != "":
			found, err = groupInDefaultVPC(tx, c, *name)
		default:
			return nil
		}
		if isNotFound(err) {
			return nil
		}
		if err == nil {
			g = found
		}
		return err
	})
	return []aws.Check{{Resource: groupARN(c, g.ID)}}, err
}

func (s *Service) createGroupChecks(ctx context.Context, in *api.CreateSecurityGroupInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	checks := []aws.Check{
		{Resource: groupARN(c, "*"), Context: requestTagContext(in.TagSpecifications, "security-group")},
		{Resource: ec2ARN(c, "vpc/"+orAny(aws.Val(in.VpcId)))},
	}
	return append(checks, createTagsChecks(c, "CreateSecurityGroup", in.TagSpecifications)...), nil
}
