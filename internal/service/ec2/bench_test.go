package ec2

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/sign"
)

// BenchmarkDescribe100 is the whole call, from a signed request to the bytes of the
// answer, with a hundred instances in the store.
func BenchmarkDescribe100(b *testing.B) {
	w := newWorld(b)
	w.run()
	out := do[api.RunInstancesOutput](w, "RunInstances", &api.RunInstancesInput{
		ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](100), MaxCount: aws.Ptr[int32](100), InstanceType: "t3.micro",
		TagSpecifications: []api.TagSpecification{{ResourceType: "instance", Tags: []api.Tag{{Key: aws.Ptr("Name"), Value: aws.Ptr("web")}}}},
	})
	for _, i := range out.Instances {
		w.await(*i.InstanceId, stateRunning)
	}
	const body = "Action=DescribeInstances&Version=2016-11-15"
	ask := func(rw http.ResponseWriter) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:4566/", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		sign.Request(r, sign.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}, "ec2", testRegion, sign.Hash([]byte(body)), time.Now())
		w.server.ServeHTTP(rw, r)
	}
	rec := httptest.NewRecorder()
	if ask(rec); rec.Code != http.StatusOK || strings.Count(rec.Body.String(), "<instanceId>") != 100 {
		b.Fatalf("%d %.200s", rec.Code, rec.Body)
	}
	b.ReportAllocs()
	for b.Loop() {
		ask(discard{})
	}
}

// discard is a client that reads the answer and forgets it.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}

// BenchmarkRun100 launches a hundred instances by one call.
func BenchmarkRun100(b *testing.B) {
	const perSubnet = 40 // calls
	var w *world
	for i := 0; b.Loop(); i++ {
		if i%perSubnet == 0 {
			b.StopTimer()
			w = newWorld(b)
			b.StartTimer()
		}
		do[api.RunInstancesOutput](w, "RunInstances", &api.RunInstancesInput{
			ImageId: aws.Ptr(testImage), MinCount: aws.Ptr[int32](100), MaxCount: aws.Ptr[int32](100), InstanceType: "t3.micro",
		})
	}
}
