package cloudformation

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack/template"
	"github.com/hardstand/hardstand/internal/wire"
)

// maxPolicyBody is the most a stack policy behind a URL may hold.
const maxPolicyBody = 16384

// source returns the text of a template that a request brings in its body or
// behind a URL.
func (s *Service) source(ctx context.Context, body, location *string) (string, error) {
	if text, ok := ctx.Value(setBodyKey{}).(string); ok {
		return text, nil
	}
	switch {
	case body != nil && location != nil:
		return "", invalid("You must not specify both TemplateURL and TemplateBody.")
	case body != nil:
		return *body, nil
	case location != nil:
		text, err := s.fetch(ctx, *location, "TemplateURL", template.MaxRemoteBody)
		if len(text) > template.MaxRemoteBody {
			return "", invalid("Template may not exceed %d bytes in size.", template.MaxRemoteBody)
		}
		return text, err
	}
	return "", invalid("Either Template URL or Template Body must be specified.")
}

// fetch reads an object that a URL names, as the caller; one byte more than limit
// shows that it is too long.
func (s *Service) fetch(ctx context.Context, location, member string, limit int64) (string, error) {
	bucket, key, err := s.hosts.parse(location, member)
	if err != nil {
		return "", err
	}
	out, err := wire.Call[s3.GetObjectOutput](ctx, s.invoker, "s3", "GetObject", &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		if e := awserr.As(err); e != nil && e.HTTPStatus() < 500 {
			return "", invalid("S3 error: %s\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html", e.Message)
		}
		return "", err
	}
	return readAll(out.Body, member, limit)
}

// readAll reads and closes the body of an object, and not more than a byte above
// limit.
func readAll(body io.ReadCloser, what string, limit int64) (string, error) {
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	return string(text), nil
}

// s3Hosts knows the host names under which objects may be named.
type s3Hosts struct{ own *url.URL }

func newS3Hosts(endpoint string) s3Hosts {
	u, err := url.Parse(endpoint)
	if err != nil {
		u = &url.URL{}
	}
	return s3Hosts{u}
}

// awsHost is s3.amazonaws.com in all its forms; the first group is the bucket of
// virtual hosts.
var awsHost = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?[a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com(?:\.cn)?$`)

// parse splits a URL into bucket and key: our endpoint by http or https, path or
// virtual host, and AWS's names by https.
func (h s3Hosts) parse(location, member string) (bucket, key string, err error) {
	u, err := url.Parse(location)
	unsupported := invalid("%s must be a supported URL.", member)
	if err != nil || u.Host == "" {
		return "", "", unsupported
	}
	if u.Scheme == "s3" {
		return "", "", invalid("S3 error: Domain name specified in %s is not a valid S3 domain", u.Host)
	}
	virtual := ""
	switch {
	case (u.Scheme == "http" || u.Scheme == "https") && h.isOwn(u, &virtual):
	case u.Scheme == "https" && awsHost.MatchString(u.Host):
		virtual = awsHost.FindStringSubmatch(u.Host)[1]
	case u.Scheme == "https" || u.Scheme == "http":
		return "", "", unsupported
	default:
		return "", "", unsupported
	}
	path := strings.TrimPrefix(u.Path, "/")
	if virtual != "" {
		bucket, key = virtual, path
	} else {
		bucket, key, _ = strings.Cut(path, "/")
	}
	if bucket == "" || key == "" {
		return "", "", unsupported
	}
	return bucket, key, nil
}

// isOwn reports whether a URL names this server, and the bucket in its host.
func (h s3Hosts) isOwn(u *url.URL, bucket *string) bool {
	local := u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost"
	if u.Port() == h.own.Port() && (u.Hostname() == h.own.Hostname() || local) {
		return true
	}
	for _, suffix := range []string{".localhost", ".s3." + h.own.Hostname(), "." + h.own.Hostname()} {
		if name, ok := strings.CutSuffix(u.Hostname(), suffix); ok && u.Port() == h.own.Port() {
			*bucket = strings.TrimSuffix(name, ".s3")
			return true
		}
	}
	return false
}

// policyText returns a stack policy that a request brings, checked.
func (s *Service) policyText(ctx context.Context, body, location *string) (string, error) {
	switch {
	case body != nil && location != nil:
		return "", invalid("You cannot specify both StackPolicyURL and StackPolicyBody")
	case body != nil:
		return *body, checkPolicy(*body)
	case location != nil:
		text, err := s.fetch(ctx, *location, "StackPolicyURL", maxPolicyBody)
		if err != nil {
			return "", err
		}
		return text, checkPolicy(text)
	}
	return "", nil
}

// acting returns ctx with the role's principal: with a service role, what a template
// asks of other services is asked in the role's name, as its resources are made.
func (s *Service) acting(ctx context.Context, roleARN string) (context.Context, error) {
	who, err := s.principalOf(ctx, roleARN)
	c := aws.CallFrom(ctx)
	c.Principal = who
	return aws.WithCall(ctx, c), err
}

// principalOf is who acts in an operation: the role given, the stack's role, or
// the caller.
func (s *Service) principalOf(ctx context.Context, roleARN string) (aws.Principal, error) {
	if roleARN == "" {
		return aws.CallFrom(ctx).Principal, nil
	}
	p, err := s.roles.AssumeServiceRole(ctx, roleARN, "cloudformation.amazonaws.com")
	if err != nil {
		s.log.Info("stack role", "role", roleARN, "error", err)
		return p, invalid("Role %s is invalid or cannot be assumed", roleARN)
	}
	return p, nil
}
