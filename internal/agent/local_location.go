package agent

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/agent/config"
	"github.com/hardstand/hardstand/internal/agent/download"
	"github.com/hardstand/hardstand/internal/agent/identity"
	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
)

// githubHosts are the two sites that name a revision on GitHub:
// https://github.com/ACCOUNT/REPOSITORY[/(tree|commit|tarball|zipball)/REF] and
// https://api.github.com/repos/ACCOUNT/REPOSITORY/(tarball|zipball)/REF.
const (
	githubSite = "https://github.com/"
	githubAPI  = "https://api.github.com/repos/"
)

// revision is the part of a specification that says where the bundle is.
func (l *local) revision() (map[string]any, error) {
	switch {
	case strings.HasPrefix(l.Location, "s3://"):
		return l.s3Revision()
	case strings.HasPrefix(l.Location, githubSite), strings.HasPrefix(l.Location, githubAPI):
		return l.gitHubRevision()
	}
	location, err := filepath.Abs(l.Location)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(location); err != nil {
		return nil, fmt.Errorf("location %s: %w", l.Location, err)
	}
	kind := "Local File"
	if l.Type == typeDirectory {
		kind = "Local Directory"
	}
	return map[string]any{"RevisionType": kind, "LocalRevision": map[string]any{"Location": location, "BundleType": l.Type}}, nil
}

// s3Revision reads s3://BUCKET/KEY[?versionId=VERSION&etag=ETAG].
func (l *local) s3Revision() (map[string]any, error) {
	u, err := url.Parse(l.Location)
	if err != nil {
		return nil, fmt.Errorf("location: %w", err)
	}
	key := strings.TrimPrefix(u.Path, "/")
	if u.Host == "" || key == "" {
		return nil, fmt.Errorf("location %s is not s3://BUCKET/KEY", l.Location)
	}
	for name := range u.Query() {
		if name != "versionId" && name != "etag" {
			return nil, fmt.Errorf("location %s: %s is neither versionId nor etag", l.Location, name)
		}
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("location %s: write # in a key as %%23", l.Location)
	}
	kind := l.Type
	if kind == typeDirectory {
		if kind = archiveType(key); kind == "" {
			return nil, fmt.Errorf("the name of %s does not tell its type: give -t zip, tar or tgz", l.Location)
		}
	}
	return map[string]any{"RevisionType": "S3", "S3Revision": map[string]any{
		"Bucket": u.Host, "Key": key, "BundleType": kind, "Version": u.Query().Get("versionId"), "ETag": u.Query().Get("etag"),
	}}, nil
}

func archiveType(name string) string {
	for ending, kind := range map[string]string{".zip": "zip", ".tar": "tar", ".tgz": "tgz", ".tar.gz": "tgz"} {
		if strings.HasSuffix(name, ending) {
			return kind
		}
	}
	return ""
}

func (l *local) gitHubRevision() (map[string]any, error) {
	rest := strings.TrimPrefix(strings.TrimPrefix(l.Location, githubSite), githubAPI)
	parts := strings.SplitN(strings.Trim(rest, "/"), "/", 4)
	ref, kind := "HEAD", "tar"
	if len(parts) == 4 {
		ref = parts[3]
	}
	if len(parts) >= 3 && parts[2] == "zipball" || l.Type == "zip" {
		kind = "zip"
	}
	known := len(parts) == 2 || len(parts) == 4 && strings.Contains(" tree commit tarball zipball ", " "+parts[2]+" ")
	if !known || parts[0] == "" || parts[1] == "" {
		return nil, fmt.Errorf("location %s is not %sACCOUNT/REPOSITORY/tree/REF", l.Location, githubSite)
	}
	return map[string]any{"RevisionType": "GitHub", "GitHubRevision": map[string]any{
		"Account": parts[0], "Repository": strings.TrimSuffix(parts[1], ".git"), "CommitId": ref, "BundleType": kind,
	}}, nil
}

// fetcher downloads what the location names. Who this host is, is asked only for S3.
func (l *local) fetcher(ctx context.Context, cfg config.Config) (*download.Client, error) {
	c := &download.Client{Clock: clock.System{}, GitHub: cmp.Or(os.Getenv("CODEDEPLOY_GITHUB_API"), "https://api.github.com"), Once: true}
	var err error
	if c.HTTP, err = download.NewHTTP(cfg.ProxyURI); err != nil || !strings.HasPrefix(l.Location, "s3://") {
		return c, err
	}
	c.Endpoint, c.FIPS = s3Endpoint(cfg, os.Getenv), cfg.UseFIPS
	if k := (environmentKeys{}); k.present() {
		c.Region, c.Domain, c.Credentials = cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1"), "amazonaws.com", k
		return c, nil
	}
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	host, keys, err := identity.Discover(ctx, identity.Options{OnPremisesFile: cfg.OnPremisesFile,
		IMDS: imdsclient.NewWith(imdsclient.Options{AllowV1: !cfg.DisableIMDSv1, Tries: 1, Clock: clock.System{}}), Clock: clock.System{}})
	if err != nil {
		return nil, fmt.Errorf("no credentials for S3: neither AWS_ACCESS_KEY_ID nor an instance's role: %w", err)
	}
	c.Region, c.Domain, c.Credentials = host.Region, host.Domain, keys
	return c, nil
}

// environmentKeys are the credentials of the user who calls.
type environmentKeys struct{}

func (environmentKeys) present() bool { return os.Getenv("AWS_ACCESS_KEY_ID") != "" }

// Get implements download.Credentials.
func (environmentKeys) Get(context.Context) (sign.Credentials, error) {
	return sign.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
		SessionToken: os.Getenv("AWS_SESSION_TOKEN")}, nil
}
