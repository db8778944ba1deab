package s3

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/clock"
)

// headerKeys are the condition keys that repeat a header of the request, by the
// member of the input that holds it.
var headerKeys = []struct{ member, key string }{
	{"ACL", "s3:x-amz-acl"},
	{"GrantFullControl", "s3:x-amz-grant-full-control"},
	{"GrantRead", "s3:x-amz-grant-read"},
	{"GrantWrite", "s3:x-amz-grant-write"},
	{"GrantReadACP", "s3:x-amz-grant-read-acp"},
	{"GrantWriteACP", "s3:x-amz-grant-write-acp"},
	{"ServerSideEncryption", "s3:x-amz-server-side-encryption"},
	{"SSEKMSKeyId", "s3:x-amz-server-side-encryption-aws-kms-key-id"},
	{"SSECustomerAlgorithm", "s3:x-amz-server-side-encryption-customer-algorithm"},
	{"StorageClass", "s3:x-amz-storage-class"},
	{"MetadataDirective", "s3:x-amz-metadata-directive"},
	{"WebsiteRedirectLocation", "s3:x-amz-website-redirect-location"},
	{"ObjectOwnership", "s3:x-amz-object-ownership"},
	{"ObjectLockMode", "s3:object-lock-mode"},
	{"ObjectLockLegalHoldStatus", "s3:object-lock-legal-hold"},
	{"ObjectLockRetainUntilDate", "s3:object-lock-retain-until-date"},
	{"VersionId", "s3:VersionId"},
	{"IfMatch", "s3:if-match"},
	{"IfNoneMatch", "s3:if-none-match"},
}

// describe adds to the check what the request says about itself. A key that does
// not apply is absent.
func (s *Service) describe(ctx context.Context, c *aws.Check, in any) {
	v := reflect.ValueOf(in).Elem()
	for _, h := range headerKeys {
		if text := textOf(v.FieldByName(h.member)); text != "" {
			c.Context[h.key] = []string{text}
		}
	}
	if f := v.FieldByName("ObjectLockRetainUntilDate"); f.IsValid() {
		if until, _ := f.Interface().(*time.Time); until != nil {
			remainingDays(c, until.Sub(s.clock.Now()))
		}
	}
	creation(c, in)
	describeCaller(ctx, s.clock, c)
}

// requestTags are the tags that a write brings.
func requestTags(c *aws.Check, tags []tag) {
	for _, t := range tags {
		c.Context["s3:RequestObjectTag/"+t.Key] = []string{t.Value}
		c.Context["s3:RequestObjectTagKeys"] = append(c.Context["s3:RequestObjectTagKeys"], t.Key)
	}
}

// creation tells the writes that make an object from those of its parts.
func creation(c *aws.Check, in any) {
	switch in.(type) {
	case *s3.PutObjectInput, *s3.CopyObjectInput, *s3.CompleteMultipartUploadInput:
		c.Context["s3:ObjectCreationOperation"] = []string{"true"}
	case *s3.CreateMultipartUploadInput, *s3.UploadPartInput, *s3.UploadPartCopyInput:
		c.Context["s3:ObjectCreationOperation"] = []string{"false"}
	}
}

func remainingDays(c *aws.Check, left time.Duration) {
	c.Context["s3:object-lock-remaining-retention-days"] = []string{strconv.Itoa(int(left.Hours() / 24))}
}

// textOf is the text of a member that is text, an enumeration or a time.
func textOf(f reflect.Value) string {
	if !f.IsValid() || f.IsZero() {
		return ""
	}
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if t, ok := f.Interface().(time.Time); ok {
		return t.UTC().Format(time.RFC3339)
	}
	return fmt.Sprint(f.Interface())
}

// describeCaller adds how the request was signed and came in.
func describeCaller(ctx context.Context, now clock.Clock, c *aws.Check) {
	signed := aws.CallFrom(ctx).Signed
	for key, value := range map[string]string{
		"s3:authType": signed.Type, "s3:signatureversion": signed.Version,
		"s3:x-amz-content-sha256": signed.Payload, "s3:TlsVersion": signed.TLS,
	} {
		if value != "" {
			c.Context[key] = []string{value}
		}
	}
	if !signed.At.IsZero() {
		c.Context["s3:signatureAge"] = []string{strconv.FormatInt(now.Now().Sub(signed.At).Milliseconds(), 10)}
	}
}

// grants reports whether in, a pointer to an input, sets an ACL by headers.
func grants(in any) bool {
	for _, h := range grantHeaders {
		if member(in, h.member) != nil {
			return true
		}
	}
	return false
}
