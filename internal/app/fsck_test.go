package app

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/hardstand/hardstand/internal/store"
)

// stocked is the data dir of a server that was stopped, with small and large objects, an
// object of parts, versions and a part of an upload.
func stocked(t *testing.T) (Config, map[string]string) {
	t.Helper()
	cfg := testConfig(t)
	s := start(t, cfg)
	ctx, b := t.Context(), ptr("goods")
	if _, err := s.s3().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	put := func(key, text string) {
		t.Helper()
		if _, err := s.s3().PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: &key, Body: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
		texts[key] = text
	}
	put("small", "a few words")
	put("other", "other words")
	put("large", strings.Repeat("LARGE", 40000))
	u, err := s.s3().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: ptr("parts")})
	if err != nil {
		t.Fatal(err)
	}
	part, err := s.s3().UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: ptr("parts"), UploadId: u.UploadId, PartNumber: ptr(int32(1)), Body: strings.NewReader("one part")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.s3().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: ptr("parts"), UploadId: u.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: ptr(int32(1)), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}}}); err != nil {
		t.Fatal(err)
	}
	texts["parts"] = "one part"
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	return cfg, texts
}

// edit changes the bytes of the one file below dir that holds text.
func edit(t *testing.T, dir, text string, change func(path string, content []byte, at int) error) {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if at := bytes.Index(content, []byte(text)); err == nil && at >= 0 {
			found = true
			return change(path, content, at)
		}
		return err
	})
	if err != nil || !found {
		t.Fatalf("no file with %.20q: %v", text, err)
	}
}

func overwrite(with string) func(string, []byte, int) error {
	return func(path string, content []byte, at int) error {
		copy(content[at:], with)
		return os.WriteFile(path, content, 0o600)
	}
}

func fsck(t *testing.T, cfg Config, repair bool) (int, string) {
	t.Helper()
	var out bytes.Buffer
	n, err := Fsck(t.Context(), FsckConfig{DataDir: cfg.DataDir, Repair: repair}, &out)
	if err != nil {
		t.Fatal(err)
	}
	return n, out.String()
}

func TestFsck(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		lost   string // the object that is gone after the repair
		says   string
		n      int
	}{
		{"nothing", func(*testing.T, string) {}, "", "4 objects, 0 parts, 200030 bytes read; 0 findings", 0},
		{"small damaged", func(t *testing.T, dir string) { edit(t, dir, "a few words", overwrite("X")) }, "small", "goods/small (blob p", 1},
		{"header damaged", func(t *testing.T, dir string) {
			edit(t, dir, "other words", func(path string, content []byte, at int) error {
				content[at-30] ^= 1
				return os.WriteFile(path, content, 0o600)
			})
		}, "other", "its bytes are damaged", 1},
		{"large damaged", func(t *testing.T, dir string) { edit(t, dir, "LARGELARGE", overwrite("X")) }, "large", "its bytes are damaged", 1},
		{"large truncated", func(t *testing.T, dir string) {
			edit(t, dir, "LARGELARGE", func(path string, _ []byte, _ int) error { return os.Truncate(path, 100) })
		}, "large", "its bytes are damaged", 1},
		{"large deleted", func(t *testing.T, dir string) {
			edit(t, dir, "LARGELARGE", func(path string, _ []byte, _ int) error { return os.Remove(path) })
		}, "large", "its bytes are missing", 1},
		{"part damaged", func(t *testing.T, dir string) { edit(t, dir, "one part", overwrite("X")) }, "parts", "goods/parts (blob p", 1},
		{"stray file", func(t *testing.T, dir string) {
			edit(t, dir, "LARGELARGE", func(path string, content []byte, _ int) error {
				id := filepath.Base(path)
				return os.WriteFile(filepath.Join(filepath.Dir(path), id[:17]+strings.Repeat("0", 14)+id[31:]), content, 0o600)
			})
		}, "", "200000 bytes that no object names", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, texts := stocked(t)
			dir := filepath.Join(cfg.DataDir, "blobs")
			c.damage(t, dir)
			n, out := fsck(t, cfg, false)
			if n != c.n || !strings.Contains(out, c.says) {
				t.Errorf("%d findings, want %d with %q:\n%s", n, c.n, c.says, out)
			}
			if again, _ := fsck(t, cfg, true); again != c.n {
				t.Errorf("the look has changed something: %d findings when repairing", again)
			}
			if left, out := fsck(t, cfg, false); left != 0 {
				t.Errorf("%d findings after the repair:\n%s", left, out)
			}
			delete(texts, c.lost)
			have(t, cfg, texts)
		})
	}
}

// have starts the server again and looks for exactly the objects.
func have(t *testing.T, cfg Config, texts map[string]string) {
	t.Helper()
	s := start(t, cfg)
	out, err := s.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: ptr("goods")})
	if err != nil || len(out.Contents) != len(texts) {
		t.Errorf("%d objects, want %d; %v", len(out.Contents), len(texts), err)
	}
	for key, text := range texts {
		got, err := s.s3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: ptr("goods"), Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(got.Body); err != nil || b.String() != text {
			t.Errorf("%s: %d bytes, %v", key, b.Len(), err)
		}
	}
}

// TestFsckMendsRows changes a row and has it follow the bytes.
func TestFsckMendsRows(t *testing.T) {
	cfg, texts := stocked(t)
	type row = map[string]any
	rows := store.Table[row]{Name: "s3.object", Version: 1}
	db, err := store.Open(t.Context(), store.Config{Dir: cfg.DataDir})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		k := store.Key{ID: "goods\x00small"}
		r, err := rows.Get(tx, k)
		if err != nil {
			return err
		}
		(*r)["Size"], (*r)["ETag"] = 3, strings.Repeat("0", 32)
		return rows.Put(tx, k, r)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if n, out := fsck(t, cfg, true); n != 1 || !strings.Contains(out, "goods/small: it has 11 bytes, its row says 3; repaired: the row follows the bytes") {
		t.Errorf("%d findings:\n%s", n, out)
	}
	if n, out := fsck(t, cfg, false); n != 0 {
		t.Errorf("%d findings:\n%s", n, out)
	}
	have(t, cfg, texts)
}

func TestFsckRefuses(t *testing.T) {
	s := start(t, testConfig(t))
	_, err := Fsck(t.Context(), FsckConfig{DataDir: s.cfg.DataDir}, &bytes.Buffer{})
	var refusal *Refusal
	if !errors.As(err, &refusal) || !errors.Is(err, store.ErrLocked) || !strings.Contains(refusal.Remedy, "stop it") {
		t.Errorf("in use: %v", err)
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := Fsck(t.Context(), FsckConfig{DataDir: filepath.Join(t.TempDir(), "none")}, &bytes.Buffer{}); !errors.As(err, &refusal) {
		t.Errorf("no data dir: %v", err)
	}
	if err := os.Remove(filepath.Join(s.cfg.DataDir, "state.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := Fsck(t.Context(), FsckConfig{DataDir: s.cfg.DataDir, Repair: true}, &bytes.Buffer{}); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "state.db") {
		t.Errorf("no state: %v", err)
	}
}
