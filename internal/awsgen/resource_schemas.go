package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/resourceschema"
)

// providerLine is a line of cfn-lint's list of a region: type and file of its schema.
var providerLine = regexp.MustCompile(`"([A-Za-z0-9]+::[A-Za-z0-9:]+)": "([0-9a-f]+)"`)

// writeResourceSchemas writes the table of resource types from cfn-lint's data
// directory (python3 -c 'import cfnlint; print(cfnlint.__path__[0] + "/data")') for
// the types that internal/awsgen/resource_types.txt names.
func writeResourceSchemas(data, tool, out string) error {
	list, err := os.ReadFile(filepath.Join(tool, "resource_types.txt"))
	if err != nil {
		return err
	}
	provider, err := os.ReadFile(filepath.Join(data, "schemas", "providers", "us_east_1.py"))
	if err != nil {
		return err
	}
	files := map[string]string{}
	for _, m := range providerLine.FindAllStringSubmatch(string(provider), -1) {
		files[m[1]] = m[2]
	}
	types := map[string]*resourceschema.Type{}
	for _, name := range strings.Fields(string(list)) {
		if files[name] == "" {
			return fmt.Errorf("%s has no schema", name)
		}
		if types[name], err = readSchema(filepath.Join(data, "schemas", "resources", files[name]+".json")); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	b, err := json.Marshal(types)
	if err != nil {
		return err
	}
	packed, err := squeeze(b)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "types.json.gz"), packed, 0o644)
}

func readSchema(file string) (*resourceschema.Type, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var t resourceschema.Type
	if err := json.Unmarshal(b, &t); err != nil {
		return nil, err
	}
	for _, list := range [][]string{t.CreateOnly, t.Conditional, t.ReadOnly, t.WriteOnly, t.Identifier} {
		for i, path := range list {
			list[i] = strings.ReplaceAll(strings.TrimPrefix(path, "/properties/"), "/properties/", "/")
		}
	}
	return &t, nil
}

func squeeze(b []byte) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	err = z.Close()
	return packed.Bytes(), err
}
