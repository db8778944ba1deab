package cloudformation

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

func noStackSet(name string) error {
	return awserr.Status(http.StatusNotFound, "StackSetNotFoundException", "StackSet %s not found", name)
}

// lookupSet finds a set by name or id; a deleted one by its id only.
func lookupSet(tx *store.Tx, c aws.Call, nameOrID string) (*stackSet, error) {
	if strings.Contains(nameOrID, ":") {
		id := nameOrID[strings.LastIndex(nameOrID, "/")+1:]
		s, err := stackSets.Get(tx, store.Key{Account: c.Account, Region: c.Region, ID: id})
		if errors.Is(err, store.ErrNotFound) {
			return nil, noStackSet(nameOrID)
		}
		return s, err
	}
	rows, err := stackSets.Lookup(tx, "name", stack.NameIndex(c.Account, c.Region, nameOrID))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, noStackSet(nameOrID)
	}
	return rows[0].Value, nil
}

// set is lookupSet in a transaction of its own.
func (s *Service) set(ctx context.Context, nameOrID *string) (set *stackSet, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		set, err = lookupSet(tx, aws.CallFrom(ctx), aws.Val(nameOrID))
		return err
	})
	return set, err
}

// instancesOf returns a set's instances, by account and region.
func instancesOf(tx *store.Tx, setID string) ([]*stackInstance, error) {
	rows, err := stackInstances.Lookup(tx, "set", setID)
	if err != nil {
		return nil, err
	}
	out := make([]*stackInstance, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	slices.SortFunc(out, func(a, b *stackInstance) int {
		return strings.Compare(a.Account+"/"+a.Region, b.Account+"/"+b.Region)
	})
	return out, nil
}

// operationsOf returns a set's operations, the newest first.
func operationsOf(tx *store.Tx, setID string) ([]*setOperation, error) {
	rows, err := setOperations.Lookup(tx, "set", setID)
	if err != nil {
		return nil, err
	}
	out := make([]*setOperation, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	slices.SortFunc(out, func(a, b *setOperation) int { return b.Number - a.Number })
	return out, nil
}

func (s *Service) setOperation(ctx context.Context, setName, id *string) (set *stackSet, op *setOperation, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if set, err = lookupSet(tx, aws.CallFrom(ctx), aws.Val(setName)); err != nil {
			return err
		}
		op, err = setOperations.Get(tx, set.operationKey(aws.Val(id)))
		if errors.Is(err, store.ErrNotFound) {
			return awserr.Status(http.StatusNotFound, "OperationNotFoundException", "Operation %s not found", aws.Val(id))
		}
		return err
	})
	return set, op, err
}

func (s *Service) instance(ctx context.Context, setName, account, region *string) (set *stackSet, i *stackInstance, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if set, err = lookupSet(tx, aws.CallFrom(ctx), aws.Val(setName)); err != nil {
			return err
		}
		t := target{aws.Val(account), aws.Val(region)}
		i, err = stackInstances.Get(tx, set.instanceKey(t))
		if errors.Is(err, store.ErrNotFound) {
			return noInstance(set, t)
		}
		return err
	})
	return set, i, err
}

func noInstance(set *stackSet, t target) error {
	return awserr.Status(http.StatusNotFound, "StackInstanceNotFoundException", "Stack instance for stack set %s, account %s and region %s not found", set.ID, t.Account, t.Region)
}

// onSet checks the operation's action on the stack set that the input names.
func onSet[I any](s *Service, name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) { return s.setChecks(ctx, aws.Val(name(in))), nil }
}

func (s *Service) setChecks(ctx context.Context, nameOrID string) []aws.Check {
	c := aws.CallFrom(ctx)
	id, tags := nameOrID, map[string][]string{}
	if set, err := s.set(ctx, &nameOrID); err == nil {
		id = set.ID
		for k, v := range set.Spec.Tags {
			tags["aws:ResourceTag/"+k] = []string{v}
		}
	} else if !strings.Contains(nameOrID, ":") {
		id += ":*"
	}
	return []aws.Check{{Resource: "arn:aws:cloudformation:" + c.Region + ":" + c.Account + ":stackset/" + id, Context: tags}}
}

// asSelf refuses to act for an organization: accounts here have none.
func asSelf(callAs api.CallAs) error {
	if callAs == api.CallAsDelegatedAdmin {
		return invalid("Account used is not a delegated administrator")
	}
	return nil
}
