package awscli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
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

// queryAnswer reads an answer of the query protocol in its JSON form.
func queryAnswer(action string, body []byte) (map[string]any, error) {
	var doc map[string]map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", action, err)
	}
	result, _ := doc[action+"Response"][action+"Result"].(map[string]any)
	tidy(result)
	return result, nil
}

// timeText is a time as the CLI prints it.
func timeText(seconds float64) string {
	return time.UnixMilli(int64(seconds * 1000)).UTC().Format("2006-01-02T15:04:05.000000+00:00")
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
				t[k] = timeText(n)
			case isNumber && k == "Expiration": // of credentials: whole seconds
				t[k] = time.Unix(int64(n), 0).UTC().Format("2006-01-02T15:04:05+00:00")
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
