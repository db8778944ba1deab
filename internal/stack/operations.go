package stack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// ErrBusy is a stack whose status does not allow the operation.
var ErrBusy = errors.New("the stack's status does not allow this")

// Begin is what an operation on a stack starts with. The caller has judged it:
// the template is sound, parameters are resolved, capabilities given.
type Begin struct {
	Caller             aws.Principal
	RoleARN            string
	Operation          string // CreateStack
	RequestID          string
	Token, Digest      string
	ChangeSetID        string
	OnFailure          string // ROLLBACK when empty
	DisableRollback    bool
	Express            bool
	RetainExcept       bool // RetainExceptOnCreate
	Retain             []string
	Force              bool     // a deletion that ends in any case
	Skip               []string // resources that a rollback leaves alone
	Imports            map[string]string
	Spec               *Spec
	TimeoutInMinutes   int32
	Protect            bool
	Policy             string
	PolicyDuringUpdate string
	StackID, StackName string
	Account, Region    string
	Parent, Root       string // of a nested stack
	// With, when set, runs in the transaction that begins the operation.
	With func(*store.Tx, *Stack) error
}

func (b *Begin) with(tx *store.Tx, s *Stack) error {
	if b.With == nil {
		return nil
	}
	return b.With(tx, s)
}

// NewStackID returns the ARN of a stack that is to be.
func NewStackID(region, account, name string) string {
	return fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", region, account, name, ids.UUID())
}

// recentOperations is how many of its operations a stack is found by.
const recentOperations = 20

// begin copies what all operations share into the row.
func (s *Stack) begin(b *Begin) {
	if settled(s.Status) {
		s.Base = s.Operation
	}
	s.Operation++
	s.OperationID = ids.UUID()
	s.Recent = append(s.Recent[max(0, len(s.Recent)-recentOperations+1):], s.OperationID)
	s.Caller, s.OperationName, s.RequestID = b.Caller, b.Operation, b.RequestID
	s.RequestToken, s.RequestDigest, s.ChangeSetID = b.Token, b.Digest, b.ChangeSetID
	s.OnFailure, s.DisableRollback, s.RetainExceptOnCreate = b.OnFailure, b.DisableRollback, b.RetainExcept
	s.Express, s.MonitorUntil = b.Express, time.Time{}
	s.RetainResources, s.PolicyDuringUpdate = b.Retain, b.PolicyDuringUpdate
	s.Skip, s.Force, s.Imports = b.Skip, b.Force, b.Imports
	if b.RoleARN != "" {
		s.RoleARN = b.RoleARN
	}
}

// Create commits a stack, CREATE_IN_PROGRESS, and starts on it. store.ErrExists
// means that the name is taken.
func (e *Engine) Create(ctx context.Context, b Begin) (*Stack, error) {
	return e.insert(ctx, b, CreateInProgress)
}

// Review commits a stack that waits for its first change set, REVIEW_IN_PROGRESS.
func (e *Engine) Review(ctx context.Context, b Begin) (*Stack, error) {
	return e.insert(ctx, b, ReviewInProgress)
}

func (e *Engine) insert(ctx context.Context, b Begin, status string) (*Stack, error) {
	var s *Stack
	err := e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		s = &Stack{ID: b.StackID, Name: b.StackName, Account: b.Account, Region: b.Region, Created: tx.Now(), Parent: b.Parent, Root: b.Root,
			Spec: *b.Spec, TerminationProtection: b.Protect, Policy: b.Policy, TimeoutInMinutes: b.TimeoutInMinutes}
		s.begin(&b)
		s.startClock(tx.Now(), status)
		s.Status = status
		if err := Stacks.Insert(tx, s.Key(), s); err != nil {
			return err
		}
		return setStatus(tx, s, status, userInitiated)
	})
	if err != nil {
		return nil, err
	}
	e.wake(s)
	return s, nil
}

// startClock sets the deadline of a creation.
func (s *Stack) startClock(now time.Time, status string) {
	if s.TimeoutInMinutes > 0 && status == CreateInProgress {
		s.Deadline = now.Add(time.Duration(s.TimeoutInMinutes) * time.Minute)
	}
}

// change commits a change of an existing stack's row. Its worker is woken, and
// what it is doing interrupted, only when the status has changed.
func (e *Engine) change(ctx context.Context, key store.Key, fn func(*store.Tx, *Stack) error) (*Stack, error) {
	var s *Stack
	before := ""
	err := e.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		if s, err = Stacks.Get(tx, key); err != nil {
			return err
		}
		before = s.Status
		return fn(tx, s)
	})
	if err != nil {
		return nil, err
	}
	if s.Status != before {
		e.wake(s)
	}
	return s, nil
}

// Start turns a stack under review into one that is created.
func (e *Engine) Start(ctx context.Context, key store.Key, b Begin) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if s.Status != ReviewInProgress {
			return ErrBusy
		}
		s.begin(&b)
		s.Spec = *b.Spec
		if b.ChangeSetID != "" {
			s.TimeoutInMinutes = b.TimeoutInMinutes // of a nested stack
			s.Updated = tx.Now()                    // AWS counts the execution of a change set as an update
		} else {
			s.Created, s.TerminationProtection, s.Policy, s.TimeoutInMinutes = tx.Now(), b.Protect, b.Policy, b.TimeoutInMinutes
		}
		s.startClock(tx.Now(), CreateInProgress)
		if err := b.with(tx, s); err != nil {
			return err
		}
		return setStatus(tx, s, CreateInProgress, userInitiated)
	})
}

// settled reports whether status is one that a rollback may return to.
func settled(status string) bool {
	switch status {
	case CreateComplete, UpdateComplete, UpdateRollbackComplete, ImportComplete, ImportRollbackComplete:
		return true
	}
	return false
}

// Updatable reports whether a stack in status can be updated. One that failed and
// was not rolled back can, if the update is not to be rolled back either.
func Updatable(status string, disableRollback bool) bool {
	return settled(status) || disableRollback && (status == CreateFailed || status == UpdateFailed)
}

// Update commits UPDATE_IN_PROGRESS towards b.Spec and starts on it.
func (e *Engine) Update(ctx context.Context, key store.Key, b Begin) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if !Updatable(s.Status, b.DisableRollback) {
			return ErrBusy
		}
		s.begin(&b)
		s.Next, s.Updated = b.Spec, tx.Now()
		if b.Policy != "" {
			s.Policy = b.Policy
		}
		if err := b.with(tx, s); err != nil {
			return err
		}
		return setStatus(tx, s, UpdateInProgress, userInitiated)
	})
}

// Deletable reports whether a stack in status can be deleted: at rest, or while
// it is created, rolled back or deleted.
func Deletable(status string) bool {
	switch status {
	case UpdateInProgress, UpdateCleanup, UpdateRollbackInProgress, UpdateRollbackCleanup, ImportInProgress, ImportRollbackInProgress:
		return false
	}
	return true
}

// Delete commits DELETE_IN_PROGRESS and starts on it. A stack that is being
// deleted, or is gone, is left as it is.
func (e *Engine) Delete(ctx context.Context, key store.Key, b Begin) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		if s.Status == DeleteInProgress || s.Status == DeleteComplete {
			return nil
		}
		if !Deletable(s.Status) {
			return ErrBusy
		}
		s.begin(&b)
		return setStatus(tx, s, DeleteInProgress, userInitiated)
	})
}

// Edit changes a row without an operation: termination protection, stack policy.
func (e *Engine) Edit(ctx context.Context, key store.Key, fn func(*Stack)) (*Stack, error) {
	return e.change(ctx, key, func(tx *store.Tx, s *Stack) error {
		fn(s)
		return Stacks.Put(tx, key, s)
	})
}

// Wait returns the stack when it rests. It is for tests and for callers that must
// not go on before.
func (e *Engine) Wait(ctx context.Context, key store.Key) (*Stack, error) {
	for {
		changed := e.cfg.DB.Changed(store.Filter{Service: eventService, Resource: key.ID, Kind: stackEventKind})
		var s *Stack
		err := e.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
			s, err = Stacks.Get(tx, key)
			return err
		})
		if err != nil || !InProgress(s.Status) {
			return s, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// Metadata returns the evaluated Metadata of a resource, which DescribeStackResource
// shows and cfn-init reads; nil when there is none.
func (e *Engine) Metadata(m *Member) (map[string]any, error) {
	c, err := e.open(m, m.Sealed)
	if err != nil {
		return nil, err
	}
	return c.Metadata, nil
}
