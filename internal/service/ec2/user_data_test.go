package ec2

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/store"
)

// TestUserDataIsSealed: the row shows nothing of it, also the row of an earlier
// version once a server has found it.
func TestUserDataIsSealed(t *testing.T) {
	w := newWorld(t)
	id := w.launch(func(in *api.RunInstancesInput) { in.UserData = aws.Ptr("aGVsbG8=") })
	if r := w.row(id); len(r.UserData) == 0 || bytes.Contains(r.UserData, []byte("hello")) || w.userData(id) != "hello" {
		t.Errorf("stored as %q, read as %q", r.UserData, w.userData(id))
	}
	c := aws.CallFrom(w.ctx)
	old := w.row(id)
	old.UserData = []byte("from before")
	doc, err := json.Marshal(old)
	if err == nil {
		doc, err = upgradeInstance(1, doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	old = &instance{}
	if err := json.Unmarshal(doc, old); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Update(w.ctx, func(tx *store.Tx) error { return instances.Put(tx, key(c, id), old) }); err != nil {
		t.Fatal(err)
	}
	if got := w.userData(id); got != "from before" {
		t.Errorf("read as %q", got)
	}
	if err := w.svc.Adopt(w.ctx); err != nil {
		t.Fatal(err)
	}
	if r := w.row(id); len(r.PlainUserData) > 0 || len(r.UserData) == 0 || w.userData(id) != "from before" {
		t.Errorf("stored as %q and %q, read as %q", r.PlainUserData, r.UserData, w.userData(id))
	}
}
