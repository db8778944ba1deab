package awscli

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

// location is one side of a transfer: an S3 URI, a path, or "-".
type location struct {
	bucket, key string // for s3://
	path        string // for a file
}

func (l location) isS3() bool { return l.bucket != "" }

func (l location) String() string {
	if l.isS3() {
		return "s3://" + l.bucket + "/" + l.key
	}
	return l.path
}

func parseLocation(arg string) (location, error) {
	rest, ok := strings.CutPrefix(arg, "s3://")
	if !ok {
		return location{path: arg}, nil
	}
	bucket, key, _ := strings.Cut(rest, "/")
	if bucket == "" {
		return location{}, &usageError{"Invalid bucket name in " + arg}
	}
	if strings.HasPrefix(bucket, "arn:") {
		return location{}, errUnknown
	}
	return location{bucket: bucket, key: key}, nil
}

// objectURL is where an object, or with an empty key a bucket, is found: by path
// on an endpoint that someone asked for, by host name on AWS's.
func objectURL(c *awsclient.Client, bucket, key string) string {
	escaped := sign.Escape(key, true)
	if e := c.Endpoint("s3"); e != "" {
		return e + "/" + bucket + "/" + escaped
	}
	region := c.Region
	if region == "" {
		region = "us-east-1"
	}
	host := "s3." + region + "." + c.Domain()
	if strings.Contains(bucket, ".") {
		return "https://" + host + "/" + bucket + "/" + escaped // a certificate's * has no dots
	}
	return "https://" + bucket + "." + host + "/" + escaped
}

// s3Request makes a request for an object. A bucket in another region than ours
// is asked for there.
func (c *call) s3Request(ctx context.Context, operation, method string, at location, query url.Values, header http.Header, body io.ReadSeeker) (*http.Response, error) {
	if c.client.Region == "" {
		c.client.Region = "us-east-1"
	}
	make := func() (*http.Response, error) {
		u := objectURL(c.client, at.bucket, at.key)
		if len(query) > 0 {
			u += "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
		}
		return c.client.Do(ctx, awsclient.Request{Service: "s3", Operation: operation, Method: method,
			URL: u, Header: header, Body: body})
	}
	resp, err := make()
	var answer *awsclient.Error
	if errors.As(err, &answer) && answer.Region != "" && answer.Region != c.client.Region {
		c.client.Region = answer.Region
		return make()
	}
	return resp, err
}

// object is one entry of a listing.
type object struct {
	Key          string
	Size         int64
	LastModified time.Time
	ETag         string
	StorageClass string
}

// listing is one page of ListObjectsV2.
type listing struct {
	Contents              []object
	CommonPrefixes        []struct{ Prefix string }
	IsTruncated           bool
	NextContinuationToken string
}

// list calls page for every page of the objects under prefix.
func (c *call) list(ctx context.Context, bucket, prefix, delimiter string, page func(listing) error) error {
	token := ""
	for {
		query := url.Values{"list-type": {"2"}, "prefix": {prefix}, "encoding-type": {"url"}}
		if delimiter != "" {
			query.Set("delimiter", delimiter)
		}
		if token != "" {
			query.Set("continuation-token", token)
		}
		resp, err := c.s3Request(ctx, "ListObjectsV2", http.MethodGet, location{bucket: bucket}, query, nil, nil)
		if err != nil {
			return err
		}
		var l listing
		err = xml.NewDecoder(resp.Body).Decode(&l)
		resp.Body.Close()
		if err != nil {
			return fmt.Errorf("listing of %s: %w", bucket, err)
		}
		l.unescape()
		if err := page(l); err != nil {
			return err
		}
		if !l.IsTruncated || l.NextContinuationToken == "" {
			return nil
		}
		token = l.NextContinuationToken
	}
}

func (l *listing) unescape() {
	for i := range l.Contents {
		if s, err := url.QueryUnescape(l.Contents[i].Key); err == nil {
			l.Contents[i].Key = s
		}
	}
	for i := range l.CommonPrefixes {
		if s, err := url.QueryUnescape(l.CommonPrefixes[i].Prefix); err == nil {
			l.CommonPrefixes[i].Prefix = s
		}
	}
}

const listTime = "2006-01-02 15:04:05"

// runList is `aws s3 ls`.
func runList(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return c.listBuckets(ctx)
	}
	arg := c.args[0]
	if !strings.HasPrefix(arg, "s3://") {
		arg = "s3://" + arg
	}
	at, err := parseLocation(arg)
	if err != nil {
		return err
	}
	delimiter := "/"
	if c.has("recursive") {
		delimiter = ""
	}
	found, total := 0, int64(0)
	err = c.list(ctx, at.bucket, at.key, delimiter, func(l listing) error {
		for _, p := range l.CommonPrefixes {
			found++
			fmt.Fprintf(c.cli.Stdout, "%30s %s\n", "PRE", lastPart(p.Prefix))
		}
		for _, o := range l.Contents {
			found++
			total += o.Size
			name := o.Key
			if delimiter != "" {
				name = lastPart(o.Key)
			}
			fmt.Fprintf(c.cli.Stdout, "%s %10s %s\n", o.LastModified.Local().Format(listTime), c.size(o.Size), name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.has("summarize") {
		fmt.Fprintf(c.cli.Stdout, "\nTotal Objects: %d\n   Total Size: %s\n", found, c.size(total))
	}
	if found == 0 && at.key != "" {
		return &transferError{} // exit 1 without a word, as the CLI does
	}
	return nil
}

func (c *call) size(n int64) string {
	if !c.has("human-readable") {
		return strconv.FormatInt(n, 10)
	}
	if n < 1024 {
		return fmt.Sprintf("%d Bytes", n)
	}
	f, units := float64(n), []string{"KiB", "MiB", "GiB", "TiB"}
	for i := range units {
		if f /= 1024; f < 1024 || i == len(units)-1 {
			return fmt.Sprintf("%.1f %s", f, units[i])
		}
	}
	return ""
}

// lastPart is what follows the last slash but one at the end.
func lastPart(key string) string {
	trimmed := strings.TrimSuffix(key, "/")
	return key[strings.LastIndexByte(trimmed, '/')+1:]
}

func (c *call) listBuckets(ctx context.Context) error {
	if c.client.Region == "" {
		c.client.Region = "us-east-1"
	}
	resp, err := c.client.Do(ctx, awsclient.Request{Service: "s3", Operation: "ListBuckets", Method: http.MethodGet,
		URL: c.client.ServiceURL("s3") + "/"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var doc struct {
		Buckets []struct {
			Name         string
			CreationDate time.Time
		} `xml:"Buckets>Bucket"`
	}
	if err := xml.NewDecoder(resp.Body).Decode(&doc); err != nil {
		return err
	}
	for _, b := range doc.Buckets {
		fmt.Fprintf(c.cli.Stdout, "%s %s\n", b.CreationDate.Local().Format(listTime), b.Name)
	}
	return nil
}
