package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/store"
)

// Outside is what templates ask of other services. ctx carries the stack's
// caller.
type Outside interface {
	// Zones returns the zones that Fn::GetAZs gives for a region.
	Zones(ctx context.Context, region string) ([]string, error)
	// StackOutput reads an output of another stack, for Fn::GetStackOutput.
	StackOutput(ctx context.Context, ref template.StackOutput) (string, error)
	// Secret resolves {{resolve:service:reference}}.
	Secret(ctx context.Context, service, reference string) (string, error)
}

// Config is what an Engine needs. All but Log must be set.
type Config struct {
	DB     *store.DB
	Sealer *store.Sealer
	Clock  clock.Clock
	Log    *slog.Logger
	// Types are the resource types of services; the engine adds its own.
	Types   Registry
	Outside Outside
	// Alarms is needed for rollback triggers alone.
	Alarms Alarms
	// Endpoint is the server's own base URL, which handle URLs begin with.
	Endpoint string
}

// Engine runs stacks, one worker each.
type Engine struct {
	cfg   Config
	types Registry
	// schemas are those of types, merged with AWS's.
	schemas map[string]Schema

	ctx    context.Context // ends at Close; no result is recorded after that
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	workers map[string]*worker // by stack ARN

	// beforeWrite is called before each of the engine's transactions; what it
	// returns stands for a process that died there. Tests set it.
	beforeWrite func() error
}

// worker is the goroutine that has a stack. again makes it look at the row once
// more before it ends; interrupt ends the calls in flight because an operation
// from outside has changed the status.
type worker struct {
	again     bool
	interrupt context.CancelCauseFunc
	// running is what the worker has found in the row, newest what the last wake said.
	running, newest *pulse
}

// check interrupts a worker that is not at what is newest.
func (w *worker) check() {
	if w.interrupt != nil && w.running != nil && w.newest != nil && *w.running != *w.newest {
		w.interrupt(errInterrupted)
	}
}

var errInterrupted = errors.New("the stack's status was changed by another operation")

// New returns an engine. It does nothing by itself until Resume.
func New(cfg Config) *Engine {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	e := &Engine{cfg: cfg, types: Registry{}, workers: map[string]*worker{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	for name, r := range cfg.Types {
		e.types[name] = r
	}
	for name, r := range e.ownTypes() {
		e.types[name] = r
	}
	e.schemas = schemasOf(e.types)
	return e
}

// Resume goes on with every stack whose operation was in progress. It is called
// once, when the services that the resource types belong to answer.
func (e *Engine) Resume(ctx context.Context) error {
	return e.cfg.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := Stacks.Range(tx, "working", "", "", 0, false)
		if err != nil {
			return fmt.Errorf("find stacks to resume: %w", err)
		}
		for _, r := range rows {
			e.wake(r.Value)
		}
		return nil
	})
}

// Close stops the workers and waits for them. Stacks stay as they are and go on
// when an engine is opened on the same store.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	e.wg.Wait()
	return nil
}

// Register adds resource types of a service that the engine itself is given to. It
// is called before Resume.
func (e *Engine) Register(types Registry) {
	maps.Copy(e.types, types)
	e.schemas = schemasOf(e.types)
}

// Types returns the resource types that the engine knows.
func (e *Engine) Types() Registry { return e.types }

// wake makes sure that a worker looks at the stack's row after this call.
// One that is at another status, or at another operation, is interrupted.
func (e *Engine) wake(s *Stack) {
	key, now := s.Key(), pulse{s.Status, s.Operation}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return
	}
	if w, ok := e.workers[key.ID]; ok {
		w.again, w.newest = true, &now
		w.check()
		return
	}
	e.workers[key.ID] = &worker{}
	e.wg.Add(1)
	go e.work(key)
}

// work runs phases until the stack rests.
func (e *Engine) work(key store.Key) {
	defer e.wg.Done()
	trouble := 0
	for {
		err := e.turn(key)
		if e.ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, errInterrupted) {
			trouble++
			e.troubled(key, err, trouble)
			continue
		}
		trouble = 0
		e.mu.Lock()
		w := e.workers[key.ID]
		if !w.again {
			delete(e.workers, key.ID)
			e.mu.Unlock()
			return
		}
		w.again = false
		e.mu.Unlock()
	}
}

// maxTrouble is how often a phase that cannot be recorded, a full disk say, is
// tried again before its stack is given up; troubleDelay stands between.
const (
	maxTrouble   = 5
	troubleDelay = 2 * time.Second
)

// troubled deals with an error that is the engine's own and no resource's. Stacks
// do not stay in progress with nobody working on them.
func (e *Engine) troubled(key store.Key, cause error, tries int) {
	e.cfg.Log.Error("stack worker", "stack", key.ID, "error", cause, "try", tries)
	if tries >= maxTrouble {
		err := e.write(func(tx *store.Tx) error {
			s, err := Stacks.Get(tx, key)
			if err != nil || !InProgress(s.Status) {
				return err
			}
			return setStatus(tx, s, failedFrom[s.Status], "Internal failure; the server's log says more. ")
		})
		if err == nil {
			return
		}
	}
	_ = clock.Sleep(e.ctx, e.cfg.Clock, troubleDelay) // an error is the engine's end
}

// failedFrom is where a stack ends when its phase cannot go on.
var failedFrom = map[string]string{
	CreateInProgress: CreateFailed, RollbackInProgress: RollbackFailed, DeleteInProgress: DeleteFailed,
	UpdateInProgress: UpdateFailed, UpdateCleanup: UpdateFailed,
	UpdateRollbackInProgress: UpdateRollbackFailed, UpdateRollbackCleanup: UpdateRollbackFailed,
	ImportInProgress: ImportRollbackFailed, ImportRollbackInProgress: ImportRollbackFailed,
}

// turn runs the phase that the row's status asks for, if any.
func (e *Engine) turn(key store.Key) error {
	ctx, interrupt := context.WithCancelCause(e.ctx)
	defer interrupt(nil)
	e.mu.Lock()
	w := e.workers[key.ID]
	w.interrupt, w.again, w.running, w.newest = interrupt, false, nil, nil
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		w.interrupt = nil
		e.mu.Unlock()
	}()
	r, err := e.load(ctx, key)
	if err != nil {
		return err
	}
	e.mu.Lock()
	w.running = &pulse{r.stack.Status, r.stack.Operation}
	w.check()
	e.mu.Unlock()
	phase := map[string]func(*run) error{
		CreateInProgress:         (*run).create,
		RollbackInProgress:       (*run).rollbackCreate,
		DeleteInProgress:         (*run).remove,
		UpdateInProgress:         (*run).update,
		UpdateCleanup:            (*run).cleanUp,
		UpdateRollbackInProgress: (*run).rollbackUpdate,
		UpdateRollbackCleanup:    (*run).cleanUpRollback,
		ImportInProgress:         (*run).importAll,
		ImportRollbackInProgress: (*run).rollbackImport,
	}[r.stack.Status]
	if phase == nil {
		return nil
	}
	if err := phase(r); err != nil {
		return err
	}
	e.mu.Lock()
	w.again = true // the next status may have a phase of its own
	e.mu.Unlock()
	return nil
}

// write is the only door to the store for workers. It outlives an interruption,
// because what has been done must be recorded, but not the end of the engine.
func (e *Engine) write(fn func(*store.Tx) error) error {
	if e.beforeWrite != nil {
		if err := e.beforeWrite(); err != nil {
			return err
		}
	}
	if err := e.ctx.Err(); err != nil {
		return err
	}
	return e.cfg.DB.Update(context.WithoutCancel(e.ctx), fn)
}

// callFor is the Call under which the stack's caller acts on a resource.
func callFor(s *Stack, token string) aws.Call {
	return aws.Call{
		Principal: s.Caller, Account: s.Account, Region: s.Region,
		RequestID: s.RequestID, Service: eventService, Operation: s.OperationName,
		Secure: true, Token: token,
	}.WithVia("cloudformation.amazonaws.com")
}

// run is one phase of one stack: the rows as they are and the scope to evaluate
// the template in. members changes as the phase goes on, under mu.
type run struct {
	e     *Engine
	ctx   context.Context
	key   store.Key
	stack *Stack
	scope *template.Scope // of the Spec the phase works towards
	graph template.Graph  // of the same

	mu      sync.Mutex
	members map[string]*Member
	content map[string]*content
	imports map[string]bool
}

// member returns what a run knows of a resource; nil, nil of one that never was.
func (r *run) member(id string) (*Member, *content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members[id], r.content[id]
}

func (e *Engine) load(ctx context.Context, key store.Key) (*run, error) {
	r := &run{e: e, ctx: ctx, key: key, members: map[string]*Member{}, content: map[string]*content{}, imports: map[string]bool{}}
	err := e.cfg.DB.View(ctx, func(tx *store.Tx) (err error) {
		if r.stack, err = Stacks.Get(tx, key); err != nil {
			return err
		}
		return r.readMembers(tx)
	})
	if err != nil {
		return nil, fmt.Errorf("load stack: %w", err)
	}
	r.ctx = r.stack.inMode(ctx)
	return r, r.openMembers()
}

// loadMembers is load for who only looks; the stack need not be stored yet.
func (e *Engine) loadMembers(ctx context.Context, s *Stack) (*run, error) {
	r := &run{e: e, ctx: ctx, key: s.Key(), stack: s, members: map[string]*Member{}, content: map[string]*content{}}
	if err := e.cfg.DB.View(ctx, r.readMembers); err != nil {
		return nil, fmt.Errorf("load the resources of a stack: %w", err)
	}
	return r, r.openMembers()
}

func (r *run) readMembers(tx *store.Tx) error {
	list, err := MembersOf(tx, r.key.ID)
	for _, m := range list {
		r.members[m.LogicalID] = m
	}
	return err
}

func (r *run) openMembers() (err error) {
	for id, m := range r.members {
		if r.content[id], err = r.e.open(m, m.Sealed); err != nil {
			return err
		}
	}
	return nil
}
