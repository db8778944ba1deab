package iam

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// linkedService is a service that has a role of its own in an account.
type linkedService struct {
	role, policy string
	suffix       bool // the role may have a suffix
}

const linkedPath = "/aws-service-role/"

// linkedServiceData has a line for each service: its principal, the end of its role's
// name, the policy of the role and, where the role may have one, "suffix".
//
//go:embed linked_services.txt
var linkedServiceData string

var linkedServices = sync.OnceValue(func() map[string]linkedService {
	out := map[string]linkedService{}
	for line := range strings.Lines(linkedServiceData) {
		f := strings.Fields(line)
		out[f[0]] = linkedService{role: f[1], policy: f[2], suffix: len(f) > 3}
	}
	return out
})

// deletion is the deletion of a service-linked role, which IAM answers for by its
// task id. It is done when the row is written.
type deletion struct {
	Role string    `json:"role"`
	At   time.Time `json:"at"`
}

var deletions = store.Table[deletion]{Name: "iam.deletion", Version: 1, Indexes: []store.Index[deletion]{
	store.TimeIndex("at", func(d *deletion) time.Time { return d.At }),
}}

// keepDeletions is how long a deletion is answered for.
const keepDeletions = 30 * 24 * time.Hour

// Aging returns what removes old deletions of service-linked roles, until its ctx ends.
func (s *Service) Aging() []func(context.Context) error {
	return []func(context.Context) error{
		func(ctx context.Context) error { return deletions.Expire(ctx, s.db, "at", keepDeletions, nil) },
	}
}

// linkedRoleName is the name that a service's role gets.
func linkedRoleName(service string, suffix *string) (string, linkedService, error) {
	linked, known := linkedServices()[service]
	switch {
	case !known:
		return "", linked, invalidInput("hardstand knows no service-linked role of %s.", service)
	case suffix != nil && !linked.suffix:
		return "", linked, invalidInput("Custom suffix is not allowed for %s", service)
	case suffix != nil:
		return "AWSServiceRoleFor" + linked.role + "_" + *suffix, linked, nil
	}
	return "AWSServiceRoleFor" + linked.role, linked, nil
}

// CreateServiceLinkedRole makes the role that only the service may assume and only
// the service's policy describes.
func (s *Service) CreateServiceLinkedRole(ctx context.Context, in *api.CreateServiceLinkedRoleInput) (*api.CreateServiceLinkedRoleOutput, error) {
	service := *in.AWSServiceName
	name, linked, err := linkedRoleName(service, in.CustomSuffix)
	if err != nil {
		return nil, err
	}
	e := &entity{Kind: roleKind, Name: name, Path: linkedPath + service + "/", Linked: service, Description: in.Description, MaxSession: defaultMaxSession,
		Attached: []string{"arn:aws:iam::aws:policy" + linkedPath + linked.policy},
		Trust:    `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`}
	e, err = s.createEntity(ctx, e)
	if awserr.Is(err, "EntityAlreadyExists") {
		return nil, invalidInput("Service role name %s has been taken in this account, please try a different suffix.", name)
	}
	if err != nil {
		return nil, err
	}
	return &api.CreateServiceLinkedRoleOutput{Role: newRoleOut(accountOf(ctx), e)}, nil
}

// DeleteServiceLinkedRole deletes such a role with its policy.
func (s *Service) DeleteServiceLinkedRole(ctx context.Context, in *api.DeleteServiceLinkedRoleInput) (*api.DeleteServiceLinkedRoleOutput, error) {
	account, task := accountOf(ctx), ""
	err := s.change(ctx, func(tx *store.Tx) (string, error) {
		e, err := getEntity(tx, account, roleKind, *in.RoleName)
		if err != nil {
			return "", err
		}
		if e.Linked == "" {
			return "", invalidInput("Role %s is not a service-linked role.", e.Name)
		}
		task = "task" + e.Path + e.Name + "/" + ids.UUID()
		if err := deletions.Insert(tx, store.Key{Account: account, ID: task}, &deletion{e.Name, s.clock.Now().UTC()}); err != nil {
			return "", err
		}
		if err := forgetUse(tx, e.ID); err != nil {
			return "", err
		}
		return e.arn(account), entities.Delete(tx, entityKey(account, roleKind, e.Name))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteServiceLinkedRoleOutput{DeletionTaskId: &task}, nil
}

// GetServiceLinkedRoleDeletionStatus tells how a deletion ended.
func (s *Service) GetServiceLinkedRoleDeletionStatus(ctx context.Context, in *api.GetServiceLinkedRoleDeletionStatusInput) (*api.GetServiceLinkedRoleDeletionStatusOutput, error) {
	_, err := view(ctx, s, func(tx *store.Tx) (*deletion, error) {
		return deletions.Get(tx, store.Key{Account: accountOf(ctx), ID: *in.DeletionTaskId})
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuch("The deletion task %s cannot be found.", *in.DeletionTaskId)
	}
	return &api.GetServiceLinkedRoleDeletionStatusOutput{Status: "SUCCEEDED"}, err
}

// ownRole refuses to change a role that belongs to a service.
func ownRole(e *entity) error {
	if e.Linked == "" {
		return nil
	}
	return awserr.New("UnmodifiableEntity", "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", e.Name)
}

// onLinkedRole is the role that CreateServiceLinkedRole would make.
func onLinkedRole(ctx context.Context, in any) (aws.Check, error) {
	service := member(in, "AWSServiceName")
	var suffix *string
	if v := member(in, "CustomSuffix"); v != "" {
		suffix = &v
	}
	name, _, err := linkedRoleName(service, suffix)
	if err != nil {
		name = "AWSServiceRoleFor*" //nolint:wastedassign // the operation itself says why it refuses
	}
	return aws.Check{Resource: iamARN(accountOf(ctx), roleKind, linkedPath+service+"/", name),
		Context: map[string][]string{"iam:AWSServiceName": {service}}}, nil
}

// onDeletion is the role of a deletion task: task/aws-service-role/<service>/<role>/<id>.
func onDeletion(ctx context.Context, in any) (aws.Check, error) {
	name := strings.TrimPrefix(member(in, "DeletionTaskId"), "task/")
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		name = name[:i]
	}
	return aws.Check{Resource: iamARN(accountOf(ctx), roleKind, "/", name)}, nil
}
