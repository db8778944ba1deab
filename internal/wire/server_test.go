package wire_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire"
)

// scheme admits requests that say so.
type scheme struct{}

func (scheme) Authenticate(r *http.Request, _ []byte) (aws.Principal, bool, error) {
	switch r.Header.Get("Authorization") {
	case "CFN_V1 good":
		return aws.Principal{Type: aws.PrincipalAssumedRole, Account: "123456789012", ARN: "arn:aws:sts::123456789012:assumed-role/r/i-1"}, true, nil
	case "CFN_V1 bad":
		return aws.Principal{}, true, awserr.Status(403, "InvalidClientTokenId", "The document is not this server's.")
	}
	return aws.Principal{}, false, nil
}

// TestUnsigned speaks to the server without a signature.
func TestUnsigned(t *testing.T) {
	s := newTiny(t)
	server := wire.NewServer(wire.Config{Credentials: keys{}, Authorizer: s.auth, Schemes: []wire.Scheme{scheme{}}, Account: "123456789012",
		Region: "us-east-1", Landing: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })})
	if err := server.Register(s.services()...); err != nil {
		t.Fatal(err)
	}
	server.Mount("/_hardstand/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	s.objects["b/public"] = []byte("open to all")
	const describe = "Action=DescribeStackResource&Version=2010-05-15&StackName=s&LogicalResourceId=l&ContentType=JSON"
	tests := []struct {
		name, method, url string
		header            map[string]string
		body              string
		status            int
		want              string
	}{
		{"query", "POST", "/", nil, "Action=DescribeStacks&Version=2010-05-15", 403,
			`<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error><Type>Sender</Type>` +
				`<Code>MissingAuthenticationToken</Code><Message>Request is missing Authentication Token</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"ec2", "POST", "/", nil, "Action=DescribeInstances&Version=2016-11-15", 403,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>MissingAuthenticationToken</Code>" +
				"<Message>Request is missing Authentication Token</Message></Error></Errors><RequestID>ID</RequestID></Response>"},
		{"json", "POST", "/", map[string]string{"X-Amz-Target": "AmazonSSM.GetParameter"}, "{}", 400,
			`{"__type":"MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}`},
		{"s3 private", "GET", "/b/secret", nil, "", 403,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>" +
				"<RequestId>ID</RequestId><HostId>HOST</HostId></Error>"},
		{"s3 public", "GET", "/b/public", nil, "", 200, "open to all"},
		{"s3 head refused", "HEAD", "/b/secret", nil, "", 403, ""},
		{"helper scheme, GET, JSON", "GET", "/?" + describe, map[string]string{"Authorization": "CFN_V1 good"}, "", 200,
			`{"DescribeStackResourceResponse":{"DescribeStackResourceResult":{"StackResourceDetail":{"StackName":"s","LogicalResourceId":"l",` +
				`"LastUpdatedTimestamp":1700000000.25,"Metadata":"{\"a\":\"b\"}"}},"ResponseMetadata":{"RequestId":"ID"}}}`},
		{"helper scheme refused", "GET", "/?" + describe, map[string]string{"Authorization": "CFN_V1 bad"}, "", 403,
			`{"Error":{"Code":"InvalidClientTokenId","Message":"The document is not this server's.","Type":"Sender"},"RequestId":"ID"}`},
		{"unknown scheme", "GET", "/?" + describe, map[string]string{"Authorization": "Basic x"}, "", 403,
			`{"Error":{"Code":"MissingAuthenticationToken","Message":"Request is missing Authentication Token","Type":"Sender"},"RequestId":"ID"}`},
		{"by host", "POST", "http://ec2.us-east-1.amazonaws.com/", nil, "Action=Nonsense", 400,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidAction</Code>" +
				"<Message>The action Nonsense is not valid for this web service.</Message></Error></Errors><RequestID>ID</RequestID></Response>"},
		{"too large", "POST", "/", nil, "Action=DescribeStacks&Version=2010-05-15&StackName=" + strings.Repeat("x", 5<<20), 413,
			`<ErrorResponse><Error><Type>Sender</Type><Code>RequestEntityTooLarge</Code><Message>Request size exceeded the limit of 4194304 bytes</Message></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"landing", "GET", "/", map[string]string{"Accept": "text/html,*/*"}, "", 200, "hello"},
		{"mounted", "GET", "/_hardstand/health", nil, "", 200, "/_hardstand/health"},
	}
	ids := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[A-Z0-9]{16}\b`)
	hosts := regexp.MustCompile(`[0-9a-z]+=hardstand`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if tt.method == "POST" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			}
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			server.ServeHTTP(w, r)
			got := hosts.ReplaceAllString(ids.ReplaceAllString(w.Body.String(), "ID"), "HOST")
			if w.Code != tt.status || got != tt.want {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, tt.status, tt.want)
			}
		})
	}
}

// A region that cannot be is refused before the signature is looked at.
func TestRegionInScope(t *testing.T) {
	s := newTiny(t)
	for region, want := range map[string]string{
		"us-east-1": "does not match", "eu-central-1": "does not match", "ap-southeast-2": "does not match", "us-gov-west-1": "does not match",
		"mars-1": "valid region", "us-east1": "valid region", "us-east-1a": "valid region", "US-EAST-1": "valid region", "local": "valid region",
	} {
		t.Run(region, func(t *testing.T) {
			now := time.Now().UTC()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("Action=DescribeStacks&Version=2010-05-15"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/"+now.Format("20060102")+"/"+region+
				"/cloudformation/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="+strings.Repeat("0", 64))
			w := httptest.NewRecorder()
			s.server.ServeHTTP(w, r)
			if body := w.Body.String(); w.Code != http.StatusForbidden || !strings.Contains(body, "SignatureDoesNotMatch") || !strings.Contains(body, want) {
				t.Errorf("%d %s", w.Code, body)
			}
		})
	}
}

// A stranger cannot keep memory of the server's by never finishing a body.
func TestSlowBody(t *testing.T) {
	s := wire.NewServer(wire.Config{Credentials: keys{}, Account: "123456789012", Region: "us-east-1", BodyTime: time.Millisecond})
	if err := s.Register(wire.Service{Model: ec2.Model()}); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const request = "POST / HTTP/1.1\r\nHost: ec2.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nAction="
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c) // the server answers and closes
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 400 ") || !strings.Contains(string(got), "<Code>RequestTimeout</Code>") {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRegisterRefuses(t *testing.T) {
	free := wire.FreeOp("StopInstances", "", never[ec2.StopInstancesInput, ec2.StopInstancesOutput])
	tests := []struct {
		name string
		ops  []wire.Operation
		want string
	}{
		{"no action and no reason", []wire.Operation{free}, "neither an action nor a reason"},
		{"unknown", []wire.Operation{wire.Op("Fly", "ec2:Fly", never[ec2.StopInstancesInput, ec2.StopInstancesOutput], nil)}, "no modelled operation"},
		{"name only", []wire.Operation{wire.Op("AcceptReservedInstancesExchangeQuote", "ec2:X", never[ec2.StopInstancesInput, ec2.StopInstancesOutput], nil)}, "no modelled operation"},
		{"twice", []wire.Operation{
			wire.Op("StopInstances", "ec2:StopInstances", never[ec2.StopInstancesInput, ec2.StopInstancesOutput], nil),
			wire.Op("StopInstances", "ec2:StopInstances", never[ec2.StopInstancesInput, ec2.StopInstancesOutput], nil)}, "twice"},
		{"types of another operation", []wire.Operation{wire.Op("StopInstances", "ec2:StopInstances", never[ec2.CreateTagsInput, ec2.StopInstancesOutput], nil)}, "no field"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := wire.NewServer(wire.Config{}).Register(wire.Service{Model: ec2.Model(), Operations: tt.ops})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestEveryOperationIsAnswered asks for each operation that has no row.
func TestEveryOperationIsAnswered(t *testing.T) {
	s := newTiny(t)
	for _, svc := range s.server.Services() {
		for _, name := range svc.Model.OperationNames() {
			if svc.Model.Protocol == model.RestXML || implemented(svc, name) {
				continue
			}
			_, err := s.server.Invoke(t.Context(), svc.Model.Name, name, nil)
			if !awserr.Is(err, "NotImplemented") || awserr.As(err).HTTPStatus() != http.StatusNotImplemented {
				t.Errorf("%s:%s: %v", svc.Model.Name, name, err)
			}
		}
	}
}

func implemented(s wire.Service, name string) bool {
	for _, op := range s.Operations {
		if op.Name == name {
			return true
		}
	}
	return false
}
