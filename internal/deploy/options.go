package deploy

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Options are what the command line says. Empty fields are filled in from the
// project's hardstand.yaml, then by convention.
type Options struct {
	Dir string `yaml:"-"`
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
	// URL is what must answer afterwards. {Name} stands for the stack's
	// output of that name.
	URL string `yaml:"url"`
	// Identity is the file of a template with the roles that the project needs. Its
	// stack, STACK-identity, is brought up when WithIdentity asks for it, which is
	// an administrator's job; its outputs are the defaults of the template's
	// parameters of the same names, and ServiceRole that of the service role.
	Identity     string `yaml:"identity"`
	WithIdentity bool   `yaml:"-"`
}

// optionsFile holds options in the project's directory.
const optionsFile = "hardstand.yaml"

// mergeFile fills the fields that the command line left empty from hardstand.yaml.
func mergeFile(o *Options) error {
	if o.Dir == "" {
		o.Dir = "."
	}
	f, err := readOptions(filepath.Join(o.Dir, optionsFile))
	if err != nil {
		return err
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
	maps.Copy(merged, f.Parameters)
	maps.Copy(merged, o.Parameters)
	o.Parameters = merged
	return nil
}

// readOptions reads hardstand.yaml; a file that does not exist says nothing.
func readOptions(file string) (Options, error) {
	var o Options
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, usage("%v", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	err = dec.Decode(&o)
	if err == nil || errors.Is(err, io.EOF) { // an empty file says nothing either
		return o, nil
	}
	f := usage("%s: %s", file, strings.ReplaceAll(err.Error(), " in type deploy.Options", ""))
	f.Fix = "its keys are " + strings.Join(optionKeys(), ", ")
	return o, f
}

// optionKeys are the keys of hardstand.yaml.
func optionKeys() []string {
	var keys []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Options]()) {
		if k := f.Tag.Get("yaml"); k != "-" {
			keys = append(keys, k)
		}
	}
	return keys
}
