package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/store/storetest"
)

func TestSQLite(t *testing.T) {
	storetest.Suite(t, func(t *testing.T) store.Config { return store.Config{Dir: t.TempDir()} })
}

// bg is for what outlives a test: the crashing child and benchmarks.
var bg = context.Background()

type counted struct{ N int }

var counts = store.Table[counted]{Name: "test.count", Version: 1}

// TestMain is also the child of TestCrash: it writes until it is killed and
// says on its output which update has been acknowledged.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_CRASH_DIR"); dir != "" {
		writeForever(store.Config{Dir: dir})
	}
	os.Exit(m.Run())
}

func writeForever(cfg store.Config) {
	db, err := store.Open(bg, cfg)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for worker := range 8 {
		go func() {
			for n := 1; ; n++ {
				err := db.Update(bg, func(tx *store.Tx) error {
					tx.Emit(store.Event{Kind: "count"})
					return counts.Put(tx, store.Key{ID: strconv.Itoa(worker)}, &counted{n})
				})
				if err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				fmt.Printf("%d %d\n", worker, n)
			}
		}()
	}
	select {}
}

// TestCrash kills a writing process and finds every acknowledged update again.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		acknowledged := crash(t, dir, 300*(round+1))
		db, err := store.Open(t.Context(), store.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		err = db.View(t.Context(), func(tx *store.Tx) error {
			for worker, n := range acknowledged {
				v, err := counts.Get(tx, store.Key{ID: worker})
				if err != nil {
					return err
				}
				if v.N < n {
					t.Errorf("round %d: worker %s was told %d, the store has %d", round, worker, n, v.N)
				}
			}
			return nil
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// crash runs the writing child, kills it after so many acknowledgements and
// returns the last of each worker.
func crash(t *testing.T, dir string, after int) map[string]int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_CRASH_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := map[string]int{}
	lines := bufio.NewReader(out)
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // a last line without its end was not acknowledged in full
		}
		if err != nil {
			t.Fatal(err)
		}
		worker, count, ok := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.Atoi(count)
		if !ok || err != nil {
			t.Fatalf("child says %q", line)
		}
		last[worker] = max(last[worker], v)
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if len(last) == 0 {
		t.Fatal("child wrote nothing")
	}
	return last
}

// A data dir may be named relative to the working directory, and by any name.
func TestDirNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"data", "./a b", "100%", "a?b#c", "ü"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		db, err := store.Open(t.Context(), store.Config{Dir: dir})
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		if _, err := os.Stat(dir + "/state.db"); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) != 5 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	first, err := store.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.LockDir(dir)
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("second lock: %v", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := store.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Unlock()
}

func TestStateIsPrivate(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := os.Stat(dir + "/state.db")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state.db: %v, %v", info.Mode(), err)
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		db, err := store.Open(b.Context(), store.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		_ = db.Close()
	}
}

func BenchmarkOpenEmpty(b *testing.B) {
	for b.Loop() {
		db, err := store.Open(b.Context(), store.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		_ = db.Close()
	}
}

func benchDB(b *testing.B) *store.DB {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

func BenchmarkUpdate(b *testing.B) {
	db := benchDB(b)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.Update(bg, func(tx *store.Tx) error { return counts.Put(tx, store.Key{ID: "a"}, &counted{1}) })
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	db := benchDB(b)
	_ = db.Update(bg, func(tx *store.Tx) error { return counts.Put(tx, store.Key{ID: "a"}, &counted{1}) })
	for b.Loop() {
		err := db.View(bg, func(tx *store.Tx) error {
			_, err := counts.Get(tx, store.Key{ID: "a"})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
