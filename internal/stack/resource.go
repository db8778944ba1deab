package stack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrNotFound is what Read returns for a resource that no longer exists.
var ErrNotFound = errors.New("resource does not exist")

// Request is one piece of work on one resource. The engine fills every field
// that applies; a resource type never changes it.
type Request struct {
	StackID, StackName string
	LogicalID          string
	Type               string // AWS::EC2::Instance
	// PhysicalID is what Create announced: empty on the first Create, set when a
	// Create is repeated after a crash, and set for Read, Update and Delete.
	PhysicalID string
	// Token names this creation (stack, logical id, generation). It is the same
	// each time the creation is repeated, and ctx's Call carries it too, where the
	// service finds it.
	Token string
	// Properties are resolved: nil, bool, string, json.Number, []any and
	// map[string]any only. OldProperties are set for Update alone.
	Properties, OldProperties map[string]any
	// Operation counts the operations of the stack: with Token it names an update.
	// Undo is set for the Update that takes one back.
	Operation int
	Undo      bool
	// Tags are the stack's own and aws:cloudformation:stack-name, stack-id and
	// logical-id. OldTags are what the resource has, for Update.
	Tags, OldTags   map[string]string
	Region, Account string
	// UpdatePolicy is that of the template, resolved, for Update; nil for none.
	UpdatePolicy map[string]any
	// Door is how a type that updates in steps reaches its stack; nil in tests of a type.
	Door Door
}

// Door is what an update in steps needs of the stack: to say how far it is, and to hear
// who has signalled.
type Door interface {
	// Say writes an event of the resource, in progress.
	Say(ctx context.Context, reason string) error
	// Await returns the statuses (SUCCESS, FAILURE) by UniqueId of the signals that have
	// come for the resource, when all of those named are among them, at the deadline at
	// the latest.
	Await(ctx context.Context, uniqueIDs []string, deadline time.Time) (map[string]string, error)
}

// Result is what a resource has become.
type Result struct {
	// PhysicalID does not change between Create, Read and Update, but where a type makes
	// another resource by itself: an Update that returns another id has replaced the
	// resource, and the old one is deleted in the clean-up.
	PhysicalID string
	// Ref is what {"Ref": id} gives; empty means PhysicalID.
	Ref string
	// Attributes are what Fn::GetAtt gives, by name. All of Schema.Attributes
	// that have a value must be there. Values have the types of
	// Request.Properties.
	Attributes map[string]any
	// Secret attributes are masked wherever properties are shown.
	Secret bool
}

// Resource makes, reads, changes and deletes one type of resource. It is
// implemented beside the service that owns the type, in
// service/<svc>/resource_<type>.go, and calls that service through the Invoker
// with the ctx it is given: ctx's Call carries the stack's caller (or its role),
// so that IAM binds stacks as it binds users.
//
// Every method blocks until the work is done and gives up when ctx ends. After a
// crash the engine repeats the call that was in flight, so each must be safe to
// repeat: a creation finds by its token what it made before, a deletion of what
// is gone succeeds.
//
// Errors reach the user as the reason of a FAILED event. Return the *awserr.Error
// of the operation as it is; see Reason.
type Resource interface {
	// Schema describes the type. It must not change while the program runs.
	Schema() Schema
	// Create makes the resource and returns when it is stable. It calls started
	// as soon as the physical id is known, which the engine stores at once, so
	// that a creation which fails afterwards is still cleaned up.
	Create(ctx context.Context, r Request, started func(physicalID string)) (Result, error)
	// Read returns the resource as it is now, or ErrNotFound.
	Read(ctx context.Context, r Request) (Result, error)
	// Update changes the resource in place from OldProperties to Properties. It
	// is never called when a create-only property has changed.
	Update(ctx context.Context, r Request) (Result, error)
	// Delete removes the resource and returns when it is gone.
	Delete(ctx context.Context, r Request) error
}

// Live is implemented by resource types whose properties can be read back, for the
// detection of drift.
type Live interface {
	// Live returns properties as the resource has them now, in the form that
	// templates have, or ErrNotFound. Of the properties in r it returns those that
	// the service tells, absent ones as nil; others do not matter. Tags may hold the
	// stack's.
	Live(ctx context.Context, r Request) (map[string]any, error)
}

// Replacing is implemented by resource types whose UpdatePolicy may ask for another
// resource in place of an update.
type Replacing interface {
	// Replaces reports whether a change from old to properties makes another resource.
	Replaces(policy, old, properties map[string]any) bool
}

// Schema describes a resource type to the engine. SchemaOf fills the property
// lists from the struct that Decode decodes into.
type Schema struct {
	// Properties are the names of the properties that the type supports.
	Properties []string
	// Required must be given, CreateOnly need another resource to change,
	// Conditional do on AWS under conditions that a change set does not know.
	Required, CreateOnly, Conditional []string
	// Attributes are the names for Fn::GetAtt. "Outputs.*" stands for any name
	// that begins with "Outputs."; "*" for any name at all.
	Attributes []string
	// Taggable types get the stack's tags; a change of those alone is an Update.
	Taggable bool
	// NameProperty is the property that names the resource, where names are unique:
	// a resource named by it cannot be replaced under the same name.
	NameProperty string
	// Capability is set for types that need CAPABILITY_IAM, and with NameProperty
	// CAPABILITY_NAMED_IAM.
	Capability bool
	// Signals is set for types that may have a CreationPolicy, UpdatePolicy for those that
	// may have an UpdatePolicy.
	Signals, UpdatePolicy bool
	// Nested is set for stacks: what they hold may change without a change of their
	// properties, so each update of the parent is one of theirs.
	Nested bool
}

// HasAttribute reports whether Fn::GetAtt may ask for name.
func (s Schema) HasAttribute(name string) bool {
	return slices.ContainsFunc(s.Attributes, func(a string) bool {
		prefix, wild := strings.CutSuffix(a, "*")
		return a == name || wild && strings.HasPrefix(name, prefix)
	})
}

// Registry holds the resource types of a server by name.
type Registry map[string]Resource

// Tag is one element of a Tags property.
type Tag struct {
	Key   string `cfn:",required"`
	Value string
	// PropagateAtLaunch is meaningful for groups only.
	PropagateAtLaunch *bool
}

// TagsWith returns the tags a new resource gets: the stack's, overridden by the
// template's own, ordered by key.
func (r Request) TagsWith(own []Tag) []Tag {
	all := make(map[string]string, len(r.Tags)+len(own))
	for k, v := range r.Tags {
		all[k] = v
	}
	for _, t := range own {
		all[t.Key] = t.Value
	}
	tags := make([]Tag, 0, len(all))
	for k, v := range all {
		tags = append(tags, Tag{Key: k, Value: v})
	}
	slices.SortFunc(tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	return tags
}

// TagsBefore returns the tags that a resource has when it is updated, as TagsWith
// gave them; own are those of the template before.
func (r Request) TagsBefore(own []Tag) []Tag {
	r.Tags = r.OldTags
	return r.TagsWith(own)
}

// TagsGone returns the keys that are in before and not in now.
func TagsGone(before, now []Tag) []string {
	var gone []string
	for _, b := range before {
		if !slices.ContainsFunc(now, func(n Tag) bool { return n.Key == b.Key }) {
			gone = append(gone, b.Key)
		}
	}
	return gone
}
