package wire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/cloudwatch"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

// getDashboard answers with the name it was asked for.
func getDashboard(_ context.Context, in *cloudwatch.GetDashboardInput) (*cloudwatch.GetDashboardOutput, error) {
	if *in.DashboardName == "lost" {
		return nil, awserr.Status(404, "ResourceNotFound", "Dashboard lost does not exist")
	}
	return &cloudwatch.GetDashboardOutput{DashboardName: in.DashboardName}, nil
}

// TestCBOR speaks smithy-rpc-v2-cbor, and the same service's JSON, plain and
// compressed.
func TestCBOR(t *testing.T) {
	server := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: &refuser{}, Account: "123456789012", Region: "us-east-1"})
	err := server.Register(wire.Service{Model: cloudwatch.Model(), Anonymous: true, Operations: []wire.Operation{
		wire.Op("GetDashboard", "cloudwatch:GetDashboard", getDashboard, func(context.Context, *cloudwatch.GetDashboardInput) ([]aws.Check, error) {
			return []aws.Check{{Resource: "/public"}}, nil
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	encode := func(v any) []byte {
		doc, err := cbor.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(encode(map[string]any{"DashboardName": "z"}))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	const path = "/service/GraniteServiceVersion20100801/operation/"
	for _, c := range []struct {
		name, path, encoding string
		body                 []byte
		status               int
		want                 map[string]any
		queryError           string
	}{
		{"plain", path + "GetDashboard", "", encode(map[string]any{"DashboardName": "d"}), 200, map[string]any{"DashboardName": "d"}, ""},
		{"compressed", path + "GetDashboard", "gzip", zipped.Bytes(), 200, map[string]any{"DashboardName": "z"}, ""},
		{"error", path + "GetDashboard", "", encode(map[string]any{"DashboardName": "lost"}), 404,
			map[string]any{"__type": "com.amazonaws.monitoring#ResourceNotFound", "message": "Dashboard lost does not exist"}, "ResourceNotFound;Sender"},
		{"required member", path + "GetDashboard", "", encode(map[string]any{}), 400, map[string]any{"__type": "com.amazonaws.monitoring#ValidationError",
			"message": "1 validation error detected: Value null at 'dashboardName' failed to satisfy constraint: Member must not be null"}, "ValidationError;Sender"},
		{"not compressed", path + "GetDashboard", "gzip", encode(map[string]any{}), 400, map[string]any{"__type": "com.amazonaws.monitoring#SerializationException",
			"message": "The body is not compressed as its Content-Encoding says."}, "SerializationException;Sender"},
		{"unknown operation", path + "Nothing", "", nil, 404, map[string]any{"__type": "com.amazonaws.monitoring#UnknownOperationException",
			"message": "The requested operation is not recognized by the service."}, "UnknownOperationException;Sender"},
		{"not built", path + "PutMetricStream", "", nil, 501, map[string]any{"__type": "com.amazonaws.monitoring#NotImplemented",
			"message": "hardstand does not implement monitoring:PutMetricStream."}, "NotImplemented;Receiver"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "http://monitoring.us-east-1.amazonaws.com"+c.path, bytes.NewReader(c.body))
			r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
			r.Header.Set("Content-Type", "application/cbor")
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			var got map[string]any
			if err := cbor.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v in %q", err, w.Body.String())
			}
			if w.Code != c.status || !reflect.DeepEqual(got, c.want) || w.Header().Get("x-amzn-query-error") != c.queryError ||
				w.Header().Get("Smithy-Protocol") != "rpc-v2-cbor" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/cbor") {
				t.Errorf("got %d %v %v\nwant %d %v", w.Code, got, w.Header(), c.status, c.want)
			}
		})
	}
}
