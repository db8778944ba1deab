package s3

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
)

// maxCORSRules is how many rules a bucket may have.
const maxCORSRules = 100

var corsMethods = []string{http.MethodGet, http.MethodPut, http.MethodHead, http.MethodPost, http.MethodDelete}

// GetBucketCors returns the rules as they were put.
func (s *Service) GetBucketCors(ctx context.Context, in *s3.GetBucketCorsInput) (*s3.GetBucketCorsOutput, error) {
	b, err := s.lookup(ctx, aws.Val(in.Bucket))
	if err != nil {
		return nil, err
	}
	if len(b.CORS) == 0 {
		return nil, awserr.Status(http.StatusNotFound, "NoSuchCORSConfiguration", "The CORS configuration does not exist").With("BucketName", b.Name)
	}
	return &s3.GetBucketCorsOutput{CORSRules: b.CORS}, nil
}

// PutBucketCors replaces the rules.
func (s *Service) PutBucketCors(ctx context.Context, in *s3.PutBucketCorsInput) (*s3.PutBucketCorsOutput, error) {
	if in.CORSConfiguration == nil || len(in.CORSConfiguration.CORSRules) == 0 {
		return nil, errMalformedXML
	}
	rules := in.CORSConfiguration.CORSRules
	if len(rules) > maxCORSRules {
		return nil, errInvalidRequest("The number of CORS rules should not exceed allowed limit of %d rules.", maxCORSRules)
	}
	for _, r := range rules {
		if err := validCORSRule(r); err != nil {
			return nil, err
		}
	}
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.CORS = rules; return nil }); err != nil {
		return nil, err
	}
	return &s3.PutBucketCorsOutput{}, nil
}

func validCORSRule(r s3.CORSRule) error {
	if len(r.AllowedMethods) == 0 || len(r.AllowedOrigins) == 0 {
		return errMalformedXML
	}
	for _, m := range r.AllowedMethods {
		if !slices.Contains(corsMethods, m) {
			return errInvalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is %s", m)
		}
	}
	for name, values := range map[string][]string{"AllowedOrigin": r.AllowedOrigins, "AllowedHeader": r.AllowedHeaders} {
		for _, v := range values {
			if strings.Count(v, "*") > 1 {
				return errInvalidRequest("%s %q can not have more than one wildcard.", name, v)
			}
		}
	}
	for _, h := range r.ExposeHeaders {
		if strings.Contains(h, "*") {
			return errInvalidRequest("ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", h)
		}
	}
	return nil
}

// DeleteBucketCors removes the rules.
func (s *Service) DeleteBucketCors(ctx context.Context, in *s3.DeleteBucketCorsInput) (*s3.DeleteBucketCorsOutput, error) {
	if err := s.change(ctx, in.Bucket, func(b *bucket) error { b.CORS = nil; return nil }); err != nil {
		return nil, err
	}
	return &s3.DeleteBucketCorsOutput{}, nil
}

// Preflight answers an OPTIONS request with the headers of the first rule that
// allows what the browser announces. It needs no permission: it says nothing but the
// rules.
func (s *Service) Preflight(ctx context.Context, bucketName, key string, r *http.Request) (http.Header, error) {
	origin, method := r.Header.Get("Origin"), r.Header.Get("Access-Control-Request-Method")
	if origin == "" {
		return nil, awserr.New("BadRequest", "Insufficient information. Origin request header needed.")
	}
	refuse := func(text, kind string) error {
		shown := method
		if shown == "" {
			shown = http.MethodOptions
		}
		return awserr.Status(http.StatusForbidden, "AccessForbidden", "CORSResponse: %s", text).With("Method", shown).With("ResourceType", kind)
	}
	b, err := s.lookup(ctx, bucketName)
	switch {
	case awserr.Is(err, "NoSuchBucket"):
		return nil, refuse("Bucket not found", "BUCKET")
	case err != nil:
		return nil, err
	case len(b.CORS) == 0:
		return nil, refuse("CORS is not enabled for this bucket.", "BUCKET")
	case method == "":
		return nil, awserr.New("BadRequest", "Invalid Access-Control-Request-Method: null")
	}
	if h := corsHeaders(b.CORS, origin, method, r.Header.Get("Access-Control-Request-Headers")); h != nil {
		return h, nil
	}
	kind := "BUCKET"
	if key != "" {
		kind = "OBJECT"
	}
	return nil, refuse("This CORS request is not allowed. This is usually because the evalution of Origin, request method / "+
		"Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.", kind)
}

// CORS returns the headers that the answer to a request of a page gets, nil for none.
// A request that carries a preflight's headers is judged by them, as S3 does.
func (s *Service) CORS(ctx context.Context, bucketName string, r *http.Request) http.Header {
	b, err := s.lookup(ctx, bucketName)
	if err != nil || len(b.CORS) == 0 {
		return nil // the operation itself says what is wrong
	}
	method := r.Header.Get("Access-Control-Request-Method")
	if method == "" {
		method = r.Method
	}
	return corsHeaders(b.CORS, r.Header.Get("Origin"), method, r.Header.Get("Access-Control-Request-Headers"))
}

// corsHeaders are the headers of the first rule that matches, nil when none does.
func corsHeaders(rules []s3.CORSRule, origin, method, announced string) http.Header {
	var asked []string
	for name := range strings.SplitSeq(announced, ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			asked = append(asked, name)
		}
	}
	for _, r := range rules {
		if !slices.Contains(r.AllowedMethods, method) {
			continue
		}
		pattern := slices.IndexFunc(r.AllowedOrigins, func(p string) bool { return wildcard(p, origin) })
		if pattern < 0 || slices.ContainsFunc(asked, func(name string) bool { return !headerAllowed(r, name) }) {
			continue
		}
		return ruleHeaders(r, r.AllowedOrigins[pattern], origin, asked)
	}
	return nil
}

func headerAllowed(r s3.CORSRule, name string) bool {
	return slices.ContainsFunc(r.AllowedHeaders, func(p string) bool { return wildcard(strings.ToLower(p), name) })
}

// wildcard matches a pattern with at most one star.
func wildcard(pattern, text string) bool {
	before, after, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == text
	}
	return len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after)
}

func ruleHeaders(r s3.CORSRule, pattern, origin string, asked []string) http.Header {
	h := http.Header{}
	h.Set("Access-Control-Allow-Origin", "*")
	if pattern != "*" {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(r.AllowedMethods, ", "))
	if len(asked) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(asked, ", "))
	}
	if len(r.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(r.ExposeHeaders, ", "))
	}
	if r.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(*r.MaxAgeSeconds)))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	return h
}
