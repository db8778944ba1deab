package hooks

import (
	"slices"
	"testing"
)

func TestEnvironment(t *testing.T) {
	base := []string{"PATH=/bin", "LD_PRELOAD=/x.so", "DEPLOYMENT_ID=d-0", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:4566"}
	for _, name := range secrets {
		base = append(base, name+"=secret")
	}
	got := Environment(base, []string{"DEPLOYMENT_ID=d-1", "LIFECYCLE_EVENT=Install"})
	want := []string{"PATH=/bin", "AWS_REGION=us-east-1", "AWS_ENDPOINT_URL=http://127.0.0.1:4566", "DEPLOYMENT_ID=d-1", "LIFECYCLE_EVENT=Install"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
