package cloudformation

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// setRequest is what all requests that begin an operation on a stack set share.
type setRequest struct {
	set         *string
	id          *string // OperationId
	action      api.StackSetOperationAction
	preferences *api.StackSetOperationPreferences
	callAs      api.CallAs
	in          any // the whole of it, for its digest
}

// beginOperation commits an operation and what prepare makes of the set and its
// instances, and wakes the worker. The same request with the same OperationId gives
// the operation that it began.
func (s *Service) beginOperation(ctx context.Context, r setRequest, prepare func(*store.Tx, *stackSet, *setOperation) error) (*string, error) {
	if err := asSelf(r.callAs); err != nil {
		return nil, err
	}
	if err := checkPreferences(r.preferences); err != nil {
		return nil, err
	}
	sum, err := digest(r.in)
	if err != nil {
		return nil, err
	}
	id := aws.Val(r.id)
	if id == "" {
		id = ids.UUID()
	}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		set, err := lookupSet(tx, aws.CallFrom(ctx), aws.Val(r.set))
		if err != nil {
			return err
		}
		if set.Deleted {
			return noStackSet(aws.Val(r.set))
		}
		if again, err := begunBefore(tx, set, id, sum); again || err != nil {
			return err
		}
		busy := idle(tx, set)
		if busy != nil && !(set.Managed && awserr.Is(busy, "OperationInProgressException")) {
			return busy
		}
		op := &setOperation{ID: id, SetID: set.ID, Action: string(r.action), Status: string(api.StackSetOperationStatusRunning),
			Preferences: r.preferences, Created: tx.Now(), Digest: sum, Caller: aws.CallFrom(ctx).Principal}
		if busy != nil {
			op.Status = string(api.StackSetOperationStatusQueued)
		}
		return addOperation(tx, set, op, prepare)
	})
	return &id, err
}

// addOperation gives an operation its number and writes it with what prepare makes.
func addOperation(tx *store.Tx, set *stackSet, op *setOperation, prepare func(*store.Tx, *stackSet, *setOperation) error) error {
	set.Operations++
	op.Number = set.Operations
	if err := prepare(tx, set, op); err != nil {
		return err
	}
	op.AdminRole, op.ExecutionRole = set.AdminRole, set.ExecutionRole
	if err := stackSets.Put(tx, set.key(), set); err != nil {
		return err
	}
	return putOperation(tx, set, op)
}

// begunBefore judges an OperationId that the set knows.
func begunBefore(tx *store.Tx, set *stackSet, id, sum string) (bool, error) {
	op, err := setOperations.Get(tx, set.operationKey(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case op.Digest != sum:
		return false, awserr.Status(http.StatusConflict, "OperationIdAlreadyExistsException", "The specified operation ID already exists.")
	case op.Number != set.Operations:
		return false, staleRequest()
	}
	return true, nil
}

func staleRequest() error {
	return awserr.Status(http.StatusConflict, "StaleRequestException", "Another operation has been performed on this stack set since the specified operation was performed.")
}

// idle is the error of a set that an operation is going on in.
func idle(tx *store.Tx, set *stackSet) error {
	list, err := operationsOf(tx, set.ID)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(list, func(o *setOperation) bool { return !o.ended() }); i >= 0 {
		return awserr.Status(http.StatusConflict, "OperationInProgressException", "Another Operation on StackSet %s is in progress: %s", set.arn(), list[i].ID)
	}
	return nil
}

// checkPreferences refuses preferences that contradict each other.
func checkPreferences(p *api.StackSetOperationPreferences) error {
	switch {
	case p == nil:
		return nil
	case p.FailureToleranceCount != nil && p.FailureTolerancePercentage != nil:
		return invalid("You must specify either FailureToleranceCount or FailureTolerancePercentage, but not both.")
	case p.MaxConcurrentCount != nil && p.MaxConcurrentPercentage != nil:
		return invalid("You must specify either MaxConcurrentCount or MaxConcurrentPercentage, but not both.")
	case p.MaxConcurrentCount != nil && p.ConcurrencyMode != api.ConcurrencyModeSoftFailureTolerance && p.FailureTolerancePercentage == nil &&
		*p.MaxConcurrentCount > aws.Val(p.FailureToleranceCount)+1:
		return invalid("MaxConcurrentCount must be at most one more than FailureToleranceCount.")
	}
	return nil
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// targetsOf are the accounts and regions that a request names, in the order of its
// regions.
func targetsOf(accounts []string, where *api.DeploymentTargets, regions []string) ([]target, error) {
	if where != nil {
		if len(where.OrganizationalUnitIds) > 0 {
			return nil, invalid("StackSets with SELF_MANAGED permission model can only have accounts as target")
		}
		if err := notBuilt(map[string]bool{"DeploymentTargets.AccountsUrl": where.AccountsUrl != nil, "DeploymentTargets.AccountFilterType": where.AccountFilterType != ""}); err != nil {
			return nil, err
		}
		if len(accounts) > 0 && len(where.Accounts) > 0 {
			return nil, invalid("You must specify either Accounts or DeploymentTargets, but not both.")
		}
		accounts = append(accounts, where.Accounts...)
	}
	if len(accounts) == 0 {
		return nil, invalid("Accounts list cannot be empty")
	}
	if len(regions) == 0 {
		return nil, invalid("Regions list cannot be empty")
	}
	var out []target
	for _, region := range regions {
		for _, account := range accounts {
			t := target{account, region}
			if !accountID.MatchString(account) {
				return nil, invalid("1 validation error detected: Value '[%s]' at 'accounts' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy regular expression pattern: ^[0-9]{12}$]", account)
			}
			if !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out, nil
}

// pending makes a target part of an operation and marks its instance.
func (o *setOperation) pending(tx *store.Tx, set *stackSet, i *stackInstance) error {
	o.Results = append(o.Results, setResult{target: i.target, Status: string(api.StackSetOperationResultStatusPending)})
	i.LastOperation = o.ID
	if o.Action != string(api.StackSetOperationActionDetectDrift) {
		i.Status, i.Detail, i.Reason = string(api.StackInstanceStatusOutdated), string(api.StackInstanceDetailedStatusPending), ""
	}
	return stackInstances.Put(tx, set.instanceKey(i.target), i)
}
