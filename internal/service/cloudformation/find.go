package cloudformation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// remembered is how long a deleted stack is shown.
const remembered = 90 * 24 * time.Hour

func forgotten(st *stack.Stack, now time.Time) bool {
	return st.Status == stack.DeleteComplete && now.Sub(st.Deleted) > remembered
}

// lookup finds a stack by name or ARN in the caller's account and region. A
// deleted stack is found by its ARN only, and not for ever. Absence is
// store.ErrNotFound.
func lookup(tx *store.Tx, c aws.Call, nameOrID string) (*stack.Stack, error) {
	if strings.HasPrefix(nameOrID, "arn:") {
		st, err := stack.Stacks.Get(tx, store.Key{Account: c.Account, Region: c.Region, ID: nameOrID})
		if err == nil && forgotten(st, tx.Now()) {
			return nil, store.ErrNotFound
		}
		return st, err
	}
	rows, err := stack.Stacks.Lookup(tx, "name", stack.NameIndex(c.Account, c.Region, nameOrID))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, store.ErrNotFound
	}
	return rows[0].Value, nil
}

// find is lookup in a transaction of its own; absent makes the error for a stack
// that does not exist.
func (s *Service) find(ctx context.Context, nameOrID *string, absent func(string) error) (*stack.Stack, error) {
	var st *stack.Stack
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		st, err = lookup(tx, aws.CallFrom(ctx), aws.Val(nameOrID))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, absent(aws.Val(nameOrID))
	}
	return st, err
}

// onStack checks the operation's action on the stack that the input names.
func onStack[I any](s *Service, name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		return s.stackChecks(ctx, aws.Val(name(in))), nil
	}
}

// stackChecks is one check on a stack; a name that nothing has is judged in the
// form the ARN would have.
func (s *Service) stackChecks(ctx context.Context, nameOrID string) []aws.Check {
	if nameOrID == "" {
		return []aws.Check{{Resource: "*"}}
	}
	if strings.HasPrefix(nameOrID, "arn:") {
		return []aws.Check{{Resource: nameOrID}}
	}
	if st, err := s.find(ctx, &nameOrID, noStack); err == nil {
		return []aws.Check{{Resource: st.ID}}
	}
	c := aws.CallFrom(ctx)
	return []aws.Check{{Resource: "arn:aws:cloudformation:" + c.Region + ":" + c.Account + ":stack/" + nameOrID + "/*"}}
}

// fromMember is onStack for the calls that helper scripts make with nothing but
// their instance's identity document (scheme CFN_V1): an instance may ask about,
// and signal, the stack that it belongs to.
func fromMember[I any](s *Service, action string, name func(*I) *string) func(context.Context, *I) ([]aws.Check, error) {
	return func(ctx context.Context, in *I) ([]aws.Check, error) {
		checks := s.stackChecks(ctx, aws.Val(name(in)))
		who := aws.CallFrom(ctx).Principal
		if who.Type != aws.PrincipalService || who.Service != instancePrincipal {
			return checks, nil
		}
		belongs, err := s.belongs(ctx, aws.Val(name(in)), who.InstanceID)
		if err != nil || !belongs {
			return checks, err // nothing allows it: denied
		}
		policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
			"Effect": "Allow", "Principal": map[string]string{"Service": instancePrincipal}, "Action": action, "Resource": checks[0].Resource}})
		checks[0].ResourcePolicy = string(policy)
		return checks, err
	}
}

// belongs reports whether an instance is a resource of a stack, or was launched for one:
// a group's instances have the tags that the group has from its stack.
func (s *Service) belongs(ctx context.Context, nameOrID, instanceID string) (bool, error) {
	c, found, id := aws.CallFrom(ctx), false, ""
	err := s.db.View(ctx, func(tx *store.Tx) error {
		st, err := lookup(tx, c, nameOrID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		id = st.ID
		rows, err := stack.Members.Lookup(tx, "physical", stack.PhysicalIndex(c.Account, c.Region, instanceID))
		for _, row := range rows {
			found = found || row.Value.StackID == st.ID
		}
		return err
	})
	if err != nil || found || id == "" || s.instances == nil {
		return found, err
	}
	return s.instances.InStack(ctx, c, instanceID, id)
}

// pageSize is how many stacks, events, resources or change sets an answer holds.
const pageSize = 100

// page cuts list at the offset that token holds.
func page[T any](list []T, token *string) ([]T, *string, error) { return pageOf(list, token, nil) }

// pageOf is page with a size that the request may give.
func pageOf[T any](list []T, token *string, size *int32) ([]T, *string, error) {
	start, err := offset(token)
	if err != nil || start > int64(len(list)) {
		return nil, nil, invalid("The token %s is not valid.", aws.Val(token))
	}
	list = list[start:]
	n := int64(pageSize)
	if size != nil {
		n = min(n, int64(*size))
	}
	if int64(len(list)) <= n {
		return list, nil, nil
	}
	return list[:n], nextToken(start + n), nil
}

// offset is the number that a token holds, 0 for none.
func offset(token *string) (int64, error) {
	if aws.Val(token) == "" {
		return 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(*token)
	var n int64
	if err == nil {
		n, err = strconv.ParseInt(string(raw), 10, 64)
	}
	if err != nil || n <= 0 {
		return 0, invalid("The token %s is not valid.", *token)
	}
	return n, nil
}

func nextToken(n int64) *string {
	return aws.Ptr(base64.RawURLEncoding.EncodeToString(strconv.AppendInt(nil, n, 10)))
}
