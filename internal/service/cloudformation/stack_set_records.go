package cloudformation

import (
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// stackSet is a row of cfn.stackset; the key's ID is its id, "name:uuid".
type stackSet struct {
	ID, Name, Account, Region string
	Description               string `json:",omitempty"`
	// Spec holds the template, the parameters' values, tags and capabilities.
	Spec stack.Spec
	// AdminRole is assumed by CloudFormation, ExecutionRole by that role, in the
	// account of each instance.
	AdminRole, ExecutionRole string
	// Managed sets queue operations instead of refusing them.
	Managed       bool `json:",omitempty"`
	Created       time.Time
	Deleted       bool      `json:",omitempty"`
	DeletedAt     time.Time `json:",omitzero"`
	Token, Digest string    `json:",omitempty"`
	// Operations counts them; the next one gets the number after it.
	Operations int
	Drift      *setDrift `json:",omitempty"`
}

// setDrift is what the last detection found.
type setDrift struct {
	Status, Detection                       string
	Checked                                 time.Time
	Total, Drifted, InSync, Failed, Running int32
}

var stackSets = &store.Table[stackSet]{Name: "cfn.stackset", Version: 1, Indexes: []store.Index[stackSet]{
	{Name: "name", Unique: true, Value: func(k store.Key, s *stackSet) []string {
		if s.Deleted {
			return nil
		}
		return []string{stack.NameIndex(k.Account, k.Region, s.Name)}
	}},
	store.TimeIndex("deleted", func(s *stackSet) time.Time { return s.DeletedAt }),
}}

func (s *stackSet) key() store.Key { return store.Key{Account: s.Account, Region: s.Region, ID: s.ID} }

func (s *stackSet) arn() string {
	return "arn:aws:cloudformation:" + s.Region + ":" + s.Account + ":stackset/" + s.ID
}

// target is an account and a region that a stack set has, or gets, a stack in.
type target struct{ Account, Region string }

// stackInstance is a row of cfn.stackinstance: a set's stack in a target. The key
// is in the set's account and region.
type stackInstance struct {
	SetID string
	target
	// StackName is chosen before the stack is made, so that a server which was
	// stopped finds it. StackID is "" while there is none.
	StackName, StackID string
	// Overrides holds the parameters that differ from the set's.
	Overrides      stack.Spec
	Status, Detail string
	Reason         string    `json:",omitempty"`
	Drift          string    `json:",omitempty"`
	DriftChecked   time.Time `json:",omitzero"`
	LastOperation  string    `json:",omitempty"`
}

var stackInstances = &store.Table[stackInstance]{Name: "cfn.stackinstance", Version: 1, Indexes: []store.Index[stackInstance]{
	{Name: "set", Value: func(_ store.Key, i *stackInstance) []string { return []string{i.SetID} }},
}}

func (s *stackSet) instanceKey(t target) store.Key {
	return store.Key{Account: s.Account, Region: s.Region, ID: s.ID + "/" + t.Account + "/" + t.Region}
}

// setOperation is a row of cfn.stacksetoperation. Its targets' results say how far
// it is: a server that was stopped goes on with those that have none.
type setOperation struct {
	ID, SetID, Action, Status string
	Reason                    string `json:",omitempty"`
	// Number orders the operations of a set.
	Number         int
	Preferences    *api.StackSetOperationPreferences `json:",omitempty"`
	Retain, Import bool                              `json:",omitempty"`
	// AdminRole and ExecutionRole are the set's when the operation began.
	AdminRole, ExecutionRole string
	Created                  time.Time
	Ended                    time.Time `json:",omitzero"`
	Results                  []setResult
	Digest                   string
	Drift                    *setDrift `json:",omitempty"`
	// Caller asked for the operation; what it does is done by the roles.
	Caller aws.Principal
}

// setResult is what an operation has come to in a target.
type setResult struct {
	target
	Status string
	Reason string `json:",omitempty"`
	// StackID is of a stack that is taken into the set.
	StackID string `json:",omitempty"`
}

var setOperations = &store.Table[setOperation]{Name: "cfn.stacksetoperation", Version: 1, Indexes: []store.Index[setOperation]{
	{Name: "set", Value: func(_ store.Key, o *setOperation) []string { return []string{o.SetID} }},
	{Name: "working", Value: func(k store.Key, o *setOperation) []string {
		if o.ended() {
			return nil
		}
		return []string{o.SetID + "\x00" + strconv.Itoa(o.Number)}
	}},
	store.TimeIndex("ended", func(o *setOperation) time.Time { return o.Ended }),
}}

func (s *stackSet) operationKey(id string) store.Key {
	return store.Key{Account: s.Account, Region: s.Region, ID: s.ID + "/" + id}
}

func (o *setOperation) ended() bool {
	switch api.StackSetOperationStatus(o.Status) {
	case api.StackSetOperationStatusRunning, api.StackSetOperationStatusQueued, api.StackSetOperationStatusStopping:
		return false
	}
	return true
}

const setEventKind = "stack-set-operation"

// putOperation writes an operation's row and the event that wakes its worker.
func putOperation(tx *store.Tx, s *stackSet, o *setOperation) error {
	if err := setOperations.Put(tx, s.operationKey(o.ID), o); err != nil {
		return err
	}
	tx.Emit(store.Event{Account: s.Account, Region: s.Region, Service: "cloudformation", Resource: s.ID, Kind: setEventKind,
		Cause: o.Action + " " + o.Status, Body: []byte("{}")})
	return nil
}
