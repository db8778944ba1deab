package codedeploy

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/store"
)

// The worker's memory of its targets must be what the rows say, whatever has
// happened since it was last brought up to date.
func TestRosterFollowsTheRows(t *testing.T) {
	w := newWorld(t)
	w.setUp(func(in *api.CreateDeploymentGroupInput) { in.DeploymentConfigName = aws.Ptr(allAtOnce) })
	w.newFleet(5, 2)
	id := w.deploy("v1")
	k := store.Key{Account: account, Region: region, ID: id}
	var r roster
	for ended := false; !ended; {
		changed := w.db.Changed(store.Filter{Service: "codedeploy"})
		err := w.db.View(context.Background(), func(tx *store.Tx) error {
			d, err := deployments.Get(tx, k)
			if err != nil {
				return err
			}
			ended = d.ended()
			return r.compare(t, tx, k)
		})
		if err != nil {
			t.Fatal(err)
		}
		if !ended {
			<-changed
		}
	}
	if !r.known || len(r.list) != 5 {
		t.Errorf("%d targets", len(r.list))
	}
}

func (r *roster) compare(t *testing.T, tx *store.Tx, k store.Key) error {
	t.Helper()
	list, err := r.read(tx, k)
	if err != nil {
		return err
	}
	want, err := targetsOf(tx, k.ID)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].Status != want[i].Status || list[i].InstanceID != want[i].InstanceID {
			t.Errorf("%s is %s, want %s", list[i].InstanceID, list[i].Status, want[i].Status)
		}
	}
	if err := r.refresh(tx, k); err != nil {
		return err
	}
	if len(list) != len(want) || !reflect.DeepEqual(append([]*target{}, r.list...), append([]*target{}, want...)) {
		t.Errorf("refreshed %+v, want %+v", r.list, want)
	}
	return nil
}

// What a failed transaction changed in memory is forgotten, and what one that runs
// again had changed before.
func TestRosterForgets(t *testing.T) {
	r := roster{known: true, seq: 7}
	r.begin()
	r.end(errors.New("not committed"))
	if r.known || r.seq != 0 {
		t.Errorf("after a failure: %+v", r)
	}
	r = roster{known: true, seq: 7}
	r.begin()
	r.begin()
	if r.known {
		t.Errorf("run again: %+v", r)
	}
	r = roster{known: true, seq: 7}
	r.begin()
	r.end(nil)
	if !r.known || r.open {
		t.Errorf("after a success: %+v", r)
	}
}

// A server that has just started does not know what its predecessor handed out.
// Our agent takes what it gets twice once; AWS's must not get it twice.
func TestOffersAfterARestart(t *testing.T) {
	for _, tc := range []struct {
		name  string
		ours  bool
		early bool // the command was due before the start
		waits bool
	}{
		{"our agent", true, true, false}, {"another", false, true, true}, {"another, a new command", false, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			now := w.clock.Now()
			p := newPolls(now)
			k := store.Key{ID: "i-1"}
			p.begin(k, tc.ours, now)
			ready := now
			if tc.early {
				ready = now.Add(-1)
			}
			due := p.offer(k, "c", ready, now)
			if tc.waits != (due == now.Add(lease)) {
				t.Errorf("not before %v", due)
			}
			if tc.waits {
				return
			}
			if due := p.offer(k, "c", ready, now); due != now.Add(lease) || p.offers(k, "c") != 1 || p.offers(k, "d") != 0 {
				t.Errorf("again at %v, offered %d times", due, p.offers(k, "c"))
			}
		})
	}
}
