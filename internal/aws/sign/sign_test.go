package sign

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The key, date and expected signatures are those of AWS's published signing
// examples (IAM "get-vanilla" suite and the S3 GetObject example).
func TestRequest(t *testing.T) {
	tests := []struct {
		name, method, url, service, hash, secret, key string
		header                                        map[string]string
		at                                            time.Time
		want                                          string
	}{
		{
			name: "S3 GetObject with a range", method: "GET", url: "https://examplebucket.s3.amazonaws.com/test.txt",
			service: "s3", hash: Hash(nil), key: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			header: map[string]string{"Range": "bytes=0-9"},
			at:     time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
			want:   "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
		},
		{
			name: "S3 list, query sorted", method: "GET", url: "https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2",
			service: "s3", hash: Hash(nil), key: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
			at:   time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
			want: "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r, err := http.NewRequest(tc.method, tc.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			Request(r, Credentials{AccessKeyID: tc.key, SecretAccessKey: tc.secret}, tc.service, "us-east-1", tc.hash, tc.at)
			if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, tc.want) {
				t.Errorf("Authorization = %s\nwant suffix %s", got, tc.want)
			}
		})
	}
}

func TestSessionTokenIsSigned(t *testing.T) {
	r, _ := http.NewRequest("POST", "http://127.0.0.1:4566/", nil)
	Request(r, Credentials{"A", "B", "T", time.Time{}}, "sts", "us-east-1", Hash(nil), time.Unix(0, 0))
	if !strings.Contains(r.Header.Get("Authorization"), "x-amz-date;x-amz-security-token,") {
		t.Errorf("token not among the signed headers: %s", r.Header.Get("Authorization"))
	}
	Request(r, Credentials{"A", "B", "", time.Time{}}, "sts", "us-east-1", Hash(nil), time.Unix(0, 0))
	if r.Header.Get("X-Amz-Security-Token") != "" {
		t.Error("signing again kept the old token")
	}
}

// The presigned URL of AWS's published example.
func TestPresign(t *testing.T) {
	r, _ := http.NewRequest("GET", "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	Presign(r, Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		"s3", "us-east-1", 24*time.Hour, time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	const want = "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	if !strings.HasSuffix(r.URL.String(), want) {
		t.Errorf("%s\nwant suffix %s", r.URL, want)
	}
}
