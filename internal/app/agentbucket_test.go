package app

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/guest"
)

// anonymous asks as an install script does: without a signature, by a host name.
func (s *server) anonymous(method, host, path string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.Endpoint()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

// The agent's packages in every form in which user data and AWS's install scripts
// ask for them: an index, then what the index names, of the same host.
func TestAgentPackages(t *testing.T) {
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	cfg := testConfig(t)
	cfg.Guest = guest.ProgramOf([]byte("\x7fELF own"))
	cfg.OtherGuests = map[string]guest.Program{other: guest.ProgramOf([]byte("\x7fELF other"))}
	s := start(t, cfg)
	const bucket = "aws-codedeploy-eu-west-1"
	for _, form := range []struct{ name, host, prefix string }{
		{"virtual host with the region", bucket + ".s3.eu-west-1.amazonaws.com", "/"},
		{"virtual host with a dash", bucket + ".s3-eu-west-1.amazonaws.com", "/"},
		{"virtual host without a region", bucket + ".s3.amazonaws.com", "/"},
		{"path", "s3.amazonaws.com", "/" + bucket + "/"},
		{"path with the region", "s3.eu-west-1.amazonaws.com", "/" + bucket + "/"},
		{"the server's own address", "", "/" + bucket + "/"},
	} {
		t.Run(form.name, func(t *testing.T) {
			for _, index := range []string{"latest/LATEST_VERSION", "latest/VERSION"} {
				resp, text := s.anonymous(http.MethodGet, form.host, form.prefix+index)
				var keys map[string]string
				if err := json.Unmarshal([]byte(text), &keys); err != nil || resp.StatusCode != http.StatusOK || len(keys) != 3 {
					t.Fatalf("%s: %s %q, %v", index, resp.Status, text, err)
				}
				for _, kind := range []string{"rpm", "deb", "zypper"} {
					resp, body := s.anonymous(http.MethodGet, form.host, form.prefix+keys[kind])
					if resp.StatusCode != http.StatusOK || !strings.Contains(body, "\x7fELF own") || resp.ContentLength != int64(len(body)) ||
						resp.Header.Get("ETag") != fmt.Sprintf(`"%x"`, md5.Sum([]byte(body))) {
						t.Errorf("%s: %s, %d bytes, ETag %s", keys[kind], resp.Status, len(body), resp.Header.Get("ETag"))
					}
				}
			}
			for _, key := range []string{"latest/install", "latestv2/install"} {
				resp, script := s.anonymous(http.MethodGet, form.host, form.prefix+key)
				if resp.StatusCode != http.StatusOK || !strings.HasPrefix(script, "#!/bin/sh\n") {
					t.Errorf("%s: %s %.40q", key, resp.Status, script)
				}
				for _, f := range []string{"codedeploy-agent.noarch.rpm", "codedeploy-agent_all.deb", "codedeploy-agent_" + other + ".deb"} {
					_, body := s.anonymous(http.MethodGet, form.host, form.prefix+"latest/"+f)
					if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(body))); !strings.Contains(script, "latest/"+f) || !strings.Contains(script, sum) {
						t.Errorf("%s does not name %s with its checksum", key, f)
					}
				}
			}
		})
	}
}

// Every region has its bucket, of which nobody changes anything.
func TestAgentBuckets(t *testing.T) {
	cfg := testConfig(t)
	cfg.Guest = guest.ProgramOf([]byte("\x7fELF own"))
	s := start(t, cfg)
	for host, want := range map[string]int{
		"aws-codedeploy-us-east-1": http.StatusOK, "aws-codedeploy-ap-southeast-2": http.StatusOK, "aws-codedeploy-nowhere": http.StatusNotFound,
	} {
		if resp, _ := s.anonymous(http.MethodHead, host+".s3.amazonaws.com", "/latest/install"); resp.StatusCode != want {
			t.Errorf("%s: %s", host, resp.Status)
		}
	}
	for _, call := range []struct{ method, path string }{{http.MethodPut, "/latest/install"}, {http.MethodDelete, "/latest/install"}, {http.MethodPut, "/x"}} {
		if resp, body := s.anonymous(call.method, "aws-codedeploy-us-east-1.s3.amazonaws.com", call.path); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "<Code>AccessDenied</Code>") {
			t.Errorf("%s %s: %s %s", call.method, call.path, resp.Status, body)
		}
	}
	if resp, body := s.anonymous(http.MethodGet, "aws-codedeploy-us-east-1.s3.amazonaws.com", "/latest/nothing"); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "<Code>NoSuchKey</Code>") {
		t.Errorf("%s %s", resp.Status, body)
	}
}
