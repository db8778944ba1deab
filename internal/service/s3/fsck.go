package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/store"
)

// Finding is what a check of rows against bytes has found.
type Finding struct {
	// Object is bucket/key, with the version or the part where that matters; "" for
	// bytes that nothing names.
	Object  string
	Blob    string
	Problem string
	// Remedy is what repairing does, or has done, about it.
	Remedy string
}

// Checked counts what a check looked at.
type Checked struct {
	Objects, Parts, Strays int
	Bytes                  int64
	Findings               int
}

// Check reads every object and part and compares it with its row, then looks for bytes
// that no row names. With repair it mends what can be known: where the bytes carry
// their own sum and it is right, the row is wrong and follows them; where they do not
// agree with that sum, or are gone, the object is lost and its row goes; bytes that
// nothing names go too. Nobody else may use the store meanwhile.
func (s *Service) Check(ctx context.Context, repair bool, report func(Finding)) (Checked, error) {
	c := &check{s: s, repair: repair, report: report, dropped: map[string]bool{}}
	for _, walk := range []func(context.Context) error{c.objects, c.parts, c.strays} {
		if err := walk(ctx); err != nil {
			return c.done, fmt.Errorf("check objects: %w", err)
		}
	}
	return c.done, nil
}

type check struct {
	s      *Service
	repair bool
	report func(Finding)
	done   Checked
	// dropped are bytes of what was found lost: they are no strays.
	dropped map[string]bool
}

func (c *check) found(f Finding) {
	c.done.Findings++
	c.report(f)
}

// pages visits all rows of a table, some at a time, outside of a transaction.
func pages[T any](ctx context.Context, db *store.DB, t *store.Table[T], visit func(store.Key, *T) error) error {
	for after := ""; ; {
		var rows []store.Row[T]
		err := db.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = t.List(tx, store.Scope{}, after, namedAtOnce)
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := visit(r.Key, r.Value); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].Key.ID
	}
}

func (c *check) objects(ctx context.Context) error {
	// A version that replaces a current object which is lost moves to its place, so
	// versions are looked at before.
	for _, table := range []*store.Table[object]{&versions, &objects} {
		err := pages(ctx, c.s.db, table, func(k store.Key, o *object) error {
			if o.Marker {
				return nil
			}
			c.done.Objects++
			return c.object(ctx, table, k, o)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// object checks one version.
func (c *check) object(ctx context.Context, table *store.Table[object], k store.Key, o *object) error {
	bucketName, key, _ := strings.Cut(k.ID, "\x00")
	if table == &versions {
		key = key[:strings.LastIndex(key, "\x00")]
	}
	f := Finding{Object: bucketName + "/" + key}
	if o.Version != "" {
		f.Object += " version " + o.Version
	}
	var have content
	var bad broken
	var err error
	if o.Crypt == nil {
		have, bad, err = c.read(ctx, o)
	} else {
		bad, err = c.sealedSegments(ctx, o.Segments)
	}
	if err != nil {
		return err
	}
	switch {
	case bad.err == nil && (o.Crypt != nil || have.differs(o) == ""):
		return nil
	case bad.err == nil:
		f.Problem = have.differs(o)
		bad = c.proven(ctx, o.Segments)
	}
	if bad.err == nil {
		f.Remedy = "the row follows the bytes, which are what was written"
		c.found(f)
		return c.mend(ctx, func(tx *store.Tx) error { have.correct(o); return table.Put(tx, k, o) })
	}
	f.Blob, f.Remedy = bad.blob, "the object is removed: its bytes are lost"
	if f.Problem == "" || !errors.Is(bad.err, blob.ErrUnproven) {
		f.Problem = bad.text()
	}
	c.found(f)
	for _, seg := range o.Segments {
		c.dropped[seg.Blob] = true
	}
	return c.mend(ctx, func(tx *store.Tx) error { return dropVersion(tx, bucketName, key, o) })
}

func (c *check) mend(ctx context.Context, fn func(*store.Tx) error) error {
	if !c.repair {
		return nil
	}
	return c.s.db.Update(ctx, fn)
}

// proven returns the first segment that is not what was written, by its own sum, or
// that has none.
func (c *check) proven(ctx context.Context, segments []segment) broken {
	for _, seg := range segments {
		if err := c.s.blobs.store.Verify(ctx, seg.Blob); err != nil {
			return broken{seg.Blob, err}
		}
	}
	return broken{}
}

// broken are bytes that cannot be read as they were written.
type broken struct {
	blob string
	err  error
}

func (b broken) text() string {
	if errors.Is(b.err, blob.ErrNotFound) {
		return "its bytes are missing"
	}
	return "its bytes are damaged"
}

// content is what an object's bytes say.
type content struct {
	size     int64
	sizes    []int64
	etag     string
	checksum string // of the row's algorithm; "" when it is one of checksums
}

// read reads an object's bytes.
func (c *check) read(ctx context.Context, o *object) (content, broken, error) {
	var have content
	digests := md5.New()
	whole := hash.Hash(nil)
	if o.Checksum.Algorithm != "" && !strings.Contains(o.Checksum.Value, "-") {
		whole = blob.NewHash(o.Checksum.Algorithm)
	}
	for _, seg := range o.Segments {
		sum := md5.New()
		w := []io.Writer{sum}
		if whole != nil {
			w = append(w, whole)
		}
		n, err := c.copy(ctx, seg.Blob, w...)
		if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrDamaged) {
			return have, broken{seg.Blob, err}, nil
		}
		if err != nil {
			return have, broken{}, err
		}
		have.size += n
		have.sizes = append(have.sizes, n)
		if o.Upload == "" {
			have.etag = hex.EncodeToString(sum.Sum(nil))
		}
		_, _ = digests.Write(sum.Sum(nil))
	}
	switch {
	case o.Upload != "":
		have.etag = fmt.Sprintf("%x-%d", digests.Sum(nil), len(o.Segments))
	case len(o.Segments) == 0:
		have.etag = hex.EncodeToString(md5.New().Sum(nil))
	}
	if whole != nil {
		have.checksum = base64.StdEncoding.EncodeToString(whole.Sum(nil))
	}
	return have, broken{}, nil
}

func (c *check) copy(ctx context.Context, id string, to ...io.Writer) (int64, error) {
	r, err := c.s.blobs.store.Open(ctx, id, 0, -1)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	n, err := io.Copy(io.MultiWriter(to...), r)
	c.done.Bytes += n
	return n, err
}

// differs says what is not as the row has it.
func (h content) differs(o *object) string {
	switch {
	case h.size != o.Size:
		return fmt.Sprintf("it has %d bytes, its row says %d", h.size, o.Size)
	case h.etag != o.ETag:
		return fmt.Sprintf("its bytes have the ETag %s, its row says %s", h.etag, o.ETag)
	case h.checksum != "" && h.checksum != o.Checksum.Value:
		return fmt.Sprintf("its bytes have the %s %s, its row says %s", o.Checksum.Algorithm, h.checksum, o.Checksum.Value)
	}
	return ""
}

// correct makes the row say what the bytes are.
func (h content) correct(o *object) {
	o.Size, o.ETag = h.size, h.etag
	for i, n := range h.sizes {
		o.Segments[i].Size = n
	}
	if h.checksum != "" {
		o.Checksum.Value = h.checksum
	} else if o.Checksum.Algorithm != "" {
		o.Checksum = checksum{} // of parts whose sums are not known any more
	}
}

// parts checks the parts of uploads in progress.
func (c *check) parts(ctx context.Context) error {
	return pages(ctx, c.s.db, &parts, func(k store.Key, p *part) error {
		c.done.Parts++
		upload, _, _ := strings.Cut(k.ID, "\x00")
		f := Finding{Object: fmt.Sprintf("part %d of upload %s", p.Number, upload), Blob: p.Blob, Remedy: "the part is removed"}
		if p.Sealed {
			bad, err := c.sealedSegments(ctx, []segment{{Blob: p.Blob, Size: p.Size}})
			if err != nil || bad.err == nil {
				return err
			}
			f.Problem = bad.text()
			return c.losePart(ctx, k, p, f)
		}
		sum := md5.New()
		n, err := c.copy(ctx, p.Blob, sum)
		want, _ := hex.DecodeString(p.ETag)
		switch {
		case errors.Is(err, blob.ErrNotFound), errors.Is(err, blob.ErrDamaged):
			f.Problem = broken{p.Blob, err}.text()
		case err != nil:
			return err
		case n != p.Size || !bytes.Equal(sum.Sum(nil), want):
			f.Problem = "its bytes are not those of its row"
		default:
			return nil
		}
		return c.losePart(ctx, k, p, f)
	})
}

func (c *check) losePart(ctx context.Context, k store.Key, p *part, f Finding) error {
	c.found(f)
	c.dropped[p.Blob] = true
	return c.mend(ctx, func(tx *store.Tx) error { return parts.Delete(tx, k) })
}

// strays looks for bytes that no row names.
func (c *check) strays(ctx context.Context) error {
	named := map[string]bool{}
	for id, err := range c.s.named(ctx) {
		if err != nil {
			return err
		}
		named[id] = true
	}
	for e, err := range c.s.blobs.store.All(ctx) {
		if err != nil {
			return err
		}
		if !named[e.ID] && !c.dropped[e.ID] {
			c.done.Strays++
			c.found(Finding{Blob: e.ID, Problem: fmt.Sprintf("%d bytes that no object names", e.Size), Remedy: "they are removed"})
		}
	}
	if !c.repair {
		return nil
	}
	_, err := c.s.blobs.store.Sweep(ctx, c.s.named(ctx))
	return err
}
