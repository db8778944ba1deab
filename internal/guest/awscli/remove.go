package awscli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

func (c *call) deleteObject(ctx context.Context, at location) error {
	resp, err := c.s3Request(ctx, "DeleteObject", http.MethodDelete, at, nil, nil, nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// runRemove is `aws s3 rm`.
func runRemove(ctx context.Context, c *call) error {
	if len(c.args) != 1 {
		return &usageError{"aws: error: the following arguments are required: paths"}
	}
	at, err := parseLocation(c.args[0])
	if err != nil {
		return err
	}
	if !at.isS3() {
		return &usageError{"usage: aws s3 rm <S3Uri>\nError: Invalid argument type"}
	}
	keys := []string{at.key}
	if c.has("recursive") {
		keys = nil
		err := c.list(ctx, at.bucket, directory(at.key), "", func(l listing) error {
			for _, o := range l.Contents {
				if c.wanted(strings.TrimPrefix(o.Key, directory(at.key))) {
					keys = append(keys, o.Key)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return c.removeAll(ctx, at.bucket, keys)
}

func (c *call) removeAll(ctx context.Context, bucket string, keys []string) error {
	failed := 0
	for _, key := range keys {
		at := location{bucket: bucket, key: key}
		switch {
		case c.has("dryrun"):
			fmt.Fprintf(c.cli.Stdout, "(dryrun) delete: %s\n", at)
			continue
		default:
			if err := c.deleteObject(ctx, at); err != nil {
				failed++
				fmt.Fprintf(c.cli.Stderr, "delete failed: %s %v\n", at, err)
				continue
			}
		}
		if !c.has("quiet") && !c.has("only-show-errors") {
			fmt.Fprintf(c.cli.Stdout, "delete: %s\n", at)
		}
	}
	if failed > 0 {
		return &transferError{failed}
	}
	return nil
}
