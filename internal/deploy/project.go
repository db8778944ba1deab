package deploy

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/agent/appspec"
)

// templateNames are tried in this order.
var templateNames = []string{"cfTemplate.json", "template.yaml", "template.yml", "template.json", "cfTemplate.yaml", "cfTemplate.yml"}

// project is a directory that has been looked at and found fit to deploy.
type project struct {
	Options
	template []byte
	identity []byte
	spec     *appspec.Spec
	specName string
}

// openProject reads and checks everything that can be checked without AWS.
func openProject(o Options) (*project, error) {
	p, err := readProject(o)
	if err != nil {
		return nil, err
	}
	if err := p.findTemplate(); err != nil {
		return nil, err
	}
	if err := p.findApplication(); err != nil {
		return nil, err
	}
	if err := p.nameParts(); err != nil {
		return nil, err
	}
	p.Config = cmp.Or(p.Config, "CodeDeployDefault.OneAtATime")
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

// nameProject finds out what the parts of a project are called, for commands that
// look at what was deployed: whether it could be deployed now does not matter.
func nameProject(o Options) (*project, error) {
	p, err := readProject(o)
	if err != nil {
		return nil, err
	}
	if p.Application == "" {
		if err := p.findApplication(); err != nil {
			return nil, err
		}
	}
	return p, p.nameParts()
}

func readProject(o Options) (*project, error) {
	if err := mergeFile(&o); err != nil {
		return nil, err
	}
	if st, err := os.Stat(o.Dir); err != nil || !st.IsDir() {
		return nil, usage("%s is not a directory", o.Dir)
	}
	return &project{Options: o}, nil
}

// stackForm is what CloudFormation takes as a name.
var stackForm = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9]*$`)

// nameParts gives stack, application and group the names of their directories.
func (p *project) nameParts() error {
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return fmt.Errorf("resolve %s: %w", p.Dir, err)
	}
	p.Stack = cmp.Or(p.Stack, filepath.Base(dir))
	p.Application = cmp.Or(p.Application, filepath.Base(filepath.Join(dir, p.AppDir)))
	p.Group = cmp.Or(p.Group, p.Application+"-group")
	if len(p.Stack) > 128 || !stackForm.MatchString(p.Stack) {
		f := usage("%q cannot be the name of a stack", p.Stack)
		f.Fix = "name it with --stack: letters, digits and hyphens, a letter first, at most 128"
		return f
	}
	return nil
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
		if src := strings.Trim(f.Source, "/"); src != "" && !filepath.IsLocal(src) {
			return usage("%s: files names the source %q, which leads out of the application", file, f.Source)
		}
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
