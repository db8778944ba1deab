package awscli

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// API versions of the query services.
const (
	stsVersion            = "2011-06-15"
	ec2Version            = "2016-11-15"
	cloudFormationVersion = "2010-05-15"
)

func (c *call) required(names ...string) error {
	var missing []string
	for _, n := range names {
		if c.value(n) == "" {
			missing = append(missing, "--"+n)
		}
	}
	if len(missing) > 0 {
		return &usageError{"aws: error: the following arguments are required: " + strings.Join(missing, ", ")}
	}
	return nil
}

// checkQuery finds out before a call is made whether its --query can be applied.
func (c *call) checkQuery() error {
	_, err := parseQuery(c.query)
	return err
}

func runCallerIdentity(ctx context.Context, c *call) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	body, err := c.client.Query(ctx, "sts", stsVersion, "GetCallerIdentity", nil)
	if err != nil {
		return err
	}
	var doc struct {
		Result struct{ UserId, Account, Arn string } `xml:"GetCallerIdentityResult"`
	}
	if err := xml.Unmarshal(body, &doc); err != nil {
		return err
	}
	return c.print(map[string]any{"UserId": doc.Result.UserId, "Account": doc.Result.Account, "Arn": doc.Result.Arn})
}

func runSignalResource(ctx context.Context, c *call) error {
	if err := c.required("stack-name", "logical-resource-id", "unique-id", "status"); err != nil {
		return err
	}
	_, err := c.client.Query(ctx, "cloudformation", cloudFormationVersion, "SignalResource", url.Values{
		"StackName": {c.value("stack-name")}, "LogicalResourceId": {c.value("logical-resource-id")},
		"UniqueId": {c.value("unique-id")}, "Status": {c.value("status")}})
	return err
}

func runDescribeStackResource(ctx context.Context, c *call) error {
	if err := c.required("stack-name", "logical-resource-id"); err != nil {
		return err
	}
	return c.cloudFormation(ctx, "DescribeStackResource", url.Values{
		"StackName": {c.value("stack-name")}, "LogicalResourceId": {c.value("logical-resource-id")}})
}

func runDescribeStacks(ctx context.Context, c *call) error {
	values := url.Values{}
	if name := c.value("stack-name"); name != "" {
		values.Set("StackName", name)
	}
	return c.cloudFormation(ctx, "DescribeStacks", values)
}

// cloudFormation asks for the JSON form of the answer, whose times are numbers
// where the CLI prints text.
func (c *call) cloudFormation(ctx context.Context, action string, values url.Values) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	values.Set("ContentType", "JSON")
	body, err := c.client.Query(ctx, "cloudformation", cloudFormationVersion, action, values)
	if err != nil {
		return err
	}
	var doc map[string]map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		return fmt.Errorf("answer of %s: %w", action, err)
	}
	result, _ := doc[action+"Response"][action+"Result"].(map[string]any)
	return c.print(tidy(result))
}

// tidy writes times as text and drops what is null, as the CLI's output has it.
func tidy(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, e := range t {
			n, isNumber := e.(float64)
			switch {
			case e == nil:
				delete(t, k)
			case isNumber && (strings.HasSuffix(k, "Time") || strings.HasSuffix(k, "Timestamp")):
				t[k] = time.UnixMilli(int64(n * 1000)).UTC().Format("2006-01-02T15:04:05.000000+00:00")
			default:
				t[k] = tidy(e)
			}
		}
	case []any:
		for i := range t {
			t[i] = tidy(t[i])
		}
	}
	return v
}

func runGetParameter(ctx context.Context, c *call) error {
	if err := c.required("name"); err != nil {
		return err
	}
	return c.ssm(ctx, "GetParameter", map[string]any{"Name": c.value("name"), "WithDecryption": c.has("with-decryption")})
}

func runGetParameters(ctx context.Context, c *call) error {
	if err := c.required("names"); err != nil {
		return err
	}
	return c.ssm(ctx, "GetParameters", map[string]any{"Names": c.options["names"], "WithDecryption": c.has("with-decryption")})
}

func (c *call) ssm(ctx context.Context, action string, in map[string]any) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	body, err := c.client.JSON(ctx, "ssm", "AmazonSSM", action, in)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		return fmt.Errorf("answer of %s: %w", action, err)
	}
	if p, ok := doc["Parameter"].(map[string]any); ok {
		if n, ok := p["LastModifiedDate"].(float64); ok {
			p["LastModifiedDate"] = time.UnixMilli(int64(n * 1000)).UTC().Format("2006-01-02T15:04:05.000000+00:00")
		}
	}
	return c.print(doc)
}

// runGetObject is `aws s3api get-object`.
func runGetObject(ctx context.Context, c *call) error {
	if err := c.required("bucket", "key"); err != nil {
		return err
	}
	if len(c.args) != 1 {
		return &usageError{"aws: error: the following arguments are required: outfile"}
	}
	header := http.Header{}
	if r := c.value("range"); r != "" {
		header.Set("Range", r)
	}
	resp, err := c.s3Request(ctx, "GetObject", http.MethodGet, location{bucket: c.value("bucket"), key: c.value("key")}, c.version(), header, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.Create(c.args[0])
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return c.print(objectMembers(resp))
}

func (c *call) version() url.Values {
	if v := c.value("version-id"); v != "" {
		return url.Values{"versionId": {v}}
	}
	return nil
}

// runHeadObject is `aws s3api head-object`.
func runHeadObject(ctx context.Context, c *call) error {
	if err := c.required("bucket", "key"); err != nil {
		return err
	}
	resp, err := c.s3Request(ctx, "HeadObject", http.MethodHead, location{bucket: c.value("bucket"), key: c.value("key")}, c.version(), nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return c.print(objectMembers(resp))
}

func objectMembers(resp *http.Response) map[string]any {
	out := map[string]any{"ContentLength": resp.ContentLength}
	for header, member := range map[string]string{"Accept-Ranges": "AcceptRanges", "Etag": "ETag", "Content-Type": "ContentType",
		"Cache-Control": "CacheControl", "Content-Encoding": "ContentEncoding", "X-Amz-Version-Id": "VersionId", "Content-Range": "ContentRange"} {
		if v := resp.Header.Get(header); v != "" {
			out[member] = v
		}
	}
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		out["LastModified"] = t.Format("2006-01-02T15:04:05+00:00")
	}
	meta := map[string]any{}
	for name, vs := range resp.Header {
		if key, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			meta[key] = vs[0]
		}
	}
	out["Metadata"] = meta
	return out
}
