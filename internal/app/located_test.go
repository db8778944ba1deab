package app

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
)

// Where an instance is, is read once, and again when something has changed in EC2.
func TestAddressesFollowChanges(t *testing.T) {
	ctx := t.Context()
	db, err := store.Open(ctx, store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reads, at := 0, netip.MustParseAddr("198.18.0.1")
	a := &addresses{db: db, read: func(_ context.Context, id string) (place, error) {
		reads++
		if id == "i-gone" {
			return place{}, errors.New("no such instance")
		}
		return place{Addr: at}, nil
	}}
	want := func(addr netip.Addr, n int) {
		t.Helper()
		if got, err := a.of(ctx, "i-1"); err != nil || got.Addr != addr || reads != n {
			t.Errorf("%s after %d reads, %v; want %s after %d", got.Addr, reads, err, addr, n)
		}
	}
	emit := func(service string) {
		t.Helper()
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Emit(store.Event{Account: "123456789012", Region: "us-east-1", Service: service, Resource: "i-1", Kind: "instance"})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want(at, 1)
	want(at, 1)
	emit("s3")
	want(at, 1)
	old := at
	at = netip.MustParseAddr("198.18.0.2")
	want(old, 1)
	emit("ec2")
	want(at, 2)
	want(at, 2)
	for range 2 {
		if _, err := a.of(ctx, "i-gone"); err == nil {
			t.Error("an instance that does not exist has an address")
		}
	}
	if reads != 4 {
		t.Errorf("%d reads: a failure was kept", reads)
	}
}
