package stacktest

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/stack"
)

// FakeProperties are the properties of the type that Fake implements.
type FakeProperties struct {
	Name  *string `cfn:",createOnly"`
	Kind  *string `cfn:",createOnly"`
	Value string
	Size  *int
	List  []string
	Any   any
	Tags  []stack.Tag
}

// Fake is a resource type kept in memory. It outlives engines, as services do, so
// that crash tests can count what was made.
type Fake struct {
	// Before, when set, runs at the start of each method ("Create", "Update",
	// "Delete"); what it returns ends the method. Started runs after the physical
	// id has been announced, Committed before that. They are set before use.
	Before             func(ctx context.Context, method string, r stack.Request) error
	Started, Committed func(ctx context.Context, r stack.Request) error

	mu      sync.Mutex
	made    int
	byToken map[string]string
	items   map[string]stack.Result
	values  map[string]FakeProperties
	callers map[string]aws.Call
	log     []string
}

// NewFake returns an empty Fake.
func NewFake() *Fake {
	return &Fake{byToken: map[string]string{}, items: map[string]stack.Result{},
		values: map[string]FakeProperties{}, callers: map[string]aws.Call{}}
}

// Schema implements stack.Resource.
func (f *Fake) Schema() stack.Schema {
	s := stack.SchemaOf(FakeProperties{})
	s.Attributes = []string{"Arn", "Value"}
	s.Taggable, s.Signals, s.NameProperty = true, true, "Name"
	return s
}

// Create implements stack.Resource.
func (f *Fake) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	var p FakeProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := f.before(ctx, "Create", r); err != nil {
		return stack.Result{}, err
	}
	res := f.make(ctx, r, p)
	if f.Committed != nil {
		if err := f.Committed(ctx, r); err != nil {
			return stack.Result{}, err
		}
	}
	started(res.PhysicalID)
	if f.Started != nil {
		if err := f.Started(ctx, r); err != nil {
			return stack.Result{}, err
		}
	}
	return res, ctx.Err()
}

func (f *Fake) make(ctx context.Context, r stack.Request, p FakeProperties) stack.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := aws.CallFrom(ctx).Token
	id, again := f.byToken[token]
	if !again {
		f.made++
		id = fmt.Sprintf("fake-%s-%d", r.LogicalID, f.made)
		if p.Name != nil {
			id = *p.Name
		}
		f.byToken[token] = id
		f.callers[id] = aws.CallFrom(ctx)
		f.log = append(f.log, "create "+r.LogicalID)
		f.put(id, p)
	}
	return f.items[id]
}

func (f *Fake) put(id string, p FakeProperties) {
	f.values[id] = p
	f.items[id] = stack.Result{PhysicalID: id, Attributes: map[string]any{
		"Arn": "arn:aws:fake:::" + id, "Value": p.Value}}
}

// Read implements stack.Resource.
func (f *Fake) Read(_ context.Context, r stack.Request) (stack.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	res, ok := f.items[r.PhysicalID]
	if !ok {
		return stack.Result{}, stack.ErrNotFound
	}
	return res, nil
}

// Live implements stack.Live.
func (f *Fake) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	if err := f.before(ctx, "Live", r); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.values[r.PhysicalID]
	if _, exists := f.items[r.PhysicalID]; !ok || !exists {
		return nil, stack.ErrNotFound
	}
	live, _ := stack.Plain(p).(map[string]any)
	return live, nil
}

// Change changes a resource behind the engine's back; nil removes it.
func (f *Fake) Change(id string, change func(*FakeProperties)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if change == nil {
		delete(f.items, id)
		return
	}
	p := f.values[id]
	change(&p)
	f.put(id, p)
}

// Update implements stack.Resource.
func (f *Fake) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	var p FakeProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return stack.Result{}, err
	}
	if err := f.before(ctx, "Update", r); err != nil {
		return stack.Result{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.items[r.PhysicalID]; !ok {
		return stack.Result{}, stack.ErrNotFound
	}
	f.put(r.PhysicalID, p)
	f.log = append(f.log, "update "+r.LogicalID)
	return f.items[r.PhysicalID], nil
}

// Delete implements stack.Resource.
func (f *Fake) Delete(ctx context.Context, r stack.Request) error {
	if err := f.before(ctx, "Delete", r); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.items[r.PhysicalID]; ok {
		delete(f.items, r.PhysicalID)
		f.log = append(f.log, "delete "+r.LogicalID)
	}
	return nil
}

func (f *Fake) before(ctx context.Context, method string, r stack.Request) error {
	if f.Before != nil {
		if err := f.Before(ctx, method, r); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Made returns how many resources were ever made.
func (f *Fake) Made() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// Items returns the properties of what exists now, by physical id.
func (f *Fake) Items() map[string]FakeProperties {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[string]FakeProperties, len(f.items))
	for id := range f.items {
		out[id] = f.values[id]
	}
	return out
}

// Callers returns the Call under which each resource was made.
func (f *Fake) Callers() map[string]aws.Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.callers)
}

// Log returns what was done, in order: "create A", "delete A".
func (f *Fake) Log() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.log...)
}
