package container

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/instance"
)

// launch is one instance on its way up. Steps fill it in.
type launch struct {
	d     *Driver
	spec  instance.Spec
	image *image
	// base is the first of the instance's 65,536 user and group ids.
	base uint32
	proc *process
	// socket is the daemon's end of the handover.
	socket *os.File
	netns  *os.File
	userns *os.File
	mounts []mount

	mu    sync.Mutex
	undos []func()
	// took tells how long each step needed, for the log and the benchmark.
	took map[string]time.Duration
}

// step is one part of a launch. It registers with l.undo what takes it back.
type step struct {
	name string
	run  func(l *launch, ctx context.Context) error
}

// stages run one after the other; the chains of a stage run at the same time,
// the steps of a chain in turn.
var stages = [][][]step{
	{{{"claim", (*launch).claim}}, {{"group", (*launch).makeGroup}}},
	{{{"clone", (*launch).clone}}, {{"disk", (*launch).makeDisk}}},
	{{{"join", (*launch).joinGroup}}, {{"attach", (*launch).attach}, {"listen", (*launch).listen}}, {{"rootfs", (*launch).makeRootfs}}},
	{{{"record", (*launch).record}, {"handover", (*launch).handOver}}},
}

// Launch implements instance.Driver.
func (d *Driver) Launch(ctx context.Context, spec instance.Spec) (instance.Handle, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	img, err := d.readyImage(ctx)
	if err != nil {
		return nil, fmt.Errorf("image of %s: %w", spec.ID, err)
	}
	l := &launch{d: d, spec: spec, image: img, took: map[string]time.Duration{}}
	if l.base, err = d.ranges.take(spec.ID); err != nil {
		return nil, err
	}
	for _, stage := range stages {
		if err := l.runStage(ctx, stage); err != nil {
			l.abort()
			return nil, fmt.Errorf("launch %s: %w", spec.ID, err)
		}
	}
	l.closeFiles()
	d.cfg.Log.Debug("instance launched", "instance", spec.ID, "pid", l.proc.pid, "steps", l.took)
	return d.watch(spec, l.proc), nil
}

func (l *launch) runStage(ctx context.Context, chains [][]step) error {
	errs := make([]error, len(chains))
	var wg sync.WaitGroup
	for i, chain := range chains[1:] {
		wg.Go(func() { errs[i+1] = l.runChain(ctx, chain) })
	}
	errs[0] = l.runChain(ctx, chains[0])
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (l *launch) runChain(ctx context.Context, chain []step) error {
	for _, s := range chain {
		start := l.d.cfg.Clock.Now()
		if err := s.run(l, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		l.mu.Lock()
		l.took[s.name] = l.d.cfg.Clock.Now().Sub(start)
		l.mu.Unlock()
	}
	return nil
}

// undo registers what abort does, last registered first.
func (l *launch) undo(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.undos = append(l.undos, f)
}

func (l *launch) abort() {
	for i := len(l.undos) - 1; i >= 0; i-- {
		l.undos[i]()
	}
	l.closeFiles()
}

// closeFiles drops the daemon's hold on what the instance now has itself.
func (l *launch) closeFiles() {
	for _, f := range []*os.File{l.socket, l.netns, l.userns} {
		if f != nil {
			_ = f.Close()
		}
	}
	for _, m := range l.mounts {
		m.close()
	}
	l.mounts = nil
}
