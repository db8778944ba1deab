package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// Options are what the command line says. Empty fields are filled in from the
// project's hardstand.yaml, then by convention.
type Options struct {
	Dir string
	// Stack, Application and Group are names; the stack's defaults to the name of
	// the directory, the application's to that of its directory.
	Stack       string `yaml:"stack"`
	Application string `yaml:"application"`
	Group       string `yaml:"group"`
	// AppDir holds the application, with its appspec file, below Dir.
	AppDir string `yaml:"app"`
	// Template is the template's file below Dir.
	Template   string            `yaml:"template"`
	Parameters map[string]string `yaml:"parameters"`
	// Bucket receives the application archive; it is made when it does not exist.
	Bucket string `yaml:"bucket"`
	// ServiceRole is the name or ARN of the role that CodeDeploy acts with.
	ServiceRole string `yaml:"serviceRole"`
	// Target is the tag, key=value, by which CodeDeploy finds the instances.
	Target string `yaml:"target"`
	// Config is the deployment configuration.
	Config string `yaml:"deploymentConfig"`
	// URL is what must answer with 200 afterwards. {Name} stands for the stack's
	// output of that name.
	URL string `yaml:"url"`
	// Identity is the file of a template with the roles that the project needs. Its
	// stack, STACK-identity, is brought up when WithIdentity asks for it, which is
	// an administrator's job; its outputs are the defaults of the template's
	// parameters of the same names, and ServiceRole that of the service role.
	Identity     string `yaml:"identity"`
	WithIdentity bool   `yaml:"-"`
}

// templateNames are tried in this order.
var templateNames = []string{"cfTemplate.json", "template.yaml", "template.yml", "template.json", "cfTemplate.yaml", "cfTemplate.yml"}

// maxInlineTemplate is the size in bytes up to which a template goes in the
// request; a larger one goes by way of the bucket.
const maxInlineTemplate = 51200

// project is a directory that has been looked at and found fit to deploy.
type project struct {
	Options
	template []byte
	identity []byte
	spec     *appspec.Spec
	specName string
}

func usage(format string, args ...any) *Failure {
	return &Failure{Step: "check", Exit: ExitCheck, Cause: fmt.Sprintf(format, args...)}
}

// openProject reads and checks everything that can be checked without AWS.
func openProject(o Options) (*project, error) {
	if err := mergeFile(&o); err != nil {
		return nil, err
	}
	p := &project{Options: o}
	if err := p.findTemplate(); err != nil {
		return nil, err
	}
	if err := p.findApplication(); err != nil {
		return nil, err
	}
	if p.Stack == "" {
		abs, err := filepath.Abs(p.Dir)
		if err != nil {
			return nil, fmt.Errorf("resolve %s: %w", p.Dir, err)
		}
		p.Stack = filepath.Base(abs)
	}
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&p.Application, filepath.Base(p.AppDir))
	def(&p.Group, p.Application+"-group")
	def(&p.Config, "CodeDeployDefault.OneAtATime")
	if key, _, ok := strings.Cut(p.Target, "="); !ok || key == "" {
		f := usage("it is not said which instances get the application (target is %q)", p.Target)
		f.Fix = "name the tag that the template gives them: --target gTag=myApp, or target in hardstand.yaml"
		return nil, f
	}
	if err := p.readIdentity(); err != nil {
		return nil, err
	}
	return p, p.checkSpec()
}

func (p *project) readIdentity() error {
	if p.Identity == "" {
		if p.WithIdentity {
			return usage("no identity template is named in hardstand.yaml")
		}
		return nil
	}
	text, err := os.ReadFile(filepath.Join(p.Dir, p.Identity))
	if err != nil {
		return usage("%v", err)
	}
	p.identity = text
	return nil
}

// mergeFile fills the fields that the command line left empty from hardstand.yaml.
func mergeFile(o *Options) error {
	if o.Dir == "" {
		o.Dir = "."
	}
	file := filepath.Join(o.Dir, "hardstand.yaml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage("%v", err)
	}
	var f Options
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil {
		return usage("%s: %v", file, err)
	}
	for _, m := range []struct {
		to   *string
		from string
	}{
		{&o.Stack, f.Stack}, {&o.Application, f.Application}, {&o.Group, f.Group}, {&o.AppDir, f.AppDir}, {&o.Template, f.Template},
		{&o.Bucket, f.Bucket}, {&o.ServiceRole, f.ServiceRole}, {&o.Target, f.Target}, {&o.Config, f.Config}, {&o.URL, f.URL}, {&o.Identity, f.Identity},
	} {
		if *m.to == "" {
			*m.to = m.from
		}
	}
	merged := map[string]string{}
	for k, v := range f.Parameters {
		merged[k] = v
	}
	for k, v := range o.Parameters {
		merged[k] = v
	}
	o.Parameters = merged
	return nil
}

func (p *project) findTemplate() error {
	names := templateNames
	if p.Template != "" {
		names = []string{p.Template}
	}
	for _, n := range names {
		text, err := os.ReadFile(filepath.Join(p.Dir, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return usage("%v", err)
		}
		p.Template, p.template = n, text
		return nil
	}
	f := usage("there is no template in %s", p.Dir)
	f.Fix = "one of " + strings.Join(names, ", ") + " is needed; another name goes in --template"
	return f
}

// appspecNames are the names that the agent looks for.
var appspecNames = []string{"appspec.yml", "appspec.yaml"}

func (p *project) findApplication() error {
	if p.AppDir != "" {
		if p.specName = specIn(filepath.Join(p.Dir, p.AppDir)); p.specName == "" {
			return usage("%s has no appspec.yml", filepath.Join(p.Dir, p.AppDir))
		}
		return nil
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return usage("%v", err)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() && specIn(filepath.Join(p.Dir, e.Name())) != "" {
			found = append(found, e.Name())
		}
	}
	switch len(found) {
	case 1:
		p.AppDir, p.specName = found[0], specIn(filepath.Join(p.Dir, found[0]))
		return nil
	case 0:
		f := usage("no directory in %s holds an application", p.Dir)
		f.Fix = "an application is a directory with an appspec.yml; name it with --app"
		return f
	}
	f := usage("%s holds %d applications: %s", p.Dir, len(found), strings.Join(found, ", "))
	f.Fix = "name one with --app"
	return f
}

func specIn(dir string) string {
	for _, n := range appspecNames {
		if st, err := os.Stat(filepath.Join(dir, n)); err == nil && st.Mode().IsRegular() {
			return n
		}
	}
	return ""
}

func (p *project) root() string { return filepath.Join(p.Dir, p.AppDir) }

// checkSpec reads the appspec file as the agent will and looks for the files that
// it names, so that a slip costs no deployment.
func (p *project) checkSpec() error {
	file := filepath.Join(p.root(), p.specName)
	if p.specName != appspecNames[0] {
		f := usage("%s: the agent runs hooks from appspec.yml only", file)
		f.Fix = "rename it to appspec.yml"
		return f
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return usage("%v", err)
	}
	if p.spec, err = appspec.Parse(text); err != nil {
		return usage("%s: %v", file, err)
	}
	for _, f := range p.spec.Files {
		if _, err := os.Lstat(filepath.Join(p.root(), filepath.FromSlash(f.Source))); err != nil {
			return usage("%s: files names the source %q, which the application does not have", file, f.Source)
		}
	}
	for _, event := range sortedKeys(p.spec.Hooks) {
		for _, h := range p.spec.Hooks[event] {
			st, err := os.Stat(filepath.Join(p.root(), filepath.FromSlash(h.Location)))
			if err != nil || !st.Mode().IsRegular() {
				return usage("%s: the hook %s runs %q, which the application does not have", file, event, h.Location)
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
