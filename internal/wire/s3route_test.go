package wire

import (
	"net/http/httptest"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/api/s3"
)

func TestS3Routes(t *testing.T) {
	s := NewServer(Config{})
	if err := s.Register(Service{Model: s3.Model(), Anonymous: true}); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		method, url, header     string
		operation, bucket, name string
	}{
		{"GET", "http://127.0.0.1:4566/", "", "ListBuckets", "", ""},
		{"GET", "http://127.0.0.1:4566/b", "", "ListObjects", "b", ""},
		{"GET", "http://127.0.0.1:4566/b/?list-type=2&prefix=x", "", "ListObjectsV2", "b", ""},
		{"GET", "http://127.0.0.1:4566/b?location", "", "GetBucketLocation", "b", ""},
		{"GET", "http://127.0.0.1:4566/b?lifecycle", "", "GetBucketLifecycleConfiguration", "b", ""},
		{"GET", "http://127.0.0.1:4566/b?analytics", "", "ListBucketAnalyticsConfigurations", "b", ""},
		{"GET", "http://127.0.0.1:4566/b?analytics&id=1", "", "GetBucketAnalyticsConfiguration", "b", ""},
		{"HEAD", "http://127.0.0.1:4566/b", "", "HeadBucket", "b", ""},
		{"PUT", "http://127.0.0.1:4566/b", "", "CreateBucket", "b", ""},
		{"POST", "http://127.0.0.1:4566/b?delete", "", "DeleteObjects", "b", ""},
		{"GET", "http://127.0.0.1:4566/b/k", "", "GetObject", "b", "k"},
		{"GET", "http://127.0.0.1:4566/b/k?tagging", "", "GetObjectTagging", "b", "k"},
		{"GET", "http://127.0.0.1:4566/b/k?uploadId=u", "", "ListParts", "b", "k"},
		{"GET", "http://127.0.0.1:4566/b//a/../c//", "", "GetObject", "b", "/a/../c//"},
		{"GET", "http://127.0.0.1:4566/b/a%2Fb+c%20d%C3%A9?x-id=GetObject", "", "GetObject", "b", "a/b+c dé"},
		{"PUT", "http://127.0.0.1:4566/b/k", "", "PutObject", "b", "k"},
		{"PUT", "http://127.0.0.1:4566/b/k", "x-amz-copy-source", "CopyObject", "b", "k"},
		{"PUT", "http://127.0.0.1:4566/b/k?partNumber=1&uploadId=u", "", "UploadPart", "b", "k"},
		{"PUT", "http://127.0.0.1:4566/b/k?partNumber=1&uploadId=u", "x-amz-copy-source", "UploadPartCopy", "b", "k"},
		{"POST", "http://127.0.0.1:4566/b/k?uploads", "", "CreateMultipartUpload", "b", "k"},
		{"POST", "http://127.0.0.1:4566/b/k?uploadId=u", "", "CompleteMultipartUpload", "b", "k"},
		{"DELETE", "http://127.0.0.1:4566/b/k?uploadId=u", "", "AbortMultipartUpload", "b", "k"},
		{"DELETE", "http://127.0.0.1:4566/b/k?versionId=v", "", "DeleteObject", "b", "k"},
		{"POST", "http://127.0.0.1:4566/b/k?select&select-type=2", "", "SelectObjectContent", "b", "k"},
		{"GET", "http://b.s3.amazonaws.com/k", "", "GetObject", "b", "k"},
		{"GET", "https://b.c.s3.us-east-1.amazonaws.com/k/l", "", "GetObject", "b.c", "k/l"},
		{"GET", "http://b.s3-us-west-2.amazonaws.com/", "", "ListObjects", "b", ""},
		{"GET", "http://b.s3.dualstack.eu-west-1.amazonaws.com/", "", "ListObjects", "b", ""},
		{"GET", "http://s3.amazonaws.com/b/k", "", "GetObject", "b", "k"},
		{"GET", "http://s3-us-west-2.amazonaws.com/b/k", "", "GetObject", "b", "k"},
		{"GET", "http://s3.eu-west-1.amazonaws.com/b", "", "ListObjects", "b", ""},
		{"GET", "http://x.s3.y.s3.amazonaws.com/k", "", "GetObject", "x.s3.y", "k"},
		{"GET", "http://b.localhost:4566/k", "", "GetObject", "b", "k"},
		{"GET", "http://b.s3.localhost:4566/k", "", "GetObject", "b", "k"},
		{"GET", "http://s3.localhost:4566/b/k", "", "GetObject", "b", "k"},
		{"GET", "http://localhost:4566/b/k", "", "GetObject", "b", "k"},
		{"POST", "http://127.0.0.1:4566/", "", "", "", ""},
		{"POST", "http://127.0.0.1:4566/b", "", "", "b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.url+" "+tt.header, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.url, nil)
			if tt.header != "" {
				r.Header.Set(tt.header, "x")
			}
			e := &exchange{server: s, r: r, w: httptest.NewRecorder(), service: s.byName["s3"]}
			err := e.routeREST()
			if (err != nil) != (tt.operation == "") {
				t.Errorf("error %v", err)
			}
			if e.operation != tt.operation || e.address.bucket != tt.bucket || e.address.key != tt.name {
				t.Errorf("got %s of %q %q", e.operation, e.address.bucket, e.address.key)
			}
		})
	}
}
