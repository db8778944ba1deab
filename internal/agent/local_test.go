package agent

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestLocalLocations(t *testing.T) {
	tests := []struct {
		name, location, kind string
		want                 string // JSON, or the error behind !
	}{
		{"s3", "s3://b/dir/app.zip", "directory", `{"RevisionType":"S3","S3Revision":{"Bucket":"b","BundleType":"zip","ETag":"","Key":"dir/app.zip","Version":""}}`},
		{"s3 with version", "s3://b/app.tar.gz?versionId=1&etag=2", "directory", `{"RevisionType":"S3","S3Revision":{"Bucket":"b","BundleType":"tgz","ETag":"2","Key":"app.tar.gz","Version":"1"}}`},
		{"s3 with a type", "s3://b/app", "tar", `{"RevisionType":"S3","S3Revision":{"Bucket":"b","BundleType":"tar","ETag":"","Key":"app","Version":""}}`},
		{"s3 without a type", "s3://b/app", "directory", "!the name of s3://b/app does not tell its type: give -t zip, tar or tgz"},
		{"s3 without a key", "s3://b", "zip", "!location s3://b is not s3://BUCKET/KEY"},
		{"s3 with what is not known", "s3://b/app.zip?versionID=1", "directory", "!location s3://b/app.zip?versionID=1: versionID is neither versionId nor etag"},
		{"s3 with a fragment", "s3://b/a#1.zip", "zip", "!location s3://b/a#1.zip: write # in a key as %23"},
		{"github", "https://github.com/a/r", "directory", `{"GitHubRevision":{"Account":"a","BundleType":"tar","CommitId":"HEAD","Repository":"r"},"RevisionType":"GitHub"}`},
		{"github at a branch", "https://github.com/a/r.git/tree/x/y", "directory", `{"GitHubRevision":{"Account":"a","BundleType":"tar","CommitId":"x/y","Repository":"r"},"RevisionType":"GitHub"}`},
		{"github's api", "https://api.github.com/repos/a/r/zipball/c0ffee", "directory", `{"GitHubRevision":{"Account":"a","BundleType":"zip","CommitId":"c0ffee","Repository":"r"},"RevisionType":"GitHub"}`},
		{"github elsewhere", "https://github.com/a/r/pulls/7", "directory", "!location https://github.com/a/r/pulls/7 is not https://github.com/ACCOUNT/REPOSITORY/tree/REF"},
		{"no such file", "/nowhere", "directory", "!location /nowhere: stat /nowhere: no such file or directory"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			l := local{Location: tc.location, Type: tc.kind}
			r, err := l.revision()
			if reason, fails := strings.CutPrefix(tc.want, "!"); fails {
				if err == nil || err.Error() != reason {
					t.Errorf("error %v, want %s", err, reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(tc.want), &want); err != nil {
				t.Fatal(err)
			}
			if text, _ := json.Marshal(r); !reflect.DeepEqual(decoded(t, text), want) {
				t.Errorf("%s\nwant %s", text, tc.want)
			}
		})
	}
}

func decoded(t *testing.T, text []byte) (v map[string]any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// tarball is what GitHub answers: all below one directory.
func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: "a-r-c0ffee/" + name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A bundle in S3, signed for with the caller's keys, and one on GitHub.
func TestLocalDeploymentOfRemoteBundles(t *testing.T) {
	dest := t.TempDir()
	files := map[string]string{"appspec.yml": "version: 0.0\nos: linux\nfiles: [{source: page, destination: " + dest + "}]\n", "page": "hello"}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.Header.Get("Authorization"))
		if strings.HasPrefix(r.URL.Path, "/repos/") {
			_, _ = w.Write(tarball(t, files))
			return
		}
		_, _ = w.Write(zipped(t, files))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDLOCAL")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("CODEDEPLOY_GITHUB_API", server.URL)
	for _, location := range []string{"s3://b/app.zip", "https://github.com/a/r/tree/main"} {
		if code := LocalMain([]string{"-l", location, "-b", "OVERWRITE", "-c", localConfig(t), "--github-token", "secret"}); code != 0 {
			t.Fatalf("%s: exit %d", location, code)
		}
		page := filepath.Join(dest, "page")
		if text, err := os.ReadFile(page); err != nil || string(text) != "hello" {
			t.Errorf("%s: %q, %v", location, text, err)
		}
		if err := os.Remove(page); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 2 || !strings.HasPrefix(asked[0], "/b/app.zip AWS4-HMAC-SHA256 Credential=AKIDLOCAL/") || asked[1] != "/repos/a/r/tarball/main token secret" {
		t.Errorf("asked %q", asked)
	}
}

func localConfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "agent.yml")
	if err := os.WriteFile(file, []byte(":root_dir: "+t.TempDir()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// GitHub is asked once; that it is not there is said at once.
func TestLocalDeploymentWithoutGitHub(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	t.Setenv("CODEDEPLOY_GITHUB_API", server.URL)
	l := local{Location: "https://github.com/a/r/tree/main", Type: typeDirectory, Group: "g", GroupName: "n", AppSpec: "appspec.yml", Config: localConfig(t)}
	if err := l.run(); err == nil || !strings.HasPrefix(err.Error(), "DownloadBundle failed: download a/r at main from GitHub: ") {
		t.Errorf("%v", err)
	}
}
