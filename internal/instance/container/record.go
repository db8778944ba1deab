package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// record is what a later daemon needs to find an instance again. It is replaced
// by rename, and not synced: it is worth nothing after the machine went down.
type record struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	// Base is the first of the instance's user ids, 0 without user namespace.
	Base      uint32 `json:"base"`
	PID       int    `json:"pid"`
	StartTime uint64 `json:"startTime"`
	BootID    string `json:"bootId"`
	NIC       string `json:"nic,omitempty"`
	// Group is the name of the control group.
	Group string `json:"group"`
	// Image and Guest are the digests the instance was started with.
	Image string `json:"image"`
	Guest string `json:"guest"`
}

const recordVersion = 1

// exitFile takes PID 1's note about how it ended.
const exitFile = "exit.json"

// guestDigest names the guest binary that new instances get.
func (d *Driver) guestDigest() string { return filepath.Base(filepath.Dir(d.binary.Name())) }

// record is the step that makes the instance known to later daemons. It comes
// before the release: an instance that runs always has a record.
func (l *launch) record(context.Context) error {
	started, err := startTime(l.proc.pid)
	if err != nil {
		return fmt.Errorf("start time of PID 1: %w", err)
	}
	return writeRecord(l.dir, record{
		Version: recordVersion, ID: l.spec.ID, Base: l.base, PID: l.proc.pid, StartTime: started,
		BootID: l.d.bootID, NIC: l.spec.NIC.ID, Group: l.name, Image: l.image.digest, Guest: l.d.guestDigest(),
	})
}

func writeRecord(dir string, r record) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	path := filepath.Join(dir, "record.json")
	if err := os.WriteFile(path+".new", doc, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func readRecord(dir string) (record, error) {
	var r record
	doc, err := os.ReadFile(filepath.Join(dir, "record.json"))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(doc, &r); err != nil {
		return r, fmt.Errorf("decode record: %w", err)
	}
	if r.Version != recordVersion {
		return r, errors.New("record was written by another version of hardstand")
	}
	return r, nil
}
