package s3

import (
	"cmp"
	"net/http"

	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// A storage class says where AWS keeps the bytes. Here they are in one place, and
// the class is what S3 shows of it: what an object's class is, and that archived
// objects cannot be read before they are restored, which nothing here does.

// classes are those that general purpose buckets take, with whether they archive.
var classes = map[s3.StorageClass]bool{
	s3.StorageClassStandard: false, s3.StorageClassReducedRedundancy: false, s3.StorageClassStandardIa: false,
	s3.StorageClassOnezoneIa: false, s3.StorageClassIntelligentTiering: false, s3.StorageClassGlacierIr: false,
	s3.StorageClassGlacier: true, s3.StorageClassDeepArchive: true,
}

// classFor is the class to store: "" for STANDARD.
func classFor(c s3.StorageClass) (s3.StorageClass, error) {
	if c == "" || c == s3.StorageClassStandard {
		return "", nil
	}
	if _, ok := classes[c]; !ok {
		return "", awserr.New("InvalidStorageClass", "The storage class you specified is not valid").With("StorageClassRequested", string(c))
	}
	return c, nil
}

// class is how listings name it; answers about one object leave STANDARD out.
func (o *object) class() s3.StorageClass { return cmp.Or(o.Class, s3.StorageClassStandard) }

// readable refuses the bytes of an archived object.
func (o *object) readable() error {
	if !classes[o.Class] {
		return nil
	}
	return awserr.Status(http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class").
		With("StorageClass", string(o.Class))
}

// copyable refuses an archived object as the source of a copy.
func (o *object) copyable() error {
	if !classes[o.Class] {
		return nil
	}
	return awserr.Status(http.StatusForbidden, "ObjectNotInActiveTierError",
		"The source object of the COPY action is not in the active tier and is only stored in Amazon S3 Glacier.")
}
