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
		if code := localMain([]string{"-l", location, "-b", "OVERWRITE", "-c", localConfig(t), "--github-token", "secret"}); code != 0 {
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

func TestLocalValidation(t *testing.T) {
	dir := t.TempDir()
	file, revision := filepath.Join(dir, "bundle"), filepath.Join(dir, "revision")
	if err := os.MkdirAll(revision, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, filepath.Join(revision, "appspec.yml")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, args, want string }{
		{"directory", "-l " + revision, ""},
		{"archive", "-l " + file + " -t zip", ""},
		{"long options", "--bundle-location=" + file + " --type=tgz --file-exists-behavior RETAIN --deployment-group g --deployment-group-name n --application-name a --agent-configuration-file f --appspec-filename x", ""},
		{"type", "-t rar", "type rar is not a valid type. Must be one of tgz,tar,zip,directory"},
		{"no uri", "-l http://[", "location http://[ is not a valid uri"},
		{"http", "-l http://x/y.zip -t zip", "location http://x/y.zip cannot be http, only encrypted (https) url endpoints supported"},
		{"elsewhere", "-l https://example.com/y.zip -t zip", "unknown location https://example.com/y.zip cannot be determined to be S3, Github, or a local file / directory"},
		{"missing", "-l /nowhere", "location /nowhere is specified as a file or directory which does not exist"},
		{"file as directory", "-l " + file, "location " + file + " is specified with type directory but it is a file"},
		{"directory as file", "-t tar -l " + revision, "location " + revision + " is specified as a compressed local file but it is a directory"},
		{"no appspec", "-l " + dir, "Expecting appspec file at location " + dir + "/appspec.yml but it is not found there. Please either run the CLI from within a directory containing the appspec.yml file or specify a bundle location containing an appspec.yml file in its root directory"},
		{"no appspec of that name", "-A app.yml -l " + revision, "Expecting appspec file at location " + revision + "/app.yml but it is not found there. Please either run the CLI from within a directory containing the app.yml file or specify a bundle location containing an app.yml file in its root directory"},
		{"early for the bundle", "-l " + revision + " -e AfterInstall,DownloadBundle", "The only events that can be specified before DownloadBundle are BeforeBlockTraffic,AfterBlockTraffic,ApplicationStop. Please fix the order of your specified events: AfterInstall,DownloadBundle"},
		{"early for the installation", "-l " + revision + " -e ValidateService,Install", "The only events that can be specified before Install are BeforeBlockTraffic,AfterBlockTraffic,ApplicationStop,DownloadBundle,BeforeInstall. Please fix the order of your specified events: ValidateService,Install"},
		{"right order", "-l " + revision + " -e ApplicationStop,DownloadBundle,BeforeInstall,Install,Check", ""},
		{"no value", "-l", "-l needs a value"},
		{"no option", "--frob", `unknown option "--frob"`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			l := local{Type: typeDirectory, Location: ".", AppSpec: "appspec.yml"}
			err := l.parse(strings.Fields(tc.args))
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || err.Error() != tc.want) {
				t.Errorf("error %v\nwant  %s", err, tc.want)
			}
		})
	}
}

func TestLocalEvents(t *testing.T) {
	for given, want := range map[string]string{
		"":                                     "BeforeBlockTraffic AfterBlockTraffic ApplicationStop DownloadBundle BeforeInstall Install AfterInstall ApplicationStart ValidateService BeforeAllowTraffic AfterAllowTraffic",
		"ApplicationStart, Check":              "DownloadBundle Install ApplicationStart Check",
		"ApplicationStop,DownloadBundle,Check": "Install ApplicationStop DownloadBundle Check",
		"DownloadBundle,Install":               "DownloadBundle Install",
	} {
		l := local{Events: given}
		if got := strings.Join(l.events(), " "); got != want {
			t.Errorf("%q: %s\nwant %s", given, got, want)
		}
	}
}

// codedeploy-local as its users call it: what it prints, and how it ends.
func TestLocalCommand(t *testing.T) {
	dir, dest := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("appspec.yml", "version: 0.0\nos: linux\nfiles: [{source: page, destination: "+dest+"}]\nhooks:\n  ApplicationStart: [{location: s}]\n  Check: [{location: s}]\n")
	write("page", "hello")
	write("s", "#!/bin/sh\necho $LIFECYCLE_EVENT $APPLICATION_NAME $DEPLOYMENT_GROUP_ID $DEPLOYMENT_GROUP_NAME ${DEPLOYMENT_ID##*-} >> "+dest+"/log\n")
	bad := t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, "appspec.yml"), []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, args, stdout, stderr string
		code                       int
	}{
		{"help", "-h", "usage: codedeploy-local [options]", "", 0},
		{"long help", "--help", "-e, --events LIST", "", 0},
		{"version", "--version", Version + "\n", "", 0},
		{"short version", "-v", Version + "\n", "", 0},
		{"deployment", "-l " + dir + " -a shop -e ApplicationStart,Check", "AppSpec file valid. Local deployment successful\n", "", 0},
		{"file that is there", "-l " + dir + " -g other -e ApplicationStart,Check", "", "ERROR: Install failed: The deployment failed because a specified file already exists at this location: " + dest + "/page\n", 1},
		{"overwritten", "-l " + dir + " -g other -d fleet -b OVERWRITE -e Check", "AppSpec file valid. Local deployment successful\n", "", 0},
		{"unknown event", "-l " + dir, "", `ERROR: Install failed: appspec.yml file contains unknown lifecycle events: ["Check"]`, 1},
		{"bad appspec", "-l " + bad, "", "ERROR: BeforeInstall failed: The deployment failed because an invalid version value (1)", 1},
		{"bad option", "-t rar", "", "ERROR: type rar is not a valid type", 1},
	}
	config := localConfig(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var code int
			stdout, stderr := captured(t, func() { code = localMain(append(strings.Fields(tc.args), "-c", config)) })
			if code != tc.code || !strings.Contains(stdout, tc.stdout) || !strings.Contains(stderr, tc.stderr) || tc.stderr == "" && stderr != "" {
				t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
			}
		})
	}
	want := "ApplicationStart shop default-local-deployment-group LocalFleet local\nCheck shop default-local-deployment-group LocalFleet local\nCheck " + dir + " other fleet local\n"
	if log, err := os.ReadFile(filepath.Join(dest, "log")); err != nil || string(log) != want {
		t.Errorf("hooks saw\n%swant\n%s", log, want)
	}
}

// captured returns what f writes to the process's outputs.
func captured(t *testing.T, f func()) (stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	saved := [2]*os.File{os.Stdout, os.Stderr}
	var to [2]*os.File
	for i, name := range []string{"out", "err"} {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		to[i] = file
	}
	os.Stdout, os.Stderr = to[0], to[1]
	defer func() { os.Stdout, os.Stderr = saved[0], saved[1] }()
	f()
	var text [2]string
	for i, file := range to {
		data, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(data)
		_ = file.Close()
	}
	return text[0], text[1]
}
