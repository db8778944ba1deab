package logs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// A deletion whose request was given up leaves work, which the server that runs does.
func TestDeletionThatWasGivenUpIsFinished(t *testing.T) {
	l := newLab(t, gate{})
	l.run()
	ctx, cancel := context.WithTimeout(l.Ctx, 10*time.Second)
	defer cancel()
	if err := l.Clock.BlockUntil(ctx, 1); err != nil {
		t.Fatal(err)
	}
	drops := &store.Table[struct{ Index, UID, Group string }]{Name: "logs.drop", Version: 1}
	k := store.Key{Account: wiretest.Account, Region: "us-east-1", ID: "uid"}
	if err := l.DB.Update(ctx, func(tx *store.Tx) error {
		return drops.Insert(tx, k, &struct{ Index, UID, Group string }{"first", "uid", "g"})
	}); err != nil {
		t.Fatal(err)
	}
	l.Clock.Advance(time.Hour)
	if err := l.Clock.BlockUntil(ctx, 1); err != nil {
		t.Fatal(err)
	}
	err := l.DB.View(ctx, func(tx *store.Tx) error {
		_, err := drops.Get(tx, k)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the work is still there: %v", err)
	}
}
