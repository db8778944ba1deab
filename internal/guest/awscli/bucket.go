package awscli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws/sign"
)

// uri is the one positional argument, which must be of S3.
func (c *call) uri(usage string) (location, error) {
	if len(c.args) != 1 {
		return location{}, &usageError{"aws: error: the following arguments are required: path"}
	}
	at, err := parseLocation(c.args[0])
	if err == nil && !at.isS3() {
		err = &usageError{"usage: aws s3 " + usage + " <S3Uri>\nError: Invalid argument type"}
	}
	return at, err
}

// bucketRequest makes a request whose answer does not matter.
func (c *call) bucketRequest(ctx context.Context, operation, method, bucket string, body io.ReadSeeker) error {
	resp, err := c.s3Request(ctx, operation, method, location{bucket: bucket}, nil, nil, body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// runMakeBucket is `aws s3 mb`.
func runMakeBucket(ctx context.Context, c *call) error {
	at, err := c.uri("mb")
	if err != nil {
		return err
	}
	var body io.ReadSeeker
	if r := c.client.Region; r != "" && r != "us-east-1" {
		body = strings.NewReader(`<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` +
			r + `</LocationConstraint></CreateBucketConfiguration>`)
	}
	if err := c.bucketRequest(ctx, "CreateBucket", http.MethodPut, at.bucket, body); err != nil {
		fmt.Fprintf(c.cli.Stderr, "make_bucket failed: s3://%s %v\n", at.bucket, err)
		return &transferError{1}
	}
	fmt.Fprintf(c.cli.Stdout, "make_bucket: %s\n", at.bucket)
	return nil
}

// runRemoveBucket is `aws s3 rb`, with --force after all objects.
func runRemoveBucket(ctx context.Context, c *call) error {
	at, err := c.uri("rb")
	if err != nil {
		return err
	}
	if c.has("force") {
		var keys []string
		err := c.list(ctx, at.bucket, "", "", func(l listing) error {
			for _, o := range l.Contents {
				keys = append(keys, o.Key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := c.removeAll(ctx, at.bucket, keys); err != nil {
			return err
		}
	}
	if err := c.bucketRequest(ctx, "DeleteBucket", http.MethodDelete, at.bucket, nil); err != nil {
		fmt.Fprintf(c.cli.Stderr, "remove_bucket failed: s3://%s %v\n", at.bucket, err)
		return &transferError{1}
	}
	fmt.Fprintf(c.cli.Stdout, "remove_bucket: %s\n", at.bucket)
	return nil
}

// runPresign is `aws s3 presign`.
func runPresign(ctx context.Context, c *call) error {
	at, err := c.uri("presign")
	if err != nil {
		return err
	}
	life := time.Hour
	if text := c.value("expires-in"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			return &usageError{"aws: error: argument --expires-in: invalid literal for int() with base 10: '" + text + "'"}
		}
		life = time.Duration(seconds) * time.Second
	}
	if c.client.Region == "" {
		c.client.Region = "us-east-1"
	}
	now := c.cli.Clock.Now()
	keys, err := c.client.Credentials(ctx, now)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, objectURL(c.client, at.bucket, at.key), nil)
	if err != nil {
		return err
	}
	sign.Presign(r, keys, "s3", c.client.Region, life, now)
	fmt.Fprintln(c.cli.Stdout, r.URL)
	return nil
}

// runPutObject is `aws s3api put-object`.
func runPutObject(ctx context.Context, c *call) error {
	if err := c.required("bucket", "key"); err != nil {
		return err
	}
	var body io.ReadSeeker
	if name := c.value("body"); name != "" {
		f, err := os.Open(name)
		if err != nil {
			return &usageError{"Error parsing parameter '--body': Blob values must be a path to a file."}
		}
		defer f.Close()
		body = f
	}
	resp, err := c.s3Request(ctx, "PutObject", http.MethodPut, location{bucket: c.value("bucket"), key: c.value("key")}, nil, c.objectHeader(), body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return c.print(some(map[string]any{"ETag": resp.Header.Get("Etag"), "VersionId": resp.Header.Get("X-Amz-Version-Id"),
		"ServerSideEncryption": resp.Header.Get("X-Amz-Server-Side-Encryption")}))
}

// some is a result without the members that are empty.
func some(m map[string]any) map[string]any {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}

// runDeleteObject is `aws s3api delete-object`.
func runDeleteObject(ctx context.Context, c *call) error {
	if err := c.required("bucket", "key"); err != nil {
		return err
	}
	resp, err := c.s3Request(ctx, "DeleteObject", http.MethodDelete, location{bucket: c.value("bucket"), key: c.value("key")}, c.version(), nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out := some(map[string]any{"VersionId": resp.Header.Get("X-Amz-Version-Id")})
	if resp.Header.Get("X-Amz-Delete-Marker") == "true" {
		out["DeleteMarker"] = true
	}
	if len(out) == 0 {
		return nil
	}
	return c.print(out)
}

// runListObjects is `aws s3api list-objects-v2`, all pages.
func runListObjects(ctx context.Context, c *call) error {
	if err := c.required("bucket"); err != nil {
		return err
	}
	if err := c.checkQuery(); err != nil {
		return err
	}
	var contents []any
	err := c.list(ctx, c.value("bucket"), c.value("prefix"), "", func(l listing) error {
		for _, o := range l.Contents {
			contents = append(contents, some(map[string]any{"Key": o.Key, "Size": o.Size, "ETag": o.ETag, "StorageClass": o.StorageClass,
				"LastModified": o.LastModified.UTC().Format("2006-01-02T15:04:05+00:00")}))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if contents == nil {
		return c.print(map[string]any{"RequestCharged": nil})
	}
	return c.print(map[string]any{"Contents": contents, "RequestCharged": nil})
}
