package s3_test

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// ask makes a request without a signature; host "" is the server's own.
func (s *system) ask(t *testing.T, method, host, path string, headers map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Transport{}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// public lets everybody read the bucket's objects.
func (s *system) public(t *testing.T, actions string) {
	t.Helper()
	must[api.DeletePublicAccessBlockOutput](t, s, "DeletePublicAccessBlock", &api.DeletePublicAccessBlockInput{Bucket: aws.Ptr(bucketName)})
	must[api.PutBucketPolicyOutput](t, s, "PutBucketPolicy", &api.PutBucketPolicyInput{Bucket: aws.Ptr(bucketName), Policy: aws.Ptr(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":` + actions +
			`,"Resource":["arn:aws:s3:::` + bucketName + `","arn:aws:s3:::` + bucketName + `/*"]}]}`)})
}

func (s *system) cors(t *testing.T, rules ...api.CORSRule) error {
	t.Helper()
	_, err := call[api.PutBucketCorsOutput](t, s, "AKIAROOT", "PutBucketCors", &api.PutBucketCorsInput{
		Bucket: aws.Ptr(bucketName), CORSConfiguration: &api.CORSConfiguration{CORSRules: rules},
	})
	return err
}

func TestCORS(t *testing.T) {
	s := withBucket(t)
	s.public(t, `"s3:GetObject"`)
	s.put(t, "k", "text")
	path := "/" + bucketName + "/k"
	const notAllowed, notEnabled = "This CORS request is not allowed", "CORSResponse: CORS is not enabled for this bucket."
	preflight := func(name, origin, method, headers string, status int, has ...string) {
		t.Helper()
		h := map[string]string{}
		for k, v := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers} {
			if v != "" {
				h[k] = v
			}
		}
		resp, body := s.ask(t, "OPTIONS", "", path, h)
		var all strings.Builder
		for _, k := range slices.Sorted(maps.Keys(resp.Header)) {
			all.WriteString(k + ": " + resp.Header.Get(k) + "\n")
		}
		for _, want := range has {
			if !strings.Contains(all.String()+body, want) {
				t.Errorf("%s: no %q in\n%s%s", name, want, all.String(), body)
			}
		}
		if resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", name, resp.StatusCode, status)
		}
	}
	preflight("no origin", "", "GET", "", 400, "<Code>BadRequest</Code>", "Insufficient information. Origin request header needed.")
	preflight("no rules", "http://a", "PUT", "", 403, "<Code>AccessForbidden</Code>", notEnabled, "<Method>PUT</Method>", "<ResourceType>BUCKET</ResourceType>")
	preflight("no rules, no method", "http://a", "", "", 403, notEnabled, "<Method>OPTIONS</Method>")
	if err := s.cors(t,
		api.CORSRule{AllowedOrigins: []string{"https://*.example.com"}, AllowedMethods: []string{"GET", "PUT"}, AllowedHeaders: []string{"X-Amz-*"}, ExposeHeaders: []string{"ETag", "x-amz-id-2"}, MaxAgeSeconds: aws.Ptr(int32(3000))},
		api.CORSRule{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"HEAD"}},
	); err != nil {
		t.Fatal(err)
	}
	preflight("allowed", "https://www.example.com", "PUT", "X-Amz-Date, x-amz-acl", 200, "Access-Control-Allow-Origin: https://www.example.com\n",
		"Access-Control-Allow-Credentials: true\n", "Access-Control-Allow-Methods: GET, PUT\n", "Access-Control-Allow-Headers: x-amz-date, x-amz-acl\n",
		"Access-Control-Expose-Headers: ETag, x-amz-id-2\n", "Access-Control-Max-Age: 3000\n", "Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method\n")
	preflight("any origin", "http://a", "HEAD", "", 200, "Access-Control-Allow-Origin: *\n", "Access-Control-Allow-Methods: HEAD\n")
	preflight("other origin", "https://example.org", "GET", "", 403, notAllowed, "<ResourceType>OBJECT</ResourceType>")
	preflight("other header", "https://www.example.com", "GET", "content-type", 403, notAllowed)
	preflight("other method", "https://www.example.com", "DELETE", "", 403, notAllowed)
	preflight("no method", "https://www.example.com", "", "", 400, "Invalid Access-Control-Request-Method: null")
	if resp, body := s.ask(t, "OPTIONS", "", "/none-such-bucket/k", map[string]string{"Origin": "http://a"}); resp.StatusCode != 403 || !strings.Contains(body, "CORSResponse: Bucket not found") {
		t.Errorf("no bucket: %d %s", resp.StatusCode, body)
	}
	for name, c := range map[string]struct {
		headers map[string]string
		origin  string
	}{
		"page":           {map[string]string{"Origin": "https://www.example.com"}, "https://www.example.com"},
		"stranger":       {map[string]string{"Origin": "http://a"}, ""},
		"no page":        {nil, ""},
		"as a preflight": {map[string]string{"Origin": "https://www.example.com", "Access-Control-Request-Method": "DELETE"}, ""},
	} {
		resp, body := s.ask(t, "GET", "", path, c.headers)
		if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != 200 || body != "text" || got != c.origin {
			t.Errorf("%s: %d, origin %q, want %q", name, resp.StatusCode, got, c.origin)
		}
	}
	if resp, _ := s.ask(t, "PUT", "", path, map[string]string{"Origin": "https://www.example.com"}); resp.StatusCode != 403 || resp.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("an error that a page may read: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestCORSRules(t *testing.T) {
	s := withBucket(t)
	get := func() error {
		_, err := call[api.GetBucketCorsOutput](t, s, "AKIAROOT", "GetBucketCors", &api.GetBucketCorsInput{Bucket: aws.Ptr(bucketName)})
		return err
	}
	if err := get(); !awserr.Is(err, "NoSuchCORSConfiguration") || awserr.As(err).Status != 404 {
		t.Errorf("no rules: %v", err)
	}
	for _, c := range []struct {
		name string
		rule api.CORSRule
		want string
	}{
		{"method", api.CORSRule{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET", "MYMETHOD"}}, "InvalidRequest: Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD"},
		{"two stars", api.CORSRule{AllowedOrigins: []string{"*.a.*"}, AllowedMethods: []string{"GET"}}, `InvalidRequest: AllowedOrigin "*.a.*" can not have more than one wildcard.`},
		{"exposed star", api.CORSRule{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}, ExposeHeaders: []string{"x-*"}}, `InvalidRequest: ExposeHeader "x-*" contains wildcard. We currently do not support wildcard for ExposeHeader.`},
		{"no method", api.CORSRule{AllowedOrigins: []string{"*"}}, "MalformedXML: The XML you provided was not well-formed or did not validate against our published schema"},
	} {
		if err := awserr.As(s.cors(t, c.rule)); err == nil || err.Code+": "+err.Message != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := s.cors(t); !awserr.Is(err, "MalformedXML") {
		t.Errorf("no rule: %v", err)
	}
	if err := s.cors(t, api.CORSRule{AllowedOrigins: []string{""}, AllowedMethods: []string{"GET"}}); err != nil || get() != nil {
		t.Errorf("an empty origin: %v", err)
	}
	must[api.DeleteBucketCorsOutput](t, s, "DeleteBucketCors", &api.DeleteBucketCorsInput{Bucket: aws.Ptr(bucketName)})
	if err := get(); !awserr.Is(err, "NoSuchCORSConfiguration") {
		t.Errorf("deleted rules: %v", err)
	}
}

func website(t *testing.T, s *system, w *api.WebsiteConfiguration) error {
	t.Helper()
	_, err := call[api.PutBucketWebsiteOutput](t, s, "AKIAROOT", "PutBucketWebsite", &api.PutBucketWebsiteInput{Bucket: aws.Ptr(bucketName), WebsiteConfiguration: w})
	return err
}

// TestWebsite asks for pages as a browser does, by the host names of AWS.
func TestWebsite(t *testing.T) {
	s := withBucket(t)
	host := bucketName + ".s3-website-us-east-1.amazonaws.com"
	if resp, body := s.ask(t, "GET", host, "/", nil); resp.StatusCode != 404 || !strings.Contains(body, "<li>Code: NoSuchWebsiteConfiguration</li>") ||
		resp.Header.Get("X-Amz-Error-Code") != "NoSuchWebsiteConfiguration" || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("no website: %d %v\n%s", resp.StatusCode, resp.Header, body)
	}
	s.public(t, `["s3:GetObject","s3:ListBucket"]`)
	for key, text := range map[string]string{"index.html": "home", "docs/index.html": "docs", "error.html": "sorry", "page one": "one", "img/a": "image"} {
		s.put(t, key, text)
	}
	must[api.PutObjectOutput](t, s, "PutObject", &api.PutObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("moved"), WebsiteRedirectLocation: aws.Ptr("/page one")})
	if err := website(t, s, &api.WebsiteConfiguration{
		IndexDocument: &api.IndexDocument{Suffix: aws.Ptr("index.html")}, ErrorDocument: &api.ErrorDocument{Key: aws.Ptr("error.html")},
		RoutingRules: []api.RoutingRule{
			{Condition: &api.Condition{KeyPrefixEquals: aws.Ptr("old/")}, Redirect: &api.Redirect{ReplaceKeyPrefixWith: aws.Ptr("docs/")}},
			{Condition: &api.Condition{KeyPrefixEquals: aws.Ptr("img/"), HttpErrorCodeReturnedEquals: aws.Ptr("404")}, Redirect: &api.Redirect{
				HostName: aws.Ptr("img.example.com"), Protocol: api.ProtocolHttps, HttpRedirectCode: aws.Ptr("307"), ReplaceKeyWith: aws.Ptr("none?a=b")}},
		},
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, method, path string
		status             int
		body, location     string
	}{
		{"root", "GET", "/", 200, "home", ""},
		{"folder", "GET", "/docs/", 200, "docs", ""},
		{"folder without its slash", "GET", "/docs", 302, "", "/docs/"},
		{"page", "GET", "/page%20one", 200, "one", ""},
		{"head", "HEAD", "/page%20one", 200, "", ""},
		{"error document", "GET", "/none", 404, "sorry", ""},
		{"rule", "GET", "/old/x/y", 301, "", "http://" + host + "/docs/x/y"},
		{"rule not needed", "GET", "/img/a", 200, "image", ""},
		{"rule for an error", "GET", "/img/b", 307, "", "https://img.example.com/none?a=b"},
		{"object that is elsewhere", "GET", "/moved", 301, "", "/page one"},
		{"traversal", "GET", "/../../etc/passwd", 404, "sorry", ""},
	} {
		resp, body := s.ask(t, c.method, host, c.path, nil)
		if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Location") != c.location {
			t.Errorf("%s: %d %q, location %q", c.name, resp.StatusCode, body, resp.Header.Get("Location"))
		}
	}
	for _, other := range []string{bucketName + ".s3-website.eu-central-1.amazonaws.com:4566", bucketName + ".s3-website.localhost:4566"} {
		if resp, body := s.ask(t, "GET", other, "/", nil); resp.StatusCode != 200 || body != "home" {
			t.Errorf("%s: %d %s", other, resp.StatusCode, body)
		}
	}
	if resp, body := s.ask(t, "PUT", host, "/x", nil); resp.StatusCode != 405 || !strings.Contains(body, "<li>ResourceType: OBJECT</li>") {
		t.Errorf("put: %d %s", resp.StatusCode, body)
	}
	if resp, body := s.ask(t, "GET", "no-such-bucket.s3-website-us-east-1.amazonaws.com", "/<script>", nil); resp.StatusCode != 404 ||
		!strings.Contains(body, "<li>BucketName: no-such-bucket</li>") {
		t.Errorf("no bucket: %d %s", resp.StatusCode, body)
	}
	s.errorPages(t, host)
}

func (s *system) errorPages(t *testing.T, host string) {
	t.Helper()
	index := &api.IndexDocument{Suffix: aws.Ptr("index.html")}
	if err := website(t, s, &api.WebsiteConfiguration{IndexDocument: index, ErrorDocument: &api.ErrorDocument{Key: aws.Ptr("nope.html")}}); err != nil {
		t.Fatal(err)
	}
	resp, body := s.ask(t, "GET", host, "/<b>", nil)
	for _, want := range []string{"<title>404 Not Found</title>", "<li>Code: NoSuchKey</li>", "<li>Key: &lt;b&gt;</li>", "Retrieve a Custom Error Document</h3>", "<li>Key: nope.html</li>"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if resp.StatusCode != 404 || resp.Header.Get("X-Amz-Error-Detail-Key") != "<b>" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	must[api.DeleteBucketPolicyOutput](t, s, "DeleteBucketPolicy", &api.DeleteBucketPolicyInput{Bucket: aws.Ptr(bucketName)})
	if resp, body := s.ask(t, "GET", host, "/", nil); resp.StatusCode != 403 || !strings.Contains(body, "<li>Code: AccessDenied</li>") || strings.Contains(body, "arn:") {
		t.Errorf("not public: %d %s", resp.StatusCode, body)
	}
	if err := website(t, s, &api.WebsiteConfiguration{RedirectAllRequestsTo: &api.RedirectAllRequestsTo{HostName: aws.Ptr("www.example.com")}}); err != nil {
		t.Fatal(err)
	}
	if resp, _ := s.ask(t, "GET", host, "/a/b", nil); resp.StatusCode != 301 || resp.Header.Get("Location") != "http://www.example.com/a/b" {
		t.Errorf("all elsewhere: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestWebsiteConfiguration(t *testing.T) {
	s := withBucket(t)
	index := &api.IndexDocument{Suffix: aws.Ptr("i")}
	rule := func(c *api.Condition, r *api.Redirect) *api.WebsiteConfiguration {
		return &api.WebsiteConfiguration{IndexDocument: index, RoutingRules: []api.RoutingRule{{Condition: c, Redirect: r}}}
	}
	for _, c := range []struct {
		name   string
		config *api.WebsiteConfiguration
		want   string
	}{
		{"nothing", &api.WebsiteConfiguration{}, "InvalidArgument: A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"},
		{"both", &api.WebsiteConfiguration{IndexDocument: index, RedirectAllRequestsTo: &api.RedirectAllRequestsTo{HostName: aws.Ptr("h")}}, "InvalidArgument: RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules."},
		{"suffix", &api.WebsiteConfiguration{IndexDocument: &api.IndexDocument{Suffix: aws.Ptr("a/b")}}, "InvalidArgument: The IndexDocument Suffix is not well formed"},
		{"two replacements", rule(nil, &api.Redirect{ReplaceKeyWith: aws.Ptr("a"), ReplaceKeyPrefixWith: aws.Ptr("b")}), "InvalidRequest: You can only define ReplaceKeyPrefix or ReplaceKey but not both."},
		{"no condition", rule(&api.Condition{}, &api.Redirect{HostName: aws.Ptr("h")}), "InvalidRequest: Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present."},
		{"code", rule(nil, &api.Redirect{HttpRedirectCode: aws.Ptr("200")}), "InvalidRequest: The provided HTTP redirect code (200) is not valid. Valid codes are 3XX except 300."},
		{"error code", rule(&api.Condition{HttpErrorCodeReturnedEquals: aws.Ptr("200")}, &api.Redirect{HostName: aws.Ptr("h")}), "InvalidRequest: The provided HTTP error code (200) is not valid. Valid codes are 4XX or 5XX."},
	} {
		if err := awserr.As(website(t, s, c.config)); err == nil || err.Code+": "+err.Message != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, err := call[api.PutObjectOutput](t, s, "AKIAROOT", "PutObject", &api.PutObjectInput{Bucket: aws.Ptr(bucketName), Key: aws.Ptr("k"), WebsiteRedirectLocation: aws.Ptr("ftp://x")})
	if !awserr.Is(err, "InvalidRedirectLocation") {
		t.Errorf("redirect location: %v", err)
	}
}
