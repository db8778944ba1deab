package s3

import (
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/blob"
	"github.com/hardstand/hardstand/internal/store"
)

// Bucket names are global, so no key has an account or a region. The ids of
// objects, uploads and parts begin with what they belong to and \x00, which no
// bucket name and no valid key contains; so one listing by id walks one bucket
// in the order of its keys' bytes, as S3 lists.
var (
	buckets = store.Table[bucket]{
		Name: "s3.bucket", Version: 1,
		Indexes: []store.Index[bucket]{
			{Name: "account", Value: func(_ store.Key, b *bucket) []string { return []string{b.Account} }},
		},
	}
	objects = store.Table[object]{Name: "s3.object", Version: 1}
	// versions holds what is not a current object, newest first within a key:
	// noncurrent versions, and all delete markers.
	versions = store.Table[object]{
		Name: "s3.version", Version: 1,
		Indexes: []store.Index[object]{
			{Name: "null", Value: func(k store.Key, o *object) []string {
				if o.Version != "" {
					return nil
				}
				return []string{k.ID[:len(k.ID)-len(seqText(0))-1]}
			}},
		},
	}
	uploads = store.Table[upload]{Name: "s3.upload", Version: 1}
	parts   = store.Table[part]{Name: "s3.part", Version: 1}
)

func bucketKey(name string) store.Key { return store.Key{ID: name} }

func objectKey(bucket, key string) store.Key { return store.Key{ID: bucket + "\x00" + key} }

func uploadKey(bucket, key, id string) store.Key {
	return store.Key{ID: bucket + "\x00" + key + "\x00" + id}
}

func partKey(upload string, number int32) store.Key {
	return store.Key{ID: fmt.Sprintf("%s\x00%05d", upload, number)}
}

type bucket struct {
	Name, Account, Region string
	Created               time.Time
	// Token is the stack's, when a stack made the bucket.
	Token        string        `json:",omitempty"`
	Policy       string        `json:",omitempty"`
	Tags         []tag         `json:",omitempty"`
	PublicAccess *publicAccess `json:",omitempty"`
	// Ownership is "" when the controls were deleted.
	Ownership s3.ObjectOwnership `json:",omitempty"`
	BucketKey bool               `json:",omitempty"`
	ACL       *acl               `json:",omitempty"`
	Lifecycle *lifecycle         `json:",omitempty"`
	// Encrypt makes every new object encrypted at rest.
	Encrypt bool `json:",omitempty"`
	// Managed calls that aws:kms, under the key that AWS manages (alias/aws/s3).
	Managed bool `json:",omitempty"`
	// BlockCustomerKeys refuses SSE-C.
	BlockCustomerKeys bool `json:",omitempty"`
	// Lock is nil where object lock was never enabled.
	Lock *objectLock `json:",omitempty"`
	// Versioning is "" as long as it was never enabled.
	Versioning s3.BucketVersioningStatus `json:",omitempty"`
	CORS       []s3.CORSRule             `json:",omitempty"`
	Website    *s3.WebsiteConfiguration  `json:",omitempty"`
	Notify     []subscription            `json:",omitempty"`

	published bool
}

// publicAccess is a bucket's public access block; nil blocks nothing.
type publicAccess struct{ BlockACLs, IgnoreACLs, BlockPolicy, Restrict bool }

type tag struct{ Key, Value string }

// object is a version of a key, or a delete marker.
type object struct {
	Size     int64
	ETag     string // without the quotes
	Modified time.Time
	// Segments are the bytes in order: one blob, or one for each part of the
	// multipart upload that made the object.
	Segments []segment         `json:",omitempty"`
	Headers  headers           `json:",omitzero"`
	Metadata map[string]string `json:",omitempty"`
	Tags     []tag             `json:",omitempty"`
	Checksum checksum          `json:",omitzero"`
	// Upload is the id of the multipart upload that made the object.
	Upload string `json:",omitempty"`
	// Owner is the account that wrote it, "" for the bucket's.
	Owner string     `json:",omitempty"`
	ACL   *acl       `json:",omitempty"`
	Lock  protection `json:",omitzero"`
	// Class is "" for STANDARD.
	Class s3.StorageClass `json:",omitempty"`
	// Crypt is how the segments are encrypted.
	Crypt *crypt `json:",omitempty"`
	// Version is "" for the null version. Seq orders the versions of a key.
	Version string `json:",omitempty"`
	Seq     uint64 `json:",omitempty"`
	Marker  bool   `json:",omitempty"`
	// Noncurrent is when a newer version came; zero means that this is the latest.
	Noncurrent time.Time `json:",omitzero"`

	// inline reads a published object.
	inline func() ([]byte, error)
}

type segment struct {
	Blob string
	Size int64
	// Checksum is the part's, of an object with part checksums.
	Checksum string `json:",omitempty"`
}

// headers are what a writer may say about the bytes and a reader gets back.
type headers struct {
	ContentType        *string `json:",omitempty"`
	CacheControl       *string `json:",omitempty"`
	ContentDisposition *string `json:",omitempty"`
	ContentEncoding    *string `json:",omitempty"`
	ContentLanguage    *string `json:",omitempty"`
	Expires            *string `json:",omitempty"`
	// WebsiteRedirect is where a website sends who asks for the object.
	WebsiteRedirect *string `json:",omitempty"`
}

// checksum is base64, with "-<parts>" behind it when it is one of checksums.
type checksum struct {
	Algorithm blob.Algorithm
	Value     string
	Type      s3.ChecksumType
}

// upload is a multipart upload in progress.
type upload struct {
	Bucket, Key, ID string
	Initiated       time.Time
	Initiator       string // ARN
	Headers         headers
	Metadata        map[string]string `json:",omitempty"`
	Tags            []tag             `json:",omitempty"`
	Owner           string            `json:",omitempty"`
	Lock            protection        `json:",omitzero"`
	Class           s3.StorageClass   `json:",omitempty"`
	Crypt           *crypt            `json:",omitempty"`
	ACL             *acl              `json:",omitempty"`
	Algorithm       blob.Algorithm    `json:",omitempty"`
	ChecksumType    s3.ChecksumType   `json:",omitempty"`
}

type part struct {
	Number   int32
	Blob     string
	Size     int64
	ETag     string
	Modified time.Time
	Checksum string `json:",omitempty"`
	// Sealed says that the bytes are encrypted, under the upload\'s key.
	Sealed bool `json:",omitempty"`
}
