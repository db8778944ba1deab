package container

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// fewFiles lets the process open only some files more than it has open now.
func fewFiles(t *testing.T, more uint64) {
	t.Helper()
	have, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var before unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(len(have)) + more, Max: before.Max}))
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before)) })
}

// nest makes directories below dir, each in the other, with a file in each.
func nest(t *testing.T, dir string, depth int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	for range depth {
		must(t, unix.Mkdirat(fd, "d", 0o755))
		must(t, unix.Mknodat(fd, "f", unix.S_IFREG|0o600, 0))
		below, err := unix.Openat(fd, "d", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd = below
	}
	must(t, unix.Close(fd))
}

func TestRemoveDeep(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T, tree, outside string)
	}{
		{"nothing", func(t *testing.T, tree, _ string) { must(t, os.Remove(tree)) }},
		{"a file", func(t *testing.T, tree, _ string) {
			must(t, os.Remove(tree))
			must(t, os.WriteFile(tree, nil, 0o600))
		}},
		{"empty", func(*testing.T, string, string) {}},
		{"deeper than there are descriptors", func(t *testing.T, tree, _ string) { nest(t, tree, 1500) }},
		{"two deep ones", func(t *testing.T, tree, _ string) {
			for _, name := range []string{"a", "b"} {
				must(t, os.Mkdir(filepath.Join(tree, name), 0o755))
				nest(t, filepath.Join(tree, name), 300)
			}
		}},
		{"wide", func(t *testing.T, tree, _ string) {
			for i := range 5000 {
				must(t, os.WriteFile(filepath.Join(tree, strconv.Itoa(i)), nil, 0o600))
			}
		}},
		{"links to what is outside", func(t *testing.T, tree, outside string) {
			must(t, os.Symlink(outside, filepath.Join(tree, "dir")))
			must(t, os.Symlink(filepath.Join(outside, "kept"), filepath.Join(tree, "file")))
		}},
		{"shut directories and odd names", func(t *testing.T, tree, _ string) {
			must(t, os.MkdirAll(filepath.Join(tree, "a\nb", "\xff"), 0o755))
			must(t, unix.Mkfifo(filepath.Join(tree, "pipe"), 0))
			must(t, os.Chmod(filepath.Join(tree, "a\nb"), 0))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			trash, outside := t.TempDir(), t.TempDir()
			tree := filepath.Join(trash, "tree")
			must(t, os.Mkdir(tree, 0o755))
			must(t, os.WriteFile(filepath.Join(outside, "kept"), nil, 0o600))
			c.make(t, tree, outside)
			fewFiles(t, maxDescent+20)
			must(t, removeDeep(tree))
			if left, err := os.ReadDir(trash); err != nil || len(left) != 0 {
				t.Errorf("left: %v, %v", left, err)
			}
			if _, err := os.Stat(filepath.Join(outside, "kept")); err != nil {
				t.Error(err)
			}
		})
	}
}
