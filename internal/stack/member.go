package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// createMember makes one resource of the template, or goes on making it.
func (r *run) createMember(ctx context.Context, id string) error {
	if r.stack.Imports[id] != "" {
		return r.importMember(ctx, id)
	}
	m, _ := r.member(id)
	if m != nil && m.Operation == r.stack.Operation && m.Status != CreateInProgress && m.Status != DeleteComplete {
		return failureUnless(m, CreateComplete)
	}
	if m == nil || m.Status != CreateInProgress {
		var err error
		if m, err = r.beginCreate(id); err != nil || m.Status == CreateFailed {
			return errors.Join(err, failure(m))
		}
		if err := ctx.Err(); err != nil { // nothing has been asked of the service
			return errors.Join(r.record(m, func() {}, CreateFailed, createCancelled), err)
		}
	}
	res, err := r.callCreate(ctx, m, func() {})
	if err == nil {
		err = r.awaitPolicy(ctx, m)
	}
	return r.finish(ctx, m, res, err, CreateComplete, CreateFailed, createCancelled)
}

// failure is the error of a member that has failed.
func failure(m *Member) error {
	if m == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", m.LogicalID, m.Reason)
}

// beginCreate evaluates the properties and writes the row, CREATE_IN_PROGRESS.
// Properties that cannot be evaluated fail the member.
func (r *run) beginCreate(id string) (*Member, error) {
	def := r.scope.Template.Resources[id]
	now := r.e.cfg.Clock.Now()
	m := &Member{StackID: r.key.ID, LogicalID: id, Type: def.Type,
		Operation: r.stack.Operation, Shape: Shape{Started: now, Created: r.stack.Operation}}
	return r.begin(m, CreateInProgress, "", CreateFailed)
}

// begin evaluates what the template says of a new member and writes its row, in
// progress for the reason or failed.
func (r *run) begin(m *Member, progress, reason, failed string) (*Member, error) {
	c, bad := r.evaluate(m)
	if bad != nil {
		c = &content{}
		if _, forUser := userMessage(bad); !forUser {
			return nil, bad
		}
	}
	var err error
	if m.Sealed, err = r.e.seal(m, c); err != nil {
		return nil, err
	}
	err = r.commit(func(tx *store.Tx) error {
		if err := r.holds(tx); err != nil {
			return err
		}
		if err := setMember(tx, r.stack, m, progress, reason); err != nil || bad == nil {
			return err
		}
		return setMember(tx, r.stack, m, failed, Reason(m.Type, bad))
	})
	r.keep(m, c)
	return m, err
}

// keep puts a member's new state where other resources' functions find it.
func (r *run) keep(m *Member, c *content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[m.LogicalID], r.content[m.LogicalID] = m, c
}

// evaluate gives a member the properties and all else that the template says.
func (r *run) evaluate(m *Member) (*content, error) {
	def := r.scope.Template.Resources[m.LogicalID]
	path := "/Resources/" + m.LogicalID
	properties, err := r.scope.EvalMap(def.Properties, path+"/Properties")
	if err != nil {
		return nil, err
	}
	metadata, err := r.scope.EvalMap(def.Metadata, path+"/Metadata")
	if err != nil {
		return nil, err
	}
	shown := maskedScope(r.scope)
	shown.World, shown.Resources = veiled{shown.World}, veiledMembers{members{r}}
	public, err := shown.Eval(def.Properties, path+"/Properties")
	if err != nil {
		return nil, err
	}
	if def.Properties != nil {
		m.Public = template.JSON(public)
	}
	m.DeletionPolicy, m.UpdateReplacePolicy = def.DeletionPolicy, def.UpdateReplacePolicy
	m.Tags = r.tagsFor(m.LogicalID)
	m.DependsOn = r.graph[m.LogicalID]
	return &content{Properties: properties, Metadata: metadata}, r.e.validate(m.LogicalID, m.Type, properties)
}

// tagsFor are the tags that a resource gets from its stack.
func (r *run) tagsFor(id string) map[string]string {
	spec := &r.stack.Spec
	if r.stack.Next != nil && (r.stack.Status == UpdateInProgress || r.stack.Status == ImportInProgress) {
		spec = r.stack.Next
	}
	tags := map[string]string{
		"aws:cloudformation:stack-name": r.stack.Name,
		"aws:cloudformation:stack-id":   r.stack.ID,
		"aws:cloudformation:logical-id": id,
	}
	maps.Copy(tags, spec.Tags)
	return tags
}

// request is what a resource type is told about a member.
func (r *run) request(m *Member) (Request, Resource, error) {
	_, c := r.member(m.LogicalID)
	return r.requestFor(m, c)
}

func (r *run) requestFor(m *Member, c *content) (Request, Resource, error) {
	res, ok := r.e.types.Of(m.Type)
	if !ok {
		return Request{}, nil, propertyErrorf("Unrecognized resource type %s", m.Type)
	}
	return Request{
		StackID: r.stack.ID, StackName: r.stack.Name, LogicalID: m.LogicalID, Type: m.Type,
		PhysicalID: m.PhysicalID, Token: m.token(), Operation: r.stack.Operation, Properties: c.Properties, Tags: m.Tags,
		Region: r.stack.Region, Account: r.stack.Account,
	}, res, nil
}

// token names the creation of a member; services keep it under a unique index.
func (m *Member) token() string { return fmt.Sprintf("%s/%s/%d", m.StackID, m.LogicalID, m.Created) }

// callCreate calls the type's Create. The physical id is stored as soon as the
// type announces it; then announced is called.
func (r *run) callCreate(ctx context.Context, m *Member, announced func()) (Result, error) {
	req, res, err := r.request(m)
	if err != nil {
		return Result{}, err
	}
	started := func(physicalID string) {
		if m.PhysicalID == "" && physicalID != "" {
			// An error is an engine that is closing: ctx has ended, or is about to.
			_ = r.record(m, func() { m.PhysicalID = physicalID }, m.Status, "Resource creation Initiated")
		}
		announced()
	}
	out, err := res.Create(aws.WithCall(ctx, callFor(r.stack, m.token())), req, started)
	if err == nil {
		started(out.PhysicalID)
	}
	return out, err
}

// record writes a change of a member and its event. It does not look at the
// stack's status: what has happened to a resource is true whoever has the stack.
func (r *run) record(m *Member, change func(), status, reason string) error {
	return r.commit(func(tx *store.Tx) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		change()
		if status != CreateInProgress && status != UpdateInProgress && r.e.Schema(m.Type).UpdatePolicy {
			// Nobody waits for them any longer, and an update in steps brings as many as it
			// launches instances.
			if err := forgetSignals(tx, "target", signalTarget(m.StackID, m.LogicalID)); err != nil {
				return err
			}
		}
		return setMember(tx, r.stack, m, status, reason)
	})
}

// commit is write for a change of a member; its errors are unrecorded.
func (r *run) commit(fn func(*store.Tx) error) error {
	err := r.e.write(fn)
	if err == nil || errors.Is(err, errInterrupted) {
		return err
	}
	return &unrecorded{err}
}

// finish records how a creation or update ended and returns the failure, if it is
// one. When the engine is closing nothing is recorded: the call is repeated.
func (r *run) finish(ctx context.Context, m *Member, res Result, err error, complete, failed, cancelled string) error {
	if stop := r.e.ctx.Err(); stop != nil {
		return stop
	}
	if err != nil {
		reason := Reason(m.Type, err)
		if ctx.Err() != nil {
			reason = cancelled
			// The service may have made the resource and the call ended before it said so.
			if stop := r.learnID(r.e.ctx, m); stop != nil {
				return stop
			}
		}
		return errors.Join(r.record(m, func() {}, failed, reason), err)
	}
	addID(m.Type, &res)
	_, known := r.member(m.LogicalID)
	c := *known
	c.Ref, c.Attributes, c.Secret = res.Ref, res.Attributes, res.Secret
	sealed, err := r.e.seal(m, &c)
	if err != nil {
		return err
	}
	err = r.record(m, func() {
		m.Sealed, r.content[m.LogicalID] = sealed, &c
		if res.PhysicalID != "" {
			r.replacedBy(m, res.PhysicalID)
		}
	}, complete, r.stack.completion())
	return err
}

// replacedBy gives a member the physical id that its type returned. Another one after
// an update means that the type has replaced the resource by itself.
func (r *run) replacedBy(m *Member, id string) {
	if m.Status == UpdateInProgress && !m.Replaced && m.PhysicalID != "" && m.PhysicalID != id && m.Other != nil && m.Before == nil {
		m.Replaced, m.Created = true, r.stack.Operation
	}
	m.PhysicalID = id
}

// CheckOutputs refuses outputs that ask for an attribute which no resource of its
// type has.
func (e *Engine) CheckOutputs(scope *template.Scope) error {
	for _, name := range slices.Sorted(maps.Keys(scope.Template.Outputs)) {
		o := scope.Template.Outputs[name]
		if !scope.Active(o.Condition) {
			continue
		}
		for _, use := range scope.Attributes(o.Value, "/Outputs/"+name+"/Value") {
			typ := scope.Template.Resources[use.ID].Type
			if known(e.types, typ) && !e.Schema(typ).HasAttribute(use.Attribute) {
				return propertyErrorf("[Error] %s: Resource type %s does not support attribute {%s}", use.Path, typ, use.Attribute)
			}
		}
	}
	return nil
}
