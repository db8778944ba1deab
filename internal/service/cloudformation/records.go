package cloudformation

import (
	"time"

	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// changeSet is a row of cfn.changeset; the key's ID is its ARN.
type changeSet struct {
	ID, Name, StackID, StackName string
	Type                         string // CREATE, UPDATE or IMPORT
	Status, Reason               string
	// Execution is the ExecutionStatus; while it is EXECUTE_IN_PROGRESS the stack's
	// row tells how far Operation is.
	Execution string
	Operation int `json:",omitempty"`
	// Base is the stack's operation that the change set was made upon: after any
	// other it no longer says what would happen.
	Base           int
	Description    string
	Created        time.Time
	Spec           stack.Spec
	Changes        []stack.Change
	OnStackFailure string `json:",omitempty"`
	// Imports are the physical ids of the resources that are imported. ImportExisting
	// was asked for.
	Imports        map[string]string `json:",omitempty"`
	ImportExisting bool              `json:",omitempty"`
	Express        bool              `json:",omitempty"`
	// Nested tells that the change sets of nested stacks belong to it; of such a one
	// Parent and Root are those above, and LogicalID is the nested stack's.
	Nested                  bool   `json:",omitempty"`
	Parent, Root, LogicalID string `json:",omitempty"`
	// KeepFailures is the DisableRollback that the deployment configuration gives.
	KeepFailures bool   `json:",omitempty"`
	RoleARN      string `json:",omitempty"`
	Token        string `json:",omitempty"`
	// Invalid are the properties for which early validation refused it.
	Invalid []stack.Invalid `json:",omitempty"`
}

var changeSets = &store.Table[changeSet]{Name: "cfn.changeset", Version: 2, Indexes: []store.Index[changeSet]{
	{Name: "stack", Value: func(_ store.Key, c *changeSet) []string { return []string{c.StackID} }},
	{Name: "parent", Value: func(_ store.Key, c *changeSet) []string {
		if c.Parent == "" {
			return nil
		}
		return []string{c.Parent}
	}},
}}
