package appspec

import (
	"reflect"
	"strings"
	"testing"
)

const head = "version: 0.0\nos: linux\n"

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		want       Spec
	}{
		{"the least", head, Spec{OS: "linux"}},
		{"version 0 and null sections", "version: 0\nos: linux\nfiles:\nhooks:\n  Install:\npermissions: ~\n", Spec{OS: "linux", Hooks: map[string][]Script{}}},
		{"JSON", `{"version": 0.0, "os": "linux", "files": [{"source": "/", "destination": "/var/x"}]}`,
			Spec{OS: "linux", Files: []File{{"/", "/var/x"}}}},
		{"the tutorial's", head + "files:\n  - source: /\n    destination: /var/myApp\nhooks:\n  ApplicationStart:\n    - location: scripts/startApp.sh\n      timeout: 300\n",
			Spec{OS: "linux", Files: []File{{"/", "/var/myApp"}}, Hooks: map[string][]Script{"ApplicationStart": {{Location: "scripts/startApp.sh", Timeout: 300}}}}},
		{"script options", head + "hooks:\n  Foo:\n    - {location: ' a ', timeout: \"7x\", runas: 'bob ', sudo: yes}\n    - location: b\n",
			Spec{OS: "linux", Hooks: map[string][]Script{"Foo": {{"a", 7, "bob", true}, {Location: "b", Timeout: 3600}}}}},
		{"file_exists_behavior", head + "file_exists_behavior: RETAIN\n", Spec{OS: "linux", FileExists: Retain}},
		{"permission", head + "permissions:\n  - object: /x\n    mode: 64\n    owner: o\n    type: [file]\n    except: [a, b]\n    acls: ['d:u:bob:6', 'm::rx']\n    context: {name: u, type: t, range: 's0-s1:c0.c3,c7'}\n",
			Spec{OS: "linux", Permissions: []Permission{{
				Object: "/x", Pattern: "**", Except: []string{"a", "b"}, Types: []string{"file"}, Owner: "o", Mode: "064",
				ACLs:    []ACL{{true, "user", "bob", "rw-"}, {false, "mask", "", "r-x"}},
				Context: &Context{"u", "t", "s0-s1:c0.c3,c7"},
			}}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Parse([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", *got, tc.want)
			}
		})
	}
}

func TestUnquotedModeIsTextAndWarns(t *testing.T) {
	got, err := Parse([]byte(head + "permissions:\n  - object: /x\n    mode: 0644\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Permissions[0].Mode != "0644" || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "line 5") {
		t.Errorf("mode %q, warnings %q", got.Permissions[0].Mode, got.Warnings)
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "the application specification file was empty. Make sure your AppSpec file defines at minimum the 'version' and 'os' properties."},
		{"only a comment", "# nothing\n", "the application specification file was empty. Make sure your AppSpec file defines at minimum the 'version' and 'os' properties."},
		{"null", "~\n", "the application specification file was empty. Make sure your AppSpec file defines at minimum the 'version' and 'os' properties."},
		{"version as string", "version: \"0.0\"\nos: linux\n", "an invalid version value (0.0) was entered in the application specification file. Make sure your AppSpec file specifies \"0.0\" as the version, and then try again."},
		{"version 1", "version: 1.0\nos: linux\n", "an invalid version value (1.0) was entered in the application specification file. Make sure your AppSpec file specifies \"0.0\" as the version, and then try again."},
		{"no version", "os: linux\n", "an invalid version value () was entered in the application specification file. Make sure your AppSpec file specifies \"0.0\" as the version, and then try again."},
		{"windows", "version: 0.0\nos: windows\n", "the application specification file specifies an unsupported operating system (windows). Specify either \"linux\" or \"windows\" in the os section of the AppSpec file, and then try again."},
		{"behaviour", head + "file_exists_behavior: retain\n", "an invalid file_exists_behavior value (retain) was entered in the application specification file. Make sure your AppSpec file specifies one of DISALLOW,OVERWRITE,RETAIN as the file_exists_behavior, and then try again."},
		{"no source", head + "files:\n  - destination: /x\n", "the application specification file specifies a destination file, but no source file. Update the files section of the AppSpec file, and then try again."},
		{"no destination", head + "files:\n  - source: a\n", "the application specification file specifies only a source file (a). Add the name of the destination file to the files section of the AppSpec file, and then try again."},
		{"no location", head + "hooks:\n  Install:\n    - timeout: 3\n", "the application specification file specifies a script with no location value. Specify the location in the hooks section of the AppSpec file, and then try again."},
		{"timeout", head + "hooks:\n  Install:\n    - {location: a, timeout: soon}\n", "an invalid timeout value was provided for a script in the application specification file. Make corrections in the hooks section of the AppSpec file, and then try again."},
		{"no timeout at all", head + "hooks:\n  Install:\n    - {location: a, timeout: 0}\n", "an invalid timeout value was provided for a script in the application specification file. Make corrections in the hooks section of the AppSpec file, and then try again."},
		{"negative timeout", head + "hooks:\n  Install:\n    - {location: a, timeout: -3}\n", "an invalid timeout value was provided for a script in the application specification file. Make corrections in the hooks section of the AppSpec file, and then try again."},
		{"quoted boolean", head + "hooks:\n  Install:\n    - {location: a, sudo: \"false\"}\n", "the application specification file has the value \"false\" for sudo (line 5), which is not true or false. Write it without quotes, and then try again."},
		{"hooks a list", head + "hooks: [a]\n", "the application specification file has no map where one is needed (hooks, line 3). Correct the AppSpec file, and then try again."},
		{"files a map", head + "files: {a: b}\n", "the application specification file has no list where one is needed (files, line 3). Correct the AppSpec file, and then try again."},
		{"given twice", head + "os: linux\n", "the application specification file gives \"os\" twice (line 3). Remove one of them, and then try again."},
		{"too long", head + strings.Repeat("#", MaxSize), "the application specification file is larger than 1048576 bytes."},
		{"no YAML", head + "files: [", "the application specification file is not valid YAML or JSON: line 4: did not find expected node content"},
		{"alias", head + "files: &f []\nhooks: *f\n", "the application specification file uses the YAML alias *f (line 4). Aliases are not supported; write the value out."},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { wantError(t, tc.text, tc.want) })
	}
}

// wantError parses text, which must fail because of want.
func wantError(t *testing.T, text, want string) {
	t.Helper()
	_, err := Parse([]byte(text))
	if err == nil {
		t.Fatal("accepted")
	}
	if want := "The deployment failed because " + want; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestUnknownEvents(t *testing.T) {
	s, err := Parse([]byte(head + "hooks:\n  Zed: [{location: a}]\n  Install: [{location: a}]\n  Alpha: [{location: a}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.UnknownEvents([]string{"Install"}); !reflect.DeepEqual(got, []string{"Alpha", "Zed"}) {
		t.Errorf("UnknownEvents = %q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "files:\n  - source: /\n    destination: /x\nhooks:\n  A:\n    - location: b\n      sudo: on\n"))
	f.Add([]byte(`{"version":0.0,"os":"linux","permissions":[{"object":"/a","mode":"4755","acls":["d:u::7"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		if s.OS != "linux" {
			t.Errorf("accepted os %q", s.OS)
		}
		for _, scripts := range s.Hooks {
			for _, sc := range scripts {
				if sc.Timeout <= 0 || sc.Location == "" {
					t.Errorf("accepted script %+v", sc)
				}
			}
		}
	})
}
