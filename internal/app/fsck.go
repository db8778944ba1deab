package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/s3"
	"github.com/hardstand/hardstand/internal/store"
)

// FsckConfig is what a check of a data dir can be told.
type FsckConfig struct {
	DataDir string
	// Database and Blob are serve's.
	Database, Blob string
	Repair         bool
}

// Fsck compares the objects of a data dir that no server uses with their bytes, writes
// a line for each finding and returns how many there were.
func Fsck(ctx context.Context, cfg FsckConfig, out io.Writer) (findings int, err error) {
	// A directory that was never in use is no place to make a new one in.
	if _, err := readID(cfg.DataDir); err != nil {
		return 0, &Refusal{Cause: cfg.DataDir + " is no data dir of a server", Remedy: "name one with --data-dir", Err: err}
	}
	dir, err := openDataDir(cfg.DataDir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, dir.lock.Unlock()) }()
	if there, err := exists(filepath.Join(dir.path, "state.db")); cfg.Database == "" && (err != nil || !there) {
		return 0, errors.Join(dir.lost(dir.join("state.db")), err)
	}
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(ctx, store.Config{URL: cfg.Database, Dir: dir.path, Clock: clock.System{}, Log: log})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	blobs, err := openBlobs(ctx, dir, cfg.Blob)
	if err != nil {
		return 0, err
	}
	service := s3.New(s3.Config{Store: db, Blobs: blobs, Clock: clock.System{}, Log: log})
	done, err := service.Check(ctx, cfg.Repair, func(f s3.Finding) { fmt.Fprintln(out, describe(f, cfg.Repair)) })
	if err != nil {
		return done.Findings, err
	}
	fmt.Fprintf(out, "%d objects, %d parts, %d bytes read; %d findings\n", done.Objects, done.Parts, done.Bytes, done.Findings)
	return done.Findings, nil
}

func describe(f s3.Finding, repaired bool) string {
	where := f.Object
	if where == "" {
		where = "blob " + f.Blob
	} else if f.Blob != "" {
		where += " (blob " + f.Blob + ")"
	}
	verb := "repair would do: "
	if repaired {
		verb = "repaired: "
	}
	return where + ": " + f.Problem + "; " + verb + f.Remedy
}
