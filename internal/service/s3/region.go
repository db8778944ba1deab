package s3

import (
	"context"
	"net/http"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// ownedBy refuses a bucket whose owner is not the one that the caller expects.
func (b *bucket) ownedBy(expected *string) error {
	if expected != nil && *expected != b.Account {
		return errAccessDenied
	}
	return nil
}

// atHome refuses a request that is signed for another region than the bucket's and
// says which, so that clients can turn there. Without a region in the signature, and
// for calls between services, there is nothing to compare.
func atHome(call aws.Call, b *bucket) error {
	if call.SignedRegion == "" || call.SignedRegion == b.Region || b.published || call.Operation == "GetBucketLocation" {
		return nil
	}
	if call.SignedRegion == usEast1 {
		// What AWS's one endpoint without a region passes on, the bucket's refuses.
		return awserr.New("AuthorizationHeaderMalformed", "The authorization header is malformed; the region '%s' is wrong; expecting '%s'", call.SignedRegion, b.Region).
			With("Region", b.Region).WithHeader(regionHeader, b.Region)
	}
	return awserr.Status(http.StatusMovedPermanently, "PermanentRedirect",
		"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.").
		With("Endpoint", b.Name+".s3."+b.Region+".amazonaws.com").With("Bucket", b.Name).WithHeader(regionHeader, b.Region)
}

// headers are those of answers that the API's model leaves out.
func (s *Service) headers(ctx context.Context, out any) http.Header {
	var name *string
	switch o := out.(type) {
	case *s3.HeadBucketOutput:
		return http.Header{"Content-Type": {"application/xml"}}
	case *s3.ListObjectsOutput:
		name = o.Name
	case *s3.ListObjectsV2Output:
		name = o.Name
	default:
		return nil
	}
	b, err := s.lookup(ctx, aws.Val(name))
	if err != nil {
		return nil // deleted since it was listed
	}
	return http.Header{regionHeader: {b.Region}}
}

// regionHeader tells a client where a bucket is.
const regionHeader = "x-amz-bucket-region"
