// Package cfn is the CloudFormation helper scripts: cfn-signal, cfn-init,
// cfn-get-metadata and cfn-hup.
//
// Options, files, logs and exit codes are those of aws-cfn-bootstrap. Requests
// are signed with a role's or a user's keys where the command line names some;
// otherwise the instance's signed identity document stands for it (CFN_V1), and
// the service checks that the instance belongs to the stack. The flow enters in
// Signal, Init, GetMetadata and Hup. It imports awsclient, imdsclient and
// accounts.
package cfn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/imdsclient"
	"github.com/hardstand/hardstand/internal/aws/sign"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/guest"
	"github.com/hardstand/hardstand/internal/guest/awsclient"
)

const apiVersion = "2010-05-15"

// Helper runs one of the scripts.
type Helper struct {
	Root           guest.Root
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Clock          clock.Clock
	Metadata       *imdsclient.Client
	// Path is PATH for the commands that cfn-init runs.
	Path string
}

// New returns the helper of the running instance.
func New() *Helper {
	return &Helper{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Clock: clock.System{},
		Metadata: imdsclient.New(""), Path: guest.DefaultPath}
}

// service is CloudFormation, as one command line addresses it.
type service struct {
	client   *awsclient.Client
	url      string
	metadata *imdsclient.Client
	root     guest.Root
	clock    clock.Clock
	// signed says that keys were named; otherwise the instance signs.
	signed bool
}

func (h *Helper) connect(ctx context.Context, f *flags) (*service, error) {
	o := awsclient.Options{Region: f.text("region"), Metadata: h.Metadata}
	// As the original: a file comes before a role, and a role before keys.
	switch key, secret := f.text("access-key"), f.text("secret-key"); {
	case f.has("credential-file"):
		if err := privateFile(f.text("credential-file")); err != nil {
			return nil, said("Error retrieving credentials from file:\n\t%w", err)
		}
		o.CredentialFile = f.text("credential-file")
	case f.has("role"):
		o.Role = f.text("role")
	case key != "" && secret != "":
		o.Keys = sign.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	case key != "" || secret != "":
		return nil, said("Error: --access-key and --secret-key must be given together")
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	settings, err := awsclient.Load(ctx, o)
	if err != nil {
		return nil, err
	}
	client, err := awsclient.New(settings, h.Clock)
	if err != nil {
		return nil, err
	}
	base := f.text("url")
	if base == "" {
		base = "https://cloudformation." + o.Region + "." + client.Domain()
	}
	signed := o.Role != "" || o.CredentialFile != "" || o.Keys.AccessKeyID != ""
	return &service{client: client, url: strings.TrimSuffix(base, "/"), metadata: h.Metadata, root: h.Root, clock: h.Clock, signed: signed}, nil
}

// privateFile refuses a file with credentials that others may read.
func privateFile(path string) error {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return said("Credential file was not found at %s", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return said("Credential file cannot be accessible by group or other. Please chmod 600 the credential file.")
	}
	return nil
}

// call makes one request and returns the operation's result.
func (s *service) call(ctx context.Context, action string, values url.Values) (map[string]any, error) {
	query := url.Values{"Action": {action}, "Version": {apiVersion}, "ContentType": {"JSON"}}
	for k, v := range values {
		query[k] = v
	}
	header := http.Header{"Accept": {"application/json"}}
	if !s.signed {
		document, signature, err := s.metadata.SignedDocument(ctx)
		if err != nil {
			return nil, fmt.Errorf("no credentials were given, and the instance cannot sign for itself: %w", err)
		}
		header.Set("Authorization", "CFN_V1 "+base64.StdEncoding.EncodeToString(document)+":"+
			strings.NewReplacer("\n", "", "\r", "").Replace(string(signature)))
	}
	address := s.url + "/?" + query.Encode()
	resp, err := s.client.Do(ctx, awsclient.Request{Service: "cloudformation", Operation: action, Method: http.MethodGet,
		URL: address, Header: header, Unsigned: !s.signed})
	if err != nil {
		s.wire(http.MethodGet, address, describeError(err).Error())
		return nil, err
	}
	s.wire(http.MethodGet, address, resp.Status)
	defer resp.Body.Close()
	var doc map[string]map[string]any
	if err := readJSON(resp.Body, &doc); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", action, err)
	}
	result, _ := doc[action+"Response"][action+"Result"].(map[string]any)
	return result, nil
}

// resource is what DescribeStackResource tells of a resource.
type resource struct {
	metadata   map[string]any // nil when the resource has none
	physicalID string
	status     string
	updated    string // when it last changed
}

func (s *service) describe(ctx context.Context, stack, logical string) (resource, error) {
	result, err := s.call(ctx, "DescribeStackResource", url.Values{"StackName": {stack}, "LogicalResourceId": {logical}})
	if err != nil {
		return resource{}, err
	}
	detail, _ := result["StackResourceDetail"].(map[string]any)
	r := resource{updated: fmt.Sprint(detail["LastUpdatedTimestamp"])}
	r.physicalID, _ = detail["PhysicalResourceId"].(string)
	r.status, _ = detail["ResourceStatus"].(string)
	text, _ := detail["Metadata"].(string)
	if strings.TrimSpace(text) == "" {
		return r, nil
	}
	if err := readJSON(strings.NewReader(text), &r.metadata); err != nil {
		return r, fmt.Errorf("metadata of %s: %w", logical, err)
	}
	return r, nil
}

// readJSON keeps numbers as they are written.
func readJSON(from io.Reader, into any) error {
	dec := json.NewDecoder(from)
	dec.UseNumber()
	return dec.Decode(into)
}

// fail prints an error as the helpers do and returns their exit code.
func (h *Helper) fail(err error) int {
	fmt.Fprintln(h.Stderr, describeError(err))
	return 1
}

// describeError tells an answer of the service by its code and message alone.
func describeError(err error) error {
	var answer *awsclient.Error
	if errors.As(err, &answer) {
		return errors.New(answer.Code + ": " + answer.Message)
	}
	return err
}

// said is an error in the originals' own words, which people search for and which
// begin with a capital letter.
func said(format string, args ...any) error { return fmt.Errorf(format, args...) }
