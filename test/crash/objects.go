package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/hardstand/hardstand/internal/clock"
)

const (
	writers       = 8
	keysPerWriter = 6
	crashBucket   = "crash"
	longestLife   = 400 * time.Millisecond
	sweepTries    = 20
)

// writer writes, replaces, copies and deletes keys of its own, one after the other.
type writer struct {
	id     int
	random *rand.Rand
	// have is what was acknowledged, by key; absent keys have no object.
	have map[string][32]byte
	// maybe is what a call that got no answer would have made: nil for a deletion.
	key   string
	maybe *[32]byte
}

// objects plays the story of objects: writers write until the server is killed; then
// each object is what was acknowledged or what the one call in flight would have made,
// whole, and nothing else is left.
func objects(s *server, kills int, random *rand.Rand) error {
	if _, err := s.s3().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: awssdk.String(crashBucket)}); err != nil {
		return err
	}
	var all []*writer
	for i := range writers {
		all = append(all, &writer{id: i, random: rand.New(rand.NewPCG(random.Uint64(), uint64(i))), have: map[string][32]byte{}})
	}
	acknowledged := 0
	for round := range kills {
		n, err := life(s, all, time.Duration(random.Int64N(int64(longestLife))))
		if err != nil {
			return fmt.Errorf("life %d: %w", round, err)
		}
		acknowledged += n
		if err := s.check("bytes that no object names"); err != nil {
			return fmt.Errorf("after kill %d: %w", round+1, err)
		}
		if err := s.start(); err != nil {
			return err
		}
		for _, w := range all {
			if err := w.settle(s); err != nil {
				return fmt.Errorf("after kill %d, writer %d: %w", round+1, w.id, err)
			}
		}
	}
	fmt.Printf("killed %d times; %d acknowledged writes are all there\n", kills, acknowledged)
	return nothingLeft(s)
}

// life lets the writers write for a time and kills the server.
func life(s *server, all []*writer, length time.Duration) (acknowledged int, err error) {
	counts, errs := make([]int, len(all)), make([]error, len(all))
	var wg sync.WaitGroup
	c := s.s3()
	for i, w := range all {
		wg.Go(func() {
			for errs[i] == nil {
				var lost bool
				if lost, errs[i] = w.act(c); lost {
					return
				}
				counts[i]++
			}
		})
	}
	err = clock.Sleep(context.Background(), clock.System{}, length)
	s.kill()
	wg.Wait()
	for _, n := range counts {
		acknowledged += n
	}
	return acknowledged, errors.Join(append(errs, err)...)
}

// act makes one call; lost means that no answer came.
func (w *writer) act(c *s3.Client) (lost bool, err error) {
	key := fmt.Sprintf("%d/%d", w.id, w.random.IntN(keysPerWriter))
	ctx, bucket := context.Background(), awssdk.String(crashBucket)
	w.key, w.maybe = key, nil
	switch w.random.IntN(6) {
	case 0:
		_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: &key})
	case 1:
		body := w.body()
		w.maybe = &[32]byte{}
		*w.maybe = sha256.Sum256(body)
		err = w.parts(ctx, c, key, body)
	default:
		body := w.body()
		w.maybe = &[32]byte{}
		*w.maybe = sha256.Sum256(body)
		_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(body)})
	}
	var answer smithy.APIError
	switch {
	case errors.As(err, &answer):
		return false, fmt.Errorf("%s: %w", key, err)
	case err != nil:
		return true, nil
	}
	w.acknowledge()
	return false, nil
}

// acknowledge makes what the last call would have made what is.
func (w *writer) acknowledge() {
	if w.maybe == nil {
		delete(w.have, w.key)
	} else {
		w.have[w.key] = *w.maybe
	}
}

// body is small, or of several sizes that are not.
func (w *writer) body() []byte {
	size := w.random.IntN(8 << 10)
	if w.random.IntN(4) == 0 {
		size = w.random.IntN(1 << 20)
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(w.random.Uint32())
	}
	return b
}

func (w *writer) parts(ctx context.Context, c *s3.Client, key string, body []byte) error {
	bucket := awssdk.String(crashBucket)
	u, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &key})
	if err != nil {
		return err
	}
	part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: &key, UploadId: u.UploadId, PartNumber: awssdk.Int32(1), Body: bytes.NewReader(body)})
	if err != nil {
		return err
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: &key, UploadId: u.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: awssdk.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}}})
	return err
}

// settle compares the writer's keys with the server's, and takes over what the call in
// flight has done.
func (w *writer) settle(s *server) error {
	ctx, bucket := context.Background(), awssdk.String(crashBucket)
	c := s.s3()
	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: awssdk.String(fmt.Sprintf("%d/", w.id))})
	if err != nil {
		return err
	}
	there := map[string][32]byte{}
	for _, o := range list.Contents {
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: o.Key})
		if err != nil {
			return fmt.Errorf("%s: %w", *o.Key, err)
		}
		b, err := io.ReadAll(out.Body)
		if err != nil || int64(len(b)) != *o.Size {
			return fmt.Errorf("%s: %d of %d bytes, %w", *o.Key, len(b), *o.Size, err)
		}
		there[*o.Key] = sha256.Sum256(b)
	}
	if got, ok := there[w.key]; ok == (w.maybe != nil) && (!ok || got == *w.maybe) {
		w.acknowledge()
	}
	if len(there) != len(w.have) {
		return fmt.Errorf("%d objects, want %d", len(there), len(w.have))
	}
	for key, want := range w.have {
		if there[key] != want {
			return fmt.Errorf("%s is not what was written", key)
		}
	}
	return nil
}

// nothingLeft aborts what was begun, and holds that fsck finds nothing once a start has
// swept.
func nothingLeft(s *server) error {
	var err error
	for range sweepTries {
		if err = s.stop(); err != nil {
			return err
		}
		if err = s.check(""); err == nil {
			return nil
		}
		if err := s.start(); err != nil {
			return err
		}
		// The sweep runs beside the traffic and is over soon.
		if err := clock.Sleep(context.Background(), clock.System{}, 10*pause); err != nil {
			return err
		}
	}
	return err
}

// check runs hardstand fsck on the server's data, which nobody uses. Findings that
// contain allowed are no error, where it is not empty.
func (s *server) check(allowed string) error {
	out, err := exec.Command(s.binary, "fsck", "--data-dir", filepath.Join(s.dir, "data")).CombinedOutput()
	if err == nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, ": ") && strings.Contains(line, "repair would do") && (allowed == "" || !strings.Contains(line, allowed)) {
			return fmt.Errorf("fsck: %s", line)
		}
	}
	if allowed != "" && strings.Contains(string(out), "findings") {
		return nil
	}
	return fmt.Errorf("fsck: %w: %s", err, out)
}

// stop ends the server as an administrator does.
func (s *server) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := s.process.Wait()
	s.process = nil
	return err
}

func (s *server) s3() *s3.Client {
	return s3.New(s3.Options{
		Region: s.access["AWS_DEFAULT_REGION"], BaseEndpoint: awssdk.String("http://" + s.address), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.access["AWS_ACCESS_KEY_ID"], s.access["AWS_SECRET_ACCESS_KEY"], ""),
	})
}
