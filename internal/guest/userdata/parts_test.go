package userdata

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
	"testing"
)

func zipped(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.String()
}

const multi = "Content-Type: multipart/mixed; boundary=\"==B==\"\nMIME-Version: 1.0\n\n" +
	"--==B==\nContent-Type: text/x-shellscript; charset=\"us-ascii\"\nContent-Disposition: attachment; filename=\"../../first.sh\"\n\n#!/bin/sh\necho one\n" +
	"--==B==\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\nI2Nsb3VkLWNvbmZpZwpydW5jbWQ6IFtdCg==\n" +
	"--==B==\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n#!/bin/sh\necho =74wo\n" +
	"--==B==\nContent-Type: application/x-odd\n\nnothing\n--==B==--\n"

func TestSplit(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string // kind name first-bytes
	}{
		{"empty", " \n", nil},
		{"script", "#!/bin/bash -xe\nls", []string{"text/x-shellscript part-001 #!/bin/bash -xe"}},
		{"python", "#!/usr/bin/env python3\nprint()", []string{"text/x-shellscript part-001 #!/usr/bin/env python3"}},
		{"cloud-config", "#cloud-config\nruncmd: []", []string{"text/cloud-config part-001 #cloud-config"}},
		{"include", "#include\nhttp://x/", []string{"text/x-include-url part-001 #include"}},
		{"part handler", "#part-handler\nx", []string{"unsupported part-001 #part-handler"}},
		{"archive", "#cloud-config-archive\nx", []string{"unsupported part-001 #cloud-config-archive"}},
		{"words", "echo hello", []string{"unsupported part-001 echo hello"}},
		{"still base64", base64.StdEncoding.EncodeToString([]byte("#!/bin/sh\nls /\n")), []string{"text/x-shellscript part-001 #!/bin/sh"}},
		{"base64 in lines", "IyEvYmlu\nL3NoCmxzCg==\n", []string{"text/x-shellscript part-001 #!/bin/sh"}},
		{"gzip", zipped(t, "#!/bin/sh\n"), []string{"text/x-shellscript part-001 #!/bin/sh"}},
		{"base64 of gzip", base64.StdEncoding.EncodeToString([]byte(zipped(t, "#!/bin/sh\n"))), []string{"text/x-shellscript part-001 #!/bin/sh"}},
		{"multipart", multi, []string{
			"text/x-shellscript first.sh #!/bin/sh", "text/cloud-config part-002 #cloud-config",
			"text/x-shellscript part-003 #!/bin/sh", "unsupported part-004 nothing",
		}},
		{"gzip of multipart", zipped(t, multi), []string{
			"text/x-shellscript first.sh #!/bin/sh", "text/cloud-config part-002 #cloud-config",
			"text/x-shellscript part-003 #!/bin/sh", "unsupported part-004 nothing",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts, err := Split([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range parts {
				line, _, _ := strings.Cut(string(p.Body), "\n")
				got = append(got, string(p.Kind)+" "+p.Name+" "+line)
			}
			if strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestSplitQuotedPrintable(t *testing.T) {
	parts, err := Split([]byte(multi))
	if err != nil || !strings.Contains(string(parts[2].Body), "echo two") {
		t.Errorf("third part %q, %v", parts[2].Body, err)
	}
}

func TestSplitDamaged(t *testing.T) {
	for name, in := range map[string]string{
		"cut gzip":     zipped(t, "#!/bin/sh\n")[:14],
		"bad base64":   "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n%%%%\n",
		"cut boundary": "Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\n#!/bin/sh",
		"gzip bomb":    zipped(t, strings.Repeat("x", maxUnpacked+1)),
	} {
		if parts, err := Split([]byte(in)); err == nil {
			t.Errorf("%s: no error, parts %v", name, parts)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{multi, "#!/bin/sh\n", zipped(f, multi), "IyEvYmluL3NoCg==", "Content-Type: multipart/mixed\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		parts, err := Split(in)
		if err != nil {
			return
		}
		for _, p := range parts {
			if p.Name == "" || strings.Contains(p.Name, "/") || p.Kind == "" {
				t.Errorf("part %q of kind %q", p.Name, p.Kind)
			}
		}
	})
}
