package awsclient

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/aws/sign"
)

// ErrNoCredentials is returned when no source has credentials.
var ErrNoCredentials error = said("Unable to locate credentials")

// Options are what a command line can say; the zero value takes everything from
// environment, files and instance metadata, in that order.
type Options struct {
	Region   string
	Endpoint string
	Profile  string
	// Role is the role whose credentials to take from instance metadata, instead
	// of looking further.
	Role string
	// Keys are used before everything else.
	Keys sign.Credentials
	// Anonymous sends requests unsigned.
	Anonymous bool
	// Metadata is the instance metadata service; nil means the instance's.
	Metadata *imdsclient.Client
	// CredentialFile is a file of AWSAccessKeyId=, AWSSecretKey= lines, as the
	// CloudFormation helpers take it.
	CredentialFile string
}

// Settings is where requests go and who makes them.
type Settings struct {
	Region  string
	Profile string
	options Options
	files   map[string]string // the profile's settings from both files

	mu    sync.Mutex
	creds sign.Credentials
}

// Load resolves the region and reads the profile. Credentials are looked for when
// the first request needs them.
func Load(ctx context.Context, o Options) (*Settings, error) {
	if o.Metadata == nil {
		o.Metadata = imdsclient.New("")
	}
	profile := firstOf(o.Profile, os.Getenv("AWS_PROFILE"), os.Getenv("AWS_DEFAULT_PROFILE"), "default")
	files, found, err := readProfile(profile)
	if err != nil {
		return nil, err
	}
	if !found && profile != "default" {
		return nil, said("The config profile (" + profile + ") could not be found")
	}
	s := &Settings{Profile: profile, options: o, files: files}
	s.Region = firstOf(o.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), files["region"])
	if s.Region == "" {
		if id, err := o.Metadata.Identity(ctx); err == nil {
			s.Region = id.Region
		}
	}
	return s, nil
}

// Setting returns what the profile's files say about key, or "".
func (s *Settings) Setting(key string) string { return s.files[key] }

// Endpoint returns the base URL for service that someone asked for, or "".
func (s *Settings) Endpoint(service string) string {
	return strings.TrimSuffix(firstOf(s.options.Endpoint, os.Getenv("AWS_ENDPOINT_URL_"+strings.ToUpper(service)),
		os.Getenv("AWS_ENDPOINT_URL"), s.files["endpoint_url"]), "/")
}

// Domain is what host names of the region end in.
func (s *Settings) Domain() string {
	if strings.HasPrefix(s.Region, "cn-") {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// Credentials returns the credentials to sign with as of now.
func (s *Settings) Credentials(ctx context.Context, now time.Time) (sign.Credentials, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.creds.AccessKeyID != "" && (s.creds.Expires.IsZero() || now.Before(s.creds.Expires.Add(-time.Minute))) {
		return s.creds, nil
	}
	var err error
	s.creds, _, err = s.find(ctx)
	return s.creds, err
}

// Source names where the credentials come from: env, shared-credentials-file,
// iam-role.
func (s *Settings) Source(ctx context.Context) (sign.Credentials, string, error) { return s.find(ctx) }

func (s *Settings) find(ctx context.Context) (sign.Credentials, string, error) {
	if s.options.Keys.AccessKeyID != "" {
		return s.options.Keys, "keys", nil
	}
	if s.options.Role != "" {
		c, err := s.options.Metadata.Credentials(ctx, s.options.Role)
		return c, "iam-role", err
	}
	if s.options.CredentialFile != "" {
		c, err := credentialFile(s.options.CredentialFile)
		return c, "credential-file", err
	}
	fromEnv := sign.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"),
		SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: os.Getenv("AWS_SESSION_TOKEN")}
	// A profile asked for by name comes before the environment's keys.
	if s.options.Profile == "" && fromEnv.AccessKeyID != "" && fromEnv.SecretAccessKey != "" {
		return fromEnv, "env", nil
	}
	fromFile := sign.Credentials{AccessKeyID: s.files["aws_access_key_id"],
		SecretAccessKey: s.files["aws_secret_access_key"], SessionToken: s.files["aws_session_token"]}
	if fromFile.AccessKeyID != "" && fromFile.SecretAccessKey != "" {
		return fromFile, "shared-credentials-file", nil
	}
	for _, key := range []string{"role_arn", "credential_process", "sso_start_url", "web_identity_token_file"} {
		if s.files[key] != "" {
			return sign.Credentials{}, "", fmt.Errorf("profile %s uses %s, which hardstand's aws does not support", s.Profile, key)
		}
	}
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return sign.Credentials{}, "", ErrNoCredentials
	}
	c, err := s.options.Metadata.Credentials(ctx, "")
	if errors.Is(err, imdsclient.ErrNotFound) {
		return c, "", fmt.Errorf("%w: the instance has no instance profile, and neither environment nor %s has keys",
			ErrNoCredentials, CredentialsFile())
	}
	if err != nil {
		return c, "", fmt.Errorf("%w: %w", ErrNoCredentials, err)
	}
	return c, "iam-role", nil
}

// ConfigFile is the path of the config file.
func ConfigFile() string { return fileOf("AWS_CONFIG_FILE", "config") }

// CredentialsFile is the path of the shared credentials file.
func CredentialsFile() string { return fileOf("AWS_SHARED_CREDENTIALS_FILE", "credentials") }

func fileOf(variable, name string) string {
	if p := os.Getenv(variable); p != "" {
		return p
	}
	home := os.Getenv("HOME")
	if home == "" {
		// User data has no HOME; the CLI falls back to the account's.
		home = "/root"
	}
	return filepath.Join(home, ".aws", name)
}

// readProfile merges the profile's sections of both files; credentials win.
func readProfile(profile string) (settings map[string]string, found bool, err error) {
	settings = map[string]string{}
	section := "profile " + profile
	if profile == "default" {
		section = "default"
	}
	for _, f := range []struct{ path, section string }{{ConfigFile(), section}, {CredentialsFile(), profile}} {
		sections, err := ReadINI(f.path)
		if err != nil {
			return nil, false, err
		}
		values, ok := sections[f.section]
		found = found || ok
		for k, v := range values {
			settings[k] = v
		}
	}
	return settings, found, nil
}

// ReadINI reads a file of sections and key = value lines. Nested settings, which
// are indented, are passed over. A missing file has no sections.
func ReadINI(path string) (map[string]map[string]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sections := map[string]map[string]string{}
	var current map[string]string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[':
			name := strings.TrimSpace(strings.Trim(trimmed, "[]"))
			if sections[name] == nil {
				sections[name] = map[string]string{}
			}
			current = sections[name]
		case current == nil || line[0] == ' ' || line[0] == '\t':
		default:
			if key, value, ok := strings.Cut(trimmed, "="); ok {
				current[strings.ToLower(strings.TrimSpace(key))] = strings.TrimSpace(value)
			}
		}
	}
	return sections, lines.Err()
}

func credentialFile(path string) (sign.Credentials, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return sign.Credentials{}, fmt.Errorf("credential file: %w", err)
	}
	var c sign.Credentials
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch strings.TrimSpace(key) {
		case "AWSAccessKeyId":
			c.AccessKeyID = strings.TrimSpace(value)
		case "AWSSecretKey":
			c.SecretAccessKey = strings.TrimSpace(value)
		case "AWSToken":
			c.SessionToken = strings.TrimSpace(value)
		}
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return c, fmt.Errorf("credential file %s has no AWSAccessKeyId and AWSSecretKey", path)
	}
	return c, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
