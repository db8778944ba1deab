package s3

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
)

// A key's current object has its row in objects, so that a listing walks current
// objects only, however many versions they have. Everything else of the key is in
// versions, newest first. A key whose latest version is a delete marker has no
// row in objects. An id of a version holds its place in that order, so that it is
// found without an index.

const (
	// nullVersion is how S3 writes the id of the version that has none.
	nullVersion = "null"
	// seqChars of a version's id are its place, the rest is random.
	seqChars      = 11
	versionLength = 32
	// checkChars at the end of an id are a digest of the rest, so that an id that
	// nobody was given is told from one of a version that is gone.
	checkChars = 4
)

var versionText = base64.NewEncoding("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ._abcdefghijklmnopqrstuvwxyz").WithPadding(base64.NoPadding)

// seqText is the end of a version's row id: later versions sort first.
func seqText(seq uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], ^seq)
	return hex.EncodeToString(b[:])
}

func versionKey(bucket, key string, seq uint64) store.Key {
	return store.Key{ID: bucket + "\x00" + key + "\x00" + seqText(seq)}
}

func newVersionID(seq uint64) string {
	var b [8 + 16]byte
	binary.BigEndian.PutUint64(b[:], seq)
	_, _ = rand.Read(b[8:])
	id := versionText.EncodeToString(b[:8]) + versionText.EncodeToString(b[8:])[:versionLength-seqChars-checkChars]
	return id + versionCheck(id)
}

func versionCheck(id string) string {
	sum := sha256.Sum256([]byte(id))
	return versionText.EncodeToString(sum[:])[:checkChars]
}

// invented returns the refusal of an id that was never given out. It is asked
// about ids under which nothing is found, since those of older servers have no
// digest.
func invented(id string) error {
	if id == nullVersion || versionCheck(id[:versionLength-checkChars]) == id[versionLength-checkChars:] {
		return nil
	}
	return errBadVersion(id)
}

// seqOf reads a version's place from its id.
func seqOf(id string) (uint64, bool) {
	if len(id) != versionLength {
		return 0, false
	}
	b, err := versionText.DecodeString(id[:seqChars])
	if err != nil || len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func errBadVersion(id string) error {
	return errInvalidArgument("Invalid version id specified", "versionId", id)
}

func errNoSuchVersion(key, id string) error {
	return awserr.Status(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.").
		With("Key", key).With("VersionId", id)
}

// validVersion refuses an id that no version of the bucket can have.
func (b *bucket) validVersion(id *string) error {
	switch v := aws.Val(id); {
	case id == nil, v == nullVersion:
		return nil
	case v == "":
		return errInvalidArgument("Version id cannot be the empty string", "versionId", "")
	case b.Versioning == "":
		return errBadVersion(v)
	default:
		if _, ok := seqOf(v); !ok {
			return errBadVersion(v)
		}
		return nil
	}
}

// versionID is how answers name the version: not at all in a bucket that was
// never versioned.
func (b *bucket) versionID(o *object) *string {
	switch {
	case b.Versioning == "" || o == nil:
		return nil
	case o.Version == "":
		return aws.Ptr(nullVersion)
	}
	return &o.Version
}

// written is versionID as the answer to a PutObject names it: only versions with
// an id of their own are named.
func (b *bucket) written(o *object) *string {
	if o.Version == "" {
		return nil
	}
	return b.versionID(o)
}

func orNil(o *object, err error) (*object, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return o, err
}

// latestOf returns the key's latest version, which may be a delete marker, or
// nil.
func latestOf(tx *store.Tx, b *bucket, key string) (*object, error) {
	o, err := orNil(objects.Get(tx, objectKey(b.Name, key)))
	if o != nil || err != nil || b.Versioning == "" {
		return o, err
	}
	return newestKept(tx, b.Name, key)
}

// newestKept is the first of the key's rows in versions, or nil.
func newestKept(tx *store.Tx, bucketName, key string) (*object, error) {
	prefix := objectKey(bucketName, key).ID + "\x00"
	rows, err := versions.List(tx, store.Scope{}, prefix, 1)
	if err != nil || len(rows) == 0 || !strings.HasPrefix(rows[0].Key.ID, prefix) {
		return nil, err
	}
	return rows[0].Value, nil
}

// versionOf returns the version with the id, which may be a delete marker, or
// nil.
func versionOf(tx *store.Tx, bucketName, key, id string) (*object, error) {
	if id == nullVersion {
		id = ""
	}
	o, err := orNil(objects.Get(tx, objectKey(bucketName, key)))
	if err != nil || o != nil && o.Version == id {
		return o, err
	}
	if id == "" {
		rows, err := versions.Lookup(tx, "null", objectKey(bucketName, key).ID)
		if err != nil || len(rows) == 0 {
			return nil, err
		}
		return rows[0].Value, nil
	}
	seq, ok := seqOf(id)
	if !ok {
		return nil, nil
	}
	o, err = orNil(versions.Get(tx, versionKey(bucketName, key, seq)))
	if o == nil || o.Version != id {
		return nil, err
	}
	return o, err
}

// addVersion makes o the key's latest version after old, as the bucket's
// versioning says, and returns the bytes that nothing names any more.
func addVersion(tx *store.Tx, b *bucket, key string, old, o *object, now time.Time) (gone []segment, err error) {
	k := objectKey(b.Name, key)
	if b.Versioning == "" {
		if old == nil {
			return nil, objects.Put(tx, k, o)
		}
		return old.Segments, objects.Put(tx, k, o)
	}
	o.Seq = uint64(now.UnixNano())
	if old != nil && o.Seq <= old.Seq {
		o.Seq = old.Seq + 1
	}
	if b.Versioning == s3.BucketVersioningStatusEnabled {
		o.Version = newVersionID(o.Seq)
	} else if gone, old, err = dropNull(tx, b, key, old); err != nil {
		return nil, err
	}
	if old != nil {
		if err := keepOld(tx, b, key, old, o.Marker, now); err != nil {
			return nil, err
		}
	}
	if o.Marker {
		return gone, versions.Put(tx, versionKey(b.Name, key, o.Seq), o)
	}
	return gone, objects.Put(tx, k, o)
}

// keepOld turns the latest version into a noncurrent one. Unless a marker follows
// it, the row of the current object is overwritten next.
func keepOld(tx *store.Tx, b *bucket, key string, old *object, marked bool, now time.Time) error {
	old.Noncurrent = now
	if err := versions.Put(tx, versionKey(b.Name, key, old.Seq), old); err != nil || old.Marker || !marked {
		return err
	}
	return objects.Delete(tx, objectKey(b.Name, key))
}

// dropNull removes the key's null version, which a suspended bucket replaces. It
// returns its bytes and the latest version that is left.
func dropNull(tx *store.Tx, b *bucket, key string, latest *object) ([]segment, *object, error) {
	null, err := versionOf(tx, b.Name, key, nullVersion)
	if err != nil || null == nil {
		return nil, latest, err
	}
	if latest != nil && latest.Version == "" {
		latest = nil
	}
	return null.Segments, latest, dropRow(tx, b.Name, key, null)
}

// dropRow removes the row of a version.
func dropRow(tx *store.Tx, bucketName, key string, o *object) error {
	if o.Noncurrent.IsZero() && !o.Marker {
		return objects.Delete(tx, objectKey(bucketName, key))
	}
	return versions.Delete(tx, versionKey(bucketName, key, o.Seq))
}

// dropVersion removes a version for good. Where it was the latest, the one before
// it becomes the latest.
func dropVersion(tx *store.Tx, bucketName, key string, o *object) error {
	if err := dropRow(tx, bucketName, key, o); err != nil || !o.Noncurrent.IsZero() {
		return err
	}
	next, err := newestKept(tx, bucketName, key)
	if err != nil || next == nil {
		return err
	}
	next.Noncurrent = time.Time{}
	if next.Marker {
		return versions.Put(tx, versionKey(bucketName, key, next.Seq), next)
	}
	if err := versions.Delete(tx, versionKey(bucketName, key, next.Seq)); err != nil {
		return err
	}
	return objects.Put(tx, objectKey(bucketName, key), next)
}
