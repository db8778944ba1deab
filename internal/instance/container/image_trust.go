package container

import (
	"os"
	"path/filepath"
	"strings"
)

// systemBundle is where Debian's programs find the certificates they trust.
const systemBundle = "/etc/ssl/certs/ca-certificates.crt"

// trustVariables point programs that bring certificates of their own at the
// system's. They are set in files that every kind of session reads, because sudo,
// su, ssh and cron do not pass an environment on.
var trustVariables = []string{"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}

func trustEnvironment() string {
	var b strings.Builder
	b.WriteString("PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n")
	for _, v := range trustVariables {
		b.WriteString(v + "=" + systemBundle + "\n")
	}
	return b.String()
}

func trustProfile() string {
	var b strings.Builder
	for _, v := range trustVariables {
		b.WriteString("export " + v + "=" + systemBundle + "\n")
	}
	return b.String()
}

// bundlePatterns find the certificates that Python programs carry along, where
// Debian, pip and AWS's installers put them.
var bundlePatterns = []string{
	"/usr/lib/python3*/*-packages/botocore/cacert.pem",
	"/usr/lib/python3*/*-packages/certifi/cacert.pem",
	"/usr/lib/python3*/*-packages/pip/_vendor/certifi/cacert.pem",
	"/usr/local/lib/python3*/*-packages/botocore/cacert.pem",
	"/usr/local/lib/python3*/*-packages/certifi/cacert.pem",
	"/usr/local/lib/python3*/*-packages/pip/_vendor/certifi/cacert.pem",
	"/usr/local/aws-cli/v2/*/dist/awscli/botocore/cacert.pem",
	"/usr/share/*/site-packages/botocore/cacert.pem",
}

func bundlePaths() []string {
	var paths []string
	for _, pattern := range bundlePatterns {
		// The patterns are well-formed, which is the only error there is.
		found, _ := filepath.Glob(pattern)
		paths = append(paths, found...)
	}
	return paths
}

// trust appends our certificate to every bundle of the image, in its own layers:
// the host's files are not touched.
func (b *builder) trust() error {
	for _, path := range append([]string{systemBundle}, bundlePaths()...) {
		bundle, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := b.write(path, withCertificate(bundle, b.src.CA), 0o644); err != nil {
			return err
		}
	}
	// OpenSSL looks here when a program sets nothing; Debian leaves it empty and
	// relies on hashed names.
	return b.symlink(systemBundle, "/usr/lib/ssl/cert.pem")
}

func withCertificate(bundle, ca []byte) string {
	s := string(bundle)
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s + string(ca)
}
