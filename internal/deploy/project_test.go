package deploy

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
)

func TestOpenProject(t *testing.T) {
	p, err := openProject(Options{Dir: files(t, with(good(), "hardstand.yaml", "target: role=web\nparameters: {Port: 8000, Debug: true, Empty: ''}\n")),
		Parameters: map[string]string{"Debug": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Stack != "shop" || p.Application != "app" || p.Group != "app-group" || p.Config != "CodeDeployDefault.OneAtATime" || p.Template != "template.yaml" || p.AppDir != "app" {
		t.Errorf("by convention: %+v", p.Options)
	}
	if want := map[string]string{"Port": "8000", "Debug": "false", "Empty": ""}; !maps.Equal(p.Parameters, want) {
		t.Errorf("parameters %v, want %v", p.Parameters, want)
	}
}

func TestFlagsWin(t *testing.T) {
	file := "stack: s1\napplication: a1\ngroup: g1\napp: app\ntemplate: other.json\nbucket: b1\nserviceRole: r1\ntarget: t=1\ndeploymentConfig: c1\nurl: http://u1\nidentity: template.yaml\n"
	project := with(with(good(), "hardstand.yaml", file), "other.json", "{}")
	p, err := openProject(Options{Dir: files(t, project)})
	if err != nil {
		t.Fatal(err)
	}
	want := Options{Dir: p.Dir, Stack: "s1", Application: "a1", Group: "g1", AppDir: "app", Template: "other.json", Bucket: "b1", ServiceRole: "r1", Target: "t=1", Config: "c1", URL: "http://u1", Identity: "template.yaml"}
	if got := p.Options; !same(got, want) {
		t.Errorf("from the file: %+v", got)
	}
	flags := Options{Dir: p.Dir, Stack: "s2", Application: "a2", Group: "g2", AppDir: "app", Template: "template.yaml", Bucket: "b2", ServiceRole: "r2", Target: "t=2", Config: "c2", URL: "http://u2", Identity: "other.json"}
	if p, err = openProject(flags); err != nil {
		t.Fatal(err)
	}
	if !same(p.Options, flags) {
		t.Errorf("with flags: %+v", p.Options)
	}
}

func same(a, b Options) bool {
	ok := maps.Equal(a.Parameters, b.Parameters)
	a.Parameters, b.Parameters = nil, nil
	return ok && optionsText(a) == optionsText(b)
}

func optionsText(o Options) string {
	return strings.Join([]string{o.Dir, o.Stack, o.Application, o.Group, o.AppDir, o.Template, o.Bucket, o.ServiceRole, o.Target, o.Config, o.URL, o.Identity}, "|")
}

func TestOpenProjectForms(t *testing.T) {
	flat := map[string]string{"template.yaml": "x", "appspec.yml": good()["app/appspec.yml"], "index.html": "x", "hardstand.yaml": "app: .\ntarget: a=b\n"}
	p, err := openProject(Options{Dir: files(t, flat)})
	if err != nil || p.Application != "shop" {
		t.Errorf("the application in the project's directory: %+v, %v", p, err)
	}
	if _, err := openProject(Options{Dir: files(t, with(good(), "hardstand.yaml", "# nothing\n")), Target: "role="}); err != nil {
		t.Errorf("an empty hardstand.yaml and an empty tag: %v", err)
	}
	both := with(good(), "cfTemplate.json", "{}")
	if p, err = openProject(Options{Dir: files(t, both)}); err != nil || p.Template != "cfTemplate.json" {
		t.Errorf("two templates: %+v, %v", p, err)
	}
}

func TestOpenProjectRefuses(t *testing.T) {
	spec := good()["app/appspec.yml"]
	for _, c := range []struct {
		name, file, text string // a change to the good project; text "-" removes
		want             string // in the report
	}{
		{"unknown key", "hardstand.yaml", "target: a=b\ntraget: a=b\n", "traget"},
		{"the keys are named", "hardstand.yaml", "dir: x\n", "its keys are stack, application, group, app,"},
		{"no YAML", "hardstand.yaml", "{", "hardstand.yaml"},
		{"no target", "hardstand.yaml", "stack: s\n", "--target gTag=myApp"},
		{"target without a key", "hardstand.yaml", "target: =web\n", "--target"},
		{"no name for a stack", "hardstand.yaml", "target: a=b\nstack: my_app\n", `"my_app" cannot be the name of a stack`},
		{"no template", "template.yaml", "-", "cfTemplate.json, template.yaml"},
		{"named template is absent", "hardstand.yaml", "target: a=b\ntemplate: x.json\n", "x.json is needed"},
		{"no application", "app/appspec.yml", "-", "an application is a directory with an appspec.yml"},
		{"two applications", "api/appspec.yml", spec, "2 applications: api, app"},
		{"named application is none", "hardstand.yaml", "target: a=b\napp: notes\n", "notes has no appspec.yml"},
		{"appspec.yaml", "app/appspec.yaml", spec, "rename it to appspec.yml"},
		{"bad appspec", "app/appspec.yml", "version: 9\n", "appspec.yml: "},
		{"absent source", "app/appspec.yml", strings.Replace(spec, "/index.html", "missing.html", 1), `the source "missing.html"`},
		{"source outside", "app/appspec.yml", strings.Replace(spec, "/index.html", "../template.yaml", 1), "template.yaml"},
		{"absent hook", "app/appspec.yml", spec + "hooks:\n  AfterInstall:\n    - location: run.sh\n", `the hook AfterInstall runs "run.sh"`},
		{"hook is a directory", "app/appspec.yml", spec + "hooks:\n  AfterInstall:\n    - location: .git\n", `runs ".git"`},
		{"absent identity template", "hardstand.yaml", "target: a=b\nidentity: id.json\n", "id.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			project := with(good(), c.file, c.text)
			if c.name == "appspec.yaml" {
				delete(project, "app/appspec.yml")
			}
			if c.text == "-" {
				delete(project, c.file)
			}
			_, err := openProject(Options{Dir: files(t, project)})
			var f *Failure
			if !errors.As(err, &f) || f.Exit != ExitCheck || !strings.Contains(f.Text(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if strings.Contains(f.Text(), "deploy.Options") {
				t.Errorf("Go's words in the report: %s", f.Text())
			}
		})
	}
}

func TestOpenProjectUnreadable(t *testing.T) {
	dir := files(t, good())
	if err := os.Remove(dir + "/template.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/template.yaml", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := openProject(Options{Dir: dir}); err == nil {
		t.Error("a directory was taken for a template")
	}
}
