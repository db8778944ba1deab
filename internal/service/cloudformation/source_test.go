package cloudformation

import "testing"

func TestObjectURLs(t *testing.T) {
	h := newS3Hosts("http://127.0.0.1:4566")
	for location, want := range map[string]string{
		"http://127.0.0.1:4566/b/dir/k":                    "b dir/k",
		"https://localhost:4566/b/k":                       "b k",
		"http://b.localhost:4566/k":                        "b k",
		"https://b.with.dots.s3.amazonaws.com/k%20x":       "b.with.dots k x",
		"https://s3.dualstack.eu-west-1.amazonaws.com/b/k": "b k",
		"http://s3.amazonaws.com/b/k":                      "",
		"http://127.0.0.1:4567/b/k":                        "",
		"https://s3.amazonaws.com/b":                       "",
		"https://s3.amazonaws.com.evil.example/b/k":        "",
		"file:///etc/passwd":                               "",
		"b/k":                                              "",
	} {
		bucket, key, err := h.parse(location, "TemplateURL")
		got := bucket + " " + key
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%s = %q (%v), want %q", location, got, err, want)
		}
	}
}

func FuzzObjectURL(f *testing.F) {
	f.Add("https://b.s3.us-west-2.amazonaws.com/k")
	f.Add("http://b.s3.localhost:4566/k")
	h := newS3Hosts("http://127.0.0.1:4566")
	f.Fuzz(func(t *testing.T, location string) {
		bucket, key, err := h.parse(location, "TemplateURL")
		if err == nil && (bucket == "" || key == "") {
			t.Errorf("%q: bucket %q key %q", location, bucket, key)
		}
	})
}
