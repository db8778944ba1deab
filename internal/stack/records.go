package stack

import (
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// The statuses of stacks that the engine branches on; names are AWS's.
const (
	CreateInProgress           = "CREATE_IN_PROGRESS"
	CreateFailed               = "CREATE_FAILED"
	CreateComplete             = "CREATE_COMPLETE"
	RollbackInProgress         = "ROLLBACK_IN_PROGRESS"
	RollbackFailed             = "ROLLBACK_FAILED"
	RollbackComplete           = "ROLLBACK_COMPLETE"
	DeleteInProgress           = "DELETE_IN_PROGRESS"
	DeleteFailed               = "DELETE_FAILED"
	DeleteComplete             = "DELETE_COMPLETE"
	DeleteSkipped              = "DELETE_SKIPPED"
	UpdateInProgress           = "UPDATE_IN_PROGRESS"
	UpdateCleanup              = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateComplete             = "UPDATE_COMPLETE"
	UpdateFailed               = "UPDATE_FAILED"
	UpdateRollbackInProgress   = "UPDATE_ROLLBACK_IN_PROGRESS"
	UpdateRollbackFailed       = "UPDATE_ROLLBACK_FAILED"
	UpdateRollbackCleanup      = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
	UpdateRollbackComplete     = "UPDATE_ROLLBACK_COMPLETE"
	ReviewInProgress           = "REVIEW_IN_PROGRESS"
	stackType                  = "AWS::CloudFormation::Stack"
	userInitiated              = "User Initiated"
	rollbackRequested          = "Rollback requested by user."
	eventService, signalKind   = "cloudformation", "signal"
	stackEventKind, stackIndex = "stack-event", "stack"
)

// Spec is what a stack shall be: what the user gave, checked and resolved.
type Spec struct {
	Template string
	// Processed is what the template's transforms made of it, for these parameters.
	Processed  string                    `json:",omitempty"`
	Parameters map[string]template.Value // NoEcho ones without their values
	// Secrets are the values of the NoEcho parameters, sealed JSON.
	Secrets          []byte            `json:",omitempty"`
	Tags             map[string]string `json:",omitempty"`
	Capabilities     []string          `json:",omitempty"`
	NotificationARNs []string          `json:",omitempty"`
	Rollback         *RollbackConfig   `json:",omitempty"`
	Description      string            `json:",omitempty"`
}

// Effective is the template that the engine works by.
func (s *Spec) Effective() string {
	if s.Processed != "" {
		return s.Processed
	}
	return s.Template
}

// Output is an output of a stack with its value.
type Output struct{ Name, Value, Description, Export string }

// Stack is a row of cfn.stack. Its key's ID is the stack's ARN.
//
// Status drives the engine: a status that ends in IN_PROGRESS (REVIEW but) has a
// worker, which goes on from the rows after a restart.
type Stack struct {
	ID, Name, Account, Region string
	// Parent is the stack that this one is a resource of, Root the one above all.
	Parent, Root     string `json:",omitempty"`
	Status, Reason   string
	Created          time.Time
	Updated, Deleted time.Time `json:",omitzero"`
	Spec             Spec
	// Next is what an update makes of the stack; Previous is kept until the
	// update is complete, for its rollback.
	Next, Previous *Spec `json:",omitempty"`
	// Undo is what a nested stack was before its parent's update.
	Undo    *Spec `json:",omitempty"`
	Outputs []Output
	// Caller acts in this operation: who asked for it, or the role.
	Caller  aws.Principal
	RoleARN string `json:",omitempty"`
	// Operation counts the operations on the stack. Resources remember it, so
	// that an operation which is resumed knows its own work. Base is the last one
	// that was complete when the present one began, 0 if none ever was: what was
	// made after it goes when the stack is rolled back.
	Operation, Base int
	// OperationID names the operation in progress, or the last, to DescribeEvents.
	OperationID              string `json:",omitempty"`
	OperationName, RequestID string
	// Recent are the ids of the last operations, the newest last.
	Recent       []string `json:",omitempty"`
	ChangeSetID  string   `json:",omitempty"` // that led to the operation
	RequestToken string   `json:",omitempty"` // ClientRequestToken
	// RequestDigest tells whether a repeated token comes with the same request.
	RequestDigest string `json:",omitempty"`
	// OnFailure is ROLLBACK, DO_NOTHING or DELETE, for the operation in progress.
	OnFailure string
	// Deadline ends a creation with TimeoutInMinutes.
	Deadline         time.Time `json:",omitzero"`
	TimeoutInMinutes int32     `json:",omitempty"`
	// MonitorUntil is how long rollback triggers are watched after the last resource.
	MonitorUntil    time.Time `json:",omitzero"`
	DisableRollback bool      `json:",omitempty"`
	// Express completes resources when they are configured; it holds for one operation.
	Express               bool `json:",omitempty"`
	TerminationProtection bool `json:",omitempty"`
	// Policy is the stack policy, PolicyDuringUpdate another for one update.
	Policy               string   `json:",omitempty"`
	PolicyDuringUpdate   string   `json:",omitempty"`
	RetainResources      []string `json:",omitempty"`
	RetainExceptOnCreate bool     `json:",omitempty"`
	// Imports are the physical ids of resources that the operation takes over instead
	// of making them, by logical id.
	Imports map[string]string `json:",omitempty"`
	// Drift is DRIFTED or IN_SYNC after a detection, DriftChecked the time of it.
	Drift        string    `json:",omitempty"`
	DriftChecked time.Time `json:",omitzero"`
	// Skip are the resources that a continued rollback leaves as they are. Force
	// ends a deletion although resources could not be deleted.
	Skip  []string `json:",omitempty"`
	Force bool     `json:",omitempty"`
}

// Current is what the stack was last asked to be: after an update that failed and
// was not rolled back, that of the update.
func (s *Stack) Current() *Spec {
	if s.Status == UpdateFailed && s.Next != nil {
		return s.Next
	}
	return &s.Spec
}

// InProgress reports whether a worker has the stack.
func InProgress(status string) bool {
	return strings.HasSuffix(status, "_IN_PROGRESS") && status != ReviewInProgress
}

// Stacks is the table of stacks. Index name finds the stack that is not deleted.
var Stacks = &store.Table[Stack]{Name: "cfn.stack", Version: 2, Indexes: []store.Index[Stack]{
	{Name: "name", Unique: true, Value: func(k store.Key, s *Stack) []string {
		if s.Status == DeleteComplete {
			return nil
		}
		return []string{NameIndex(k.Account, k.Region, s.Name)}
	}},
	{Name: "operation", Value: func(_ store.Key, s *Stack) []string { return s.Recent }},
	{Name: "working", Value: func(_ store.Key, s *Stack) []string {
		if InProgress(s.Status) {
			return []string{s.ID}
		}
		return nil
	}},
	store.TimeIndex(DeletedIndex, func(s *Stack) time.Time { return s.Deleted }),
}}

// DeletedIndex orders the stacks that are deleted by when they were.
const DeletedIndex = "deleted"

// NameIndex is the value of the index name.
func NameIndex(account, region, name string) string {
	return account + "\x00" + region + "\x00" + name
}

// Key returns the key of the stack's row.
func (s *Stack) Key() store.Key { return store.Key{Account: s.Account, Region: s.Region, ID: s.ID} }

// pulse is a row of cfn.pulse: what members ask of their stack before they begin.
// The stack's own row holds its template, and to read that for each member makes
// the cost of a stack grow with the square of its size.
type pulse struct {
	Status    string
	Operation int
}

var pulses = &store.Table[pulse]{Name: "cfn.pulse", Version: 1}

// Shape is what a member is at one time: what a rollback sets back and what a
// clean-up deletes.
type Shape struct {
	PhysicalID string
	// Started is when the creation began, for CreationPolicy.
	Started time.Time
	// Created is the stack's operation that made the resource. It is part of the
	// creation's token.
	Created             int
	DependsOn           []string          `json:",omitempty"`
	DeletionPolicy      string            `json:",omitempty"`
	UpdateReplacePolicy string            `json:",omitempty"`
	Tags                map[string]string `json:",omitempty"`
	// Sealed is a sealed content.
	Sealed []byte `json:",omitempty"`
	// Public are the properties with NoEcho values masked, as events show them.
	Public string `json:",omitempty"`
}

// Member is a row of cfn.resource: one resource of a stack.
type Member struct {
	StackID, LogicalID, Type string
	Shape
	Status, Reason string
	Changed        time.Time
	// Operation is the stack's operation that last worked on the member.
	Operation int
	// Other is the shape at the last complete operation of the stack, from the time
	// an update changes the member until the update is complete or undone. With
	// Replaced it has a physical resource of its own, which the clean-up deletes;
	// once a rollback has exchanged the two, that is the new one. Leaving is the
	// status of its deletion.
	Other    *Shape `json:",omitempty"`
	Replaced bool   `json:",omitempty"`
	Leaving  string `json:",omitempty"`
	// Before is the shape before the operation in progress, where that is not Other:
	// an update upon one that failed and was not rolled back.
	Before *Shape `json:",omitempty"`
	// Imported is the operation that took the resource over, 0 for one that a stack
	// has made.
	Imported int `json:",omitempty"`
	// Restoring is set once a rollback works on the member.
	Restoring bool `json:",omitempty"`
	// Drift is what the last detection found.
	Drift *Drift `json:",omitempty"`
}

// Shown is the physical id that the member is known by: until a replacement has
// one, that of the resource which it replaces.
func (m *Member) Shown() string {
	if m.PhysicalID == "" && m.Replaced && m.Other != nil {
		return m.Other.PhysicalID
	}
	return m.PhysicalID
}

// content is what a member must keep and nobody may read on disk: properties may
// hold passwords, attributes secret keys.
type content struct {
	Properties map[string]any `json:"properties"`
	Metadata   map[string]any `json:"metadata,omitempty"`
	Ref        string         `json:"ref,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Secret     bool           `json:"secret,omitempty"` // the attributes
}

// Members is the table of resources.
var Members = &store.Table[Member]{Name: "cfn.resource", Version: 1, Indexes: []store.Index[Member]{
	{Name: stackIndex, Value: func(_ store.Key, m *Member) []string { return []string{m.StackID} }},
	{Name: "physical", Value: func(k store.Key, m *Member) []string {
		if m.Status == DeleteComplete {
			return nil
		}
		var ids []string
		if m.PhysicalID != "" {
			ids = append(ids, PhysicalIndex(k.Account, k.Region, m.PhysicalID))
		}
		if m.Replaced && m.Other != nil && m.Other.PhysicalID != m.PhysicalID {
			ids = append(ids, PhysicalIndex(k.Account, k.Region, m.Other.PhysicalID))
		}
		return ids
	}},
	store.TimeIndex(GoneIndex, func(m *Member) time.Time {
		if m.exists() || m.Other != nil || m.Before != nil {
			return time.Time{}
		}
		return m.Changed
	}),
}}

// GoneIndex orders the members that are no longer their stacks' by when they went.
const GoneIndex = "gone"

// PhysicalIndex is the value of the index physical.
func PhysicalIndex(account, region, id string) string {
	return account + "\x00" + region + "\x00" + id
}

func (s *Stack) memberKey(logicalID string) store.Key {
	return store.Key{Account: s.Account, Region: s.Region, ID: s.ID + "/" + logicalID}
}

// exists reports whether the member stands for something that may have to be
// deleted.
func (m *Member) exists() bool { return m.Status != DeleteComplete && m.Status != DeleteSkipped }

// MembersOf returns the members of a stack by logical id.
func MembersOf(tx *store.Tx, stackID string) ([]*Member, error) {
	rows, err := Members.Lookup(tx, stackIndex, stackID)
	if err != nil {
		return nil, err
	}
	out := make([]*Member, len(rows))
	for i, r := range rows {
		out[i] = r.Value
	}
	slices.SortFunc(out, func(a, b *Member) int { return strings.Compare(a.LogicalID, b.LogicalID) })
	return out, nil
}

// Export is a row of cfn.export; the key's ID is the name.
type Export struct{ Name, Value, StackID, StackName string }

// Exports is the table of exports.
var Exports = &store.Table[Export]{Name: "cfn.export", Version: 1, Indexes: []store.Index[Export]{
	{Name: stackIndex, Value: func(_ store.Key, e *Export) []string { return []string{e.StackID} }},
}}

// Import is a row of cfn.import: a stack uses an export.
type Import struct{ Export, StackID, StackName string }

// Imports is the table of uses; index export finds who uses one.
var Imports = &store.Table[Import]{Name: "cfn.import", Version: 1, Indexes: []store.Index[Import]{
	{Name: stackIndex, Value: func(_ store.Key, i *Import) []string { return []string{i.StackID} }},
	{Name: "export", Value: func(k store.Key, i *Import) []string {
		return []string{NameIndex(k.Account, k.Region, i.Export)}
	}},
}}
