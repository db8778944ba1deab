package imdsclient

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// service answers IMDSv2 with the paths given.
func service(t *testing.T, paths map[string]string) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" {
			w.Write([]byte("TOKEN"))
			return
		}
		body, ok := paths[r.URL.Path]
		switch {
		case r.Header.Get("X-aws-ec2-metadata-token") != "TOKEN":
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Write([]byte(body))
		}
	}))
	t.Cleanup(srv.Close)
	return New(srv.URL)
}

func TestClient(t *testing.T) {
	c := service(t, map[string]string{
		"/latest/dynamic/instance-identity/document":  `{"instanceId":"i-1","region":"eu-west-1","accountId":"123456789012"}`,
		"/latest/dynamic/instance-identity/signature": "c2ln\nbmF0dXJl",
		"/latest/meta-data/iam/security-credentials/": "web\n",
		"/latest/meta-data/iam/security-credentials/web": `{"Code":"Success","AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t",
			"Expiration":"2030-01-01T00:00:00Z"}`,
	})
	ctx := t.Context()
	id, err := c.Identity(ctx)
	if err != nil || id.InstanceID != "i-1" || id.Region != "eu-west-1" {
		t.Errorf("Identity = %+v, %v", id, err)
	}
	if _, sig, err := c.SignedDocument(ctx); err != nil || string(sig) != "c2ln\nbmF0dXJl" {
		t.Errorf("signature %q, %v", sig, err)
	}
	creds, err := c.Credentials(ctx, "")
	if err != nil || creds.AccessKeyID != "ASIA1" || creds.SessionToken != "t" || creds.Expires.Year() != 2030 {
		t.Errorf("Credentials = %+v, %v", creds, err)
	}
	if _, err := c.Get(ctx, "user-data"); !errors.Is(err, ErrNotFound) {
		t.Errorf("absent path: %v", err)
	}
}

func TestNoProfile(t *testing.T) {
	c := service(t, nil)
	if _, err := c.Credentials(t.Context(), ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a profile: %v", err)
	}
}
