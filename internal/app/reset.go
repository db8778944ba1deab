package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
)

// serveReset answers POST /_hardstand/reset.
func (s *System) serveReset(w http.ResponseWriter, r *http.Request) {
	if err := s.reset(context.WithoutCancel(r.Context())); err != nil {
		s.cfg.Log.Error("reset", "err", err)
		http.Error(w, "reset failed: "+err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, map[string]any{"status": "reset"})
}

// reset terminates every machine, throws the world's state away and builds a new
// world. New requests wait meanwhile, those in flight are interrupted. The root key
// and the certificate authority stay, so that shells and trust stores that know them
// go on. A reset that fails ends the server: what is left of its world is no world.
func (s *System) reset(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replaceWorld(ctx); err != nil {
		err = fmt.Errorf("reset: %w", err)
		s.fail(err)
		return err
	}
	return nil
}

func (s *System) replaceWorld(ctx context.Context) error {
	old := s.world
	limited, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := old.calls.interrupt(limited); err != nil {
		return err
	}
	if err := old.terminateAll(limited); err != nil {
		return fmt.Errorf("terminate instances: %w", err)
	}
	old.halt()
	if err := s.dir.forget(); err != nil {
		return err
	}
	if err := old.db.Erase(ctx); err != nil {
		return fmt.Errorf("erase state: %w", err)
	}
	if err := old.close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := errors.Join(os.RemoveAll(s.dir.join("blobs")), os.RemoveAll(s.dir.join("console"))); err != nil {
		return fmt.Errorf("remove objects and consoles: %w", err)
	}
	fresh, err := openWorld(ctx, s)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	s.world = fresh
	fresh.run(ctx)
	return s.dir.keepAccess(s.sealer, s.access)
}
