package cfn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

// authentication fetches files and sources with the credentials that the metadata
// gives for them.
type authentication struct {
	ctx      context.Context
	entries  map[string]any
	region   string
	metadata *imdsclient.Client
	log      *logs
}

func (l *logs) newAuthentication(ctx context.Context, f *flags, metadata map[string]any) (*authentication, error) {
	entries, ok := metadata[authKey].(map[string]any)
	if metadata[authKey] != nil && !ok {
		return nil, fmt.Errorf("%s is not an object", authKey)
	}
	region := f.text("region")
	if region == "" {
		region = "us-east-1"
	}
	return &authentication{ctx: ctx, entries: entries, region: region, metadata: l.Metadata, log: l}, nil
}

// open starts the download of source. name is the entry to use, or "" for the
// first that covers the source; a source that none covers is fetched openly.
func (a *authentication) open(source, name string) (io.ReadCloser, error) {
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s is not an http or https URL", source)
	}
	entry, err := a.entry(u, name)
	if err != nil {
		return nil, err
	}
	settings, err := a.settings(u, entry)
	if err != nil {
		return nil, err
	}
	client, err := awsclient.New(settings, a.log.Clock)
	if err != nil {
		return nil, err
	}
	r := awsclient.Request{Service: "s3", Operation: "GET " + u.Host, Method: http.MethodGet, URL: source, Unsigned: true, Header: http.Header{}}
	switch kind, _ := entry["type"].(string); strings.ToLower(kind) {
	case "s3":
		r.Unsigned = false
	case "basic":
		req := http.Request{Header: r.Header}
		user, _ := entry["username"].(string)
		password, _ := entry["password"].(string)
		req.SetBasicAuth(user, password)
	case "":
	default:
		a.log.logf("WARNING", "Unrecognized authentication type: %s", kind)
	}
	return follow(a.ctx, client, r)
}

// follow makes the request and goes where the answer sends it, without taking
// credentials along to another host.
func follow(ctx context.Context, client *awsclient.Client, r awsclient.Request) (io.ReadCloser, error) {
	for range 5 {
		resp, err := client.Do(ctx, r)
		var moved *awsclient.Error
		if err == nil {
			return resp.Body, nil
		}
		if !errors.As(err, &moved) || moved.Location == "" {
			return nil, err
		}
		from, err := url.Parse(r.URL)
		if err != nil {
			return nil, err
		}
		to, err := from.Parse(moved.Location)
		if err != nil {
			return nil, err
		}
		if to.Host != from.Host {
			r.Unsigned, r.Header = true, http.Header{}
		}
		r.URL = to.String()
	}
	return nil, fmt.Errorf("%s: too many redirects", r.URL)
}

func (a *authentication) entry(u *url.URL, name string) (map[string]any, error) {
	if entry, ok := a.entries[name].(map[string]any); ok {
		return entry, nil
	} else if name != "" {
		a.log.logf("WARNING", "No authentication named %s in the metadata", name)
	}
	for _, key := range sorted(a.entries) {
		entry, _ := a.entries[key].(map[string]any)
		if slices.ContainsFunc(texts(entry["buckets"]), func(b string) bool { return isBucket(u, b) }) ||
			slices.ContainsFunc(texts(entry["uris"]), func(p string) bool { return p == u.Host || strings.HasPrefix(u.String(), p) }) {
			return entry, nil
		}
	}
	return nil, nil
}

// isBucket reports whether the URL is of that bucket, by host or by path.
func isBucket(u *url.URL, bucket string) bool {
	return strings.HasPrefix(u.Host, bucket+".s3") || strings.HasPrefix(u.Path, "/"+bucket+"/")
}

// region is the one that an S3 host name tells, or the one given.
func region(u *url.URL, otherwise string) string {
	_, rest, ok := strings.Cut("."+u.Host, ".s3")
	if !ok {
		return otherwise
	}
	name, _, ok := strings.Cut(strings.TrimLeft(rest, ".-"), ".amazonaws.")
	if !ok || name == "" || strings.HasPrefix(name, "external") {
		return otherwise
	}
	return name
}

func (a *authentication) settings(u *url.URL, entry map[string]any) (*awsclient.Settings, error) {
	o := awsclient.Options{Region: region(u, a.region), Metadata: a.metadata}
	o.Role, _ = entry["roleName"].(string)
	key, _ := entry["accessKeyId"].(string)
	secret, _ := entry["secretKey"].(string)
	if key != "" && secret != "" {
		o.Keys = sign.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	}
	return awsclient.Load(a.ctx, o)
}
