package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	// keptRefusals bounds the refusals kept of an account.
	keptRefusals = 1000
	// queuedRefusals bounds those that wait to be written; later ones push out the
	// oldest.
	queuedRefusals = 4096
	// exactResources bounds the resources recorded of one action of a principal;
	// beyond it they are recorded by what they have in common.
	exactResources = 200
	// keptUses bounds the uses kept of all principals together: names come and go, and
	// nobody says when one is gone for good. The ones seen longest ago make room.
	keptUses = 20_000
	// writeDelay gathers what is written together.
	writeDelay = 500 * time.Millisecond
)

// Recorder keeps what the authorizer decides. Its methods are safe for concurrent
// use and do not wait for the database.
type Recorder struct {
	db    *store.DB
	clock clock.Clock
	kept  int // keptUses; tests have fewer

	mu       sync.Mutex
	refusals []queued
	uses     map[useID]*use
	counts   map[useID]int // distinct resources by principal and action
	dirty    map[useID]bool
	gone     []useID       // evicted, with rows that are still there
	wake     chan struct{} // one token: there is something to write
	serial   int

	// writing is held from taking what waits until it is committed: who asks for the
	// records finds what another writer has taken, and counts never go back.
	writing sync.Mutex
	loaded  bool // under writing
}

type queued struct {
	account string
	serial  int
	refusal refusal
}

// useID identifies a use; with an empty resource it stands for all of an action.
type useID struct{ account, principal, action, resource string }

func (id useID) all() useID { return useID{id.account, id.principal, id.action, ""} }

func (id useID) key() store.Key {
	return store.Key{Account: id.account, ID: id.principal + "\x00" + id.action + "\x00" + id.resource}
}

// NewRecorder returns a recorder that writes to db while Run runs.
func NewRecorder(db *store.DB, c clock.Clock) *Recorder {
	return &Recorder{db: db, clock: c, kept: keptUses, uses: map[useID]*use{}, counts: map[useID]int{}, dirty: map[useID]bool{}, wake: make(chan struct{}, 1)}
}

// asking is the model name of this package's API. Its own calls are part of
// nobody's work and not recorded.
const asking = "access"

// Allowed records that the caller of call passed the check. Anonymous callers and
// services have no policy to suggest and are left out.
func (r *Recorder) Allowed(call aws.Call, c aws.Check) {
	p := call.Principal
	if p.Type == aws.PrincipalAnonymous || p.Type == aws.PrincipalService || call.Service == asking {
		return
	}
	now := r.clock.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	exact := useID{p.Account, identityOf(p), c.Action, c.Resource}
	id := r.place(exact)
	u := r.uses[id]
	if u == nil {
		u = &use{Principal: id.principal, Action: id.action, Resource: id.resource, Family: id != exact, First: now}
		r.uses[id] = u
	}
	u.Count++
	fresh := u.passed(c.Context["iam:PassedToService"]) || u.Count == 1
	// A use that is known is written again once in a while only, and when somebody
	// asks.
	if fresh || now.Sub(u.Last) > time.Minute {
		u.Last = now
		r.dirty[id] = true
		r.signal()
	}
}

// place returns the id under which a use is recorded. Who holds r.mu calls it.
func (r *Recorder) place(id useID) useID {
	if r.uses[id] != nil {
		return id
	}
	all := id.all()
	if r.counts[all] >= exactResources {
		id.resource = family(id.resource)
		if r.uses[id] != nil {
			return id
		}
	}
	r.counts[all]++
	return id
}

// Refused records a refusal.
func (r *Recorder) Refused(call aws.Call, j policy.Judgement, enforced bool) {
	account := call.Principal.Account
	if account == "" {
		account = call.Account
	}
	row := refusal{RequestID: call.RequestID, Origin: call.Origin, Time: r.clock.Now().UTC(), Service: call.Service,
		Operation: call.Operation, Enforced: enforced, Explanation: explain(j)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serial++
	r.refusals = append(r.refusals, queued{account, r.serial, row})
	if len(r.refusals) > queuedRefusals {
		r.refusals = r.refusals[1:]
	}
	r.signal()
}

func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run writes what is recorded until ctx ends, and what is left then.
func (r *Recorder) Run(ctx context.Context) error {
	if err := r.write(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			r.settle(func(useID) bool { return true })
			return r.write(context.WithoutCancel(ctx))
		case <-r.wake:
		}
		select {
		case <-ctx.Done():
		case <-r.clock.After(writeDelay):
		}
		if err := r.write(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
}

// load takes up the uses of an earlier run, once, so that counts go on. Who holds
// r.writing calls it.
func (r *Recorder) load(ctx context.Context) error {
	if r.loaded {
		return nil
	}
	return r.db.View(ctx, func(tx *store.Tx) error {
		rows, err := uses.List(tx, store.Scope{}, "", 0)
		if err != nil {
			return err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, row := range rows {
			r.take(row.Key.Account, row.Value)
		}
		r.loaded = true
		return nil
	})
}

func (r *Recorder) take(account string, old *use) {
	id := useID{account, old.Principal, old.Action, old.Resource}
	if u := r.uses[id]; u != nil { // came while loading
		u.Count += old.Count
		u.First = old.First
		u.passed(old.PassedTo)
		r.dirty[id] = true
		return
	}
	old.written = old.Count
	r.uses[id] = old
	r.counts[id.all()]++
}

// write puts everything that waits into one transaction.
func (r *Recorder) write(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := r.load(ctx); err != nil {
		return fmt.Errorf("read access records: %w", err)
	}
	b := r.drain()
	if len(b.refused) == 0 && len(b.changed) == 0 && len(b.gone) == 0 {
		return nil
	}
	if err := r.db.Update(ctx, b.write); err != nil {
		r.restore(b)
		return fmt.Errorf("write access records: %w", err)
	}
	return nil
}

// batch is what one transaction writes.
type batch struct {
	refused []queued
	changed map[useID]use
	gone    []useID // before what has changed: it may be back
}

func (b batch) write(tx *store.Tx) error {
	for _, id := range b.gone {
		if err := uses.Delete(tx, id.key()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	for id, u := range b.changed {
		if err := uses.Put(tx, id.key(), &u); err != nil {
			return err
		}
	}
	accounts := map[string]bool{}
	for _, q := range b.refused {
		key := store.Key{Account: q.account, ID: fmt.Sprintf("%020d-%06d", q.refusal.Time.UnixNano(), q.serial%1e6)}
		if err := refusals.Put(tx, key, &q.refusal); err != nil {
			return err
		}
		accounts[q.account] = true
	}
	for account := range accounts {
		if err := prune(tx, account); err != nil {
			return err
		}
	}
	return nil
}

// restore puts back what could not be written.
func (r *Recorder) restore(b batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusals = append(b.refused, r.refusals...)
	r.refusals = r.refusals[max(0, len(r.refusals)-queuedRefusals):]
	for id := range b.changed {
		r.dirty[id] = true
	}
	r.gone = append(b.gone, r.gone...)
	r.signal()
}

// settle has the next write bring the counts of uses up to date.
func (r *Recorder) settle(which func(useID) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, u := range r.uses {
		if u.Count != u.written && which(id) {
			r.dirty[id] = true
		}
	}
}

func (r *Recorder) drain() batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.uses) > r.kept {
		r.evict(len(r.uses) - r.kept*9/10)
	}
	b := batch{r.refusals, map[useID]use{}, r.gone}
	for id := range r.dirty {
		r.uses[id].written = r.uses[id].Count
		u := *r.uses[id]
		u.PassedTo = slices.Clone(u.PassedTo)
		b.changed[id] = u
	}
	r.refusals, r.dirty, r.gone = nil, map[useID]bool{}, nil
	return b
}

// evict drops the n uses that were seen longest ago. Who holds r.mu calls it.
func (r *Recorder) evict(n int) {
	oldest := slices.SortedFunc(maps.Keys(r.uses), func(a, b useID) int { return r.uses[a].Last.Compare(r.uses[b].Last) })
	for _, id := range oldest[:n] {
		delete(r.uses, id)
		delete(r.dirty, id)
		all := id.all()
		if r.counts[all]--; r.counts[all] == 0 {
			delete(r.counts, all)
		}
	}
	r.gone = append(r.gone, oldest[:n]...)
}

// prune keeps the latest refusals of an account.
func prune(tx *store.Tx, account string) error {
	n, err := refusals.Count(tx, "age", account+"\x00", account+"\x01")
	if err != nil || n <= keptRefusals {
		return err
	}
	rows, err := refusals.Range(tx, "age", account+"\x00", account+"\x01", n-keptRefusals, false)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := refusals.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

// explain turns a judgement into what is kept of it.
func explain(j policy.Judgement) explanation {
	who := j.Request.Principal.ARN
	if who == "" {
		who = "anonymous"
	}
	e := explanation{Principal: who, Action: j.Request.Action, Resource: j.Request.Resource, Decision: j.Result.Decision,
		Reason: j.Sentence(), Identity: bearer(j.Request.Principal), PolicyType: string(j.Result.Part), Policy: j.Result.Policy, Sources: j.Sources, Fix: fix(j)}
	if j.Result.Decision != policy.Allowed {
		e.Reason = j.Result.Reason(j.Request.Action)
	}
	if j.Statement != nil {
		e.Number = j.Result.Statement + 1
		if b, err := json.Marshal(j.Statement); err == nil {
			e.Statement = string(b)
		}
	}
	for _, n := range j.Near {
		e.Near = append(e.Near, fmt.Sprintf("statement %d of %s allows the action, but %s", n.Statement+1, n.Policy, n.Why))
	}
	return e
}
