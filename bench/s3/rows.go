package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// list fills a bucket and measures a page of 1,000 at its begin, middle and end.
func list(ctx context.Context, c *client, o options) error {
	const bucket, page, fillers = "/bench-list", 1000, 16
	if err := c.makeBucket(ctx, bucket[1:]); err != nil {
		return err
	}
	b := newBody(1)
	var next atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	for range fillers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(o.listKeys) && failed.Load() == nil; i = next.Add(1) - 1 {
				if err := c.do(ctx, "PUT", fmt.Sprintf("%s/%03d/%09d", bucket, i%1000, i), "", b); err != nil {
					failed.Store(err)
				}
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return err
	}
	for _, q := range []struct{ name, query string }{
		{"LIST begin", ""}, {"LIST middle", "start-after=" + url.QueryEscape("500/")}, {"LIST end", "start-after=" + url.QueryEscape("990/")},
		{"LIST prefixes", "delimiter=" + url.QueryEscape("/")},
	} {
		query := strings.TrimSuffix("list-type=2&max-keys=1000&"+q.query, "&")
		if _, err := timed(o.duration, 1, 0, page, fmt.Sprintf("%s of %d", q.name, o.listKeys), 1, func(int) error {
			return c.do(ctx, "GET", bucket, query, nothing)
		}); err != nil {
			return err
		}
	}
	return nil
}

const partSize = 16 << 20

// multipart uploads one object in parts, four at a time, and reads it back.
func multipart(ctx context.Context, c *client, o options) error {
	const path, atOnce = "/bench-objects/multipart", 4
	began := time.Now()
	id, err := c.createUpload(ctx, path)
	if err != nil {
		return err
	}
	n := o.multipart / partSize
	b := newBody(partSize)
	etags := make([]string, n)
	var next atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				resp, err := c.send(ctx, "PUT", path, fmt.Sprintf("partNumber=%d&uploadId=%s", i+1, url.QueryEscape(id)), b)
				if err != nil {
					failed.Store(err)
					return
				}
				etags[i] = resp.Header.Get("ETag")
				_ = resp.Body.Close()
			}
		})
	}
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return err
	}
	var doc bytes.Buffer
	doc.WriteString("<CompleteMultipartUpload>")
	for i, etag := range etags {
		fmt.Fprintf(&doc, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag)
	}
	doc.WriteString("</CompleteMultipartUpload>")
	if err := c.do(ctx, "POST", path, "uploadId="+url.QueryEscape(id), body{doc.Bytes(), sum(doc.Bytes())}); err != nil {
		return err
	}
	show("multipart upload", o.multipart, time.Since(began))
	began = time.Now()
	if err := c.do(ctx, "GET", path, "", nothing); err != nil {
		return err
	}
	show("multipart GET", o.multipart, time.Since(began))
	return c.do(ctx, "DELETE", path, "", nothing)
}

func show(name string, size int, took time.Duration) {
	fmt.Printf("%s of %d bytes: %.2f s, %.0f MiB/s\n", name, size, took.Seconds(), float64(size)/(1<<20)/took.Seconds())
}

func (c *client) createUpload(ctx context.Context, path string) (string, error) {
	resp, err := c.send(ctx, "POST", path, "uploads=", nothing)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct {
		UploadID string `xml:"UploadId"`
	}
	return out.UploadID, xml.NewDecoder(resp.Body).Decode(&out)
}

// memory prints the server's peak after objects of growing size.
func memory(ctx context.Context, c *client, o options) error {
	if o.pid == 0 {
		return nil
	}
	for size := 1 << 20; size <= 1<<28; size <<= 4 {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", o.pid), []byte("5"), 0); err != nil {
			return err // 5 starts the peak anew
		}
		const path = "/bench-objects/memory"
		if err := c.do(ctx, "PUT", path, "", newBody(size)); err != nil {
			return err
		}
		if err := c.do(ctx, "GET", path, "", nothing); err != nil {
			return err
		}
		peak, err := peakKiB(o.pid)
		if err != nil {
			return err
		}
		fmt.Printf("peak memory with an object of %d MiB: %d MiB\n", size>>20, peak>>10)
	}
	return c.do(ctx, "DELETE", "/bench-objects/memory", "", nothing)
}

func peakKiB(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		}
	}
	return 0, fmt.Errorf("process %d has no VmHWM", pid)
}
