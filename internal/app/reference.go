package app

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/service/access"
	"github.com/hardstand/hardstand/internal/service/autoscaling"
	"github.com/hardstand/hardstand/internal/service/cloudformation"
	"github.com/hardstand/hardstand/internal/service/cloudwatch"
	"github.com/hardstand/hardstand/internal/service/codedeploy"
	"github.com/hardstand/hardstand/internal/service/ec2"
	"github.com/hardstand/hardstand/internal/service/ecr"
	"github.com/hardstand/hardstand/internal/service/elb"
	"github.com/hardstand/hardstand/internal/service/elbv2"
	"github.com/hardstand/hardstand/internal/service/iam"
	"github.com/hardstand/hardstand/internal/service/kms"
	"github.com/hardstand/hardstand/internal/service/logs"
	"github.com/hardstand/hardstand/internal/service/route53"
	"github.com/hardstand/hardstand/internal/service/s3"
	"github.com/hardstand/hardstand/internal/service/secretsmanager"
	"github.com/hardstand/hardstand/internal/service/sns"
	"github.com/hardstand/hardstand/internal/service/sqs"
	"github.com/hardstand/hardstand/internal/service/ssm"
	"github.com/hardstand/hardstand/internal/service/sts"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

// typesPage is the page of the resource types.
const typesPage = "resource-types.md"

// tables returns the operation tables of all services. The services behind them
// are not opened: the tables do not depend on it.
func tables() []wire.Service {
	deployments := codedeploy.New(codedeploy.Config{Clock: clock.System{}})
	return []wire.Service{
		ec2.New(ec2.Config{}).Wire(),
		iam.New(iam.Config{}).Wire(),
		s3.New(s3.Config{}).Wire(),
		sts.New(nil).Wire(),
		ssm.New(ssm.Config{}).Wire(),
		cloudformation.New(cloudformation.Config{}).Wire(),
		deployments.Wire(),
		deployments.CommandsWire(),
		secretsmanager.New(secretsmanager.Config{}).Wire(),
		route53.New(route53.Config{}).Wire(),
		ecr.New(ecr.Config{}).Wire(),
		kms.New().Wire(),
		logs.New(logs.Config{}).Wire(),
		cloudwatch.New(cloudwatch.Config{}).Wire(),
		access.New(access.Config{}).Wire(),
		sqs.New(sqs.Config{}).Wire(),
		sns.New(sns.Config{}).Wire(),
		elb.New(elb.Config{}).Wire(),
		elbv2.New(elbv2.Config{}).Wire(),
		autoscaling.New(autoscaling.Config{}).Wire(),
	}
}

// resourceTypes returns what templates may use, of services that are not opened
// either.
func resourceTypes() stack.Registry {
	engine := stack.New(stack.Config{Types: registry(
		ec2.New(ec2.Config{}), iam.New(iam.Config{}), s3.New(s3.Config{}), ssm.New(ssm.Config{}),
		codedeploy.New(codedeploy.Config{Clock: clock.System{}}), nil,
		secretsmanager.New(secretsmanager.Config{}).Resources(),
		route53.New(route53.Config{}).Resources(),
		ecr.New(ecr.Config{}).Resources(),
		kms.New().Resources(),
		logs.New(logs.Config{}).Resources(),
		cloudwatch.New(cloudwatch.Config{}).Resources(),
		sqs.New(sqs.Config{}).Resources(),
		sns.New(sns.Config{}).Resources(),
		elb.New(elb.Config{}).Resources(),
		elbv2.New(elbv2.Config{}).Resources(),
		autoscaling.New(autoscaling.Config{}).Resources(),
	)})
	engine.Register(cloudformation.New(cloudformation.Config{}).Resources())
	return engine.Types()
}

// registry joins the resource types of all services. inv is what those of IAM and
// S3 call through; more are the types of the services that nothing else needs.
func registry(e *ec2.Service, i *iam.Service, s *s3.Service, m *ssm.Service, c *codedeploy.Service, inv wire.Invoker, more ...stack.Registry) stack.Registry {
	all := stack.Registry{}
	for _, r := range append(more, e.Resources(), i.Resources(inv), s.Resources(inv), m.Resources(), c.Resources()) {
		maps.Copy(all, r)
	}
	return all
}

// WriteReference writes a page per service into dir: every operation of the API,
// whether it is built, and the permission it needs; and a page of the resource
// types.
func WriteReference(dir string) error {
	for _, t := range tables() {
		err := writePage(filepath.Join(dir, t.Model.Name+".md"), func(w io.Writer) error { return wire.WriteReference(w, t) })
		if err != nil {
			return err
		}
	}
	return writePage(filepath.Join(dir, typesPage), func(w io.Writer) error { return writeTypes(w, resourceTypes()) })
}

func writePage(file string, write func(io.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write the reference: %w", err)
	}
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}

// writeTypes writes what each resource type knows, from its schema.
func writeTypes(w io.Writer, types stack.Registry) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Resource types\n\nThe %d types that templates may use. A type that is not here is refused by the call with\n"+
		"`Unrecognized resource types`; a property that is not here fails its resource, and the stack rolls back. Written\nfrom the schemas; do not edit.\n", len(types))
	for _, name := range slices.Sorted(maps.Keys(types)) {
		writeType(&b, name, types.Schema(name))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeType(b *strings.Builder, name string, s stack.Schema) {
	fmt.Fprintf(b, "\n## %s\n\n", name)
	if len(s.Properties) > 0 {
		b.WriteString("| property | required | create-only |\n| --- | --- | --- |\n")
	}
	for _, p := range slices.Sorted(slices.Values(s.Properties)) {
		required, createOnly := "", ""
		if slices.Contains(s.Required, p) {
			required = "yes"
		}
		if slices.Contains(s.CreateOnly, p) {
			createOnly = "yes"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", p, required, createOnly)
	}
	if len(s.Properties) > 0 {
		b.WriteString("\n")
	}
	for _, line := range typeNotes(s) {
		b.WriteString("- " + line + "\n")
	}
}

func typeNotes(s stack.Schema) []string {
	attributes := "no attributes"
	if len(s.Attributes) > 0 {
		attributes = "`Fn::GetAtt`: " + strings.Join(slices.Sorted(slices.Values(s.Attributes)), ", ")
	}
	notes := []string{attributes}
	if s.Taggable {
		notes = append(notes, "gets the stack's tags")
	}
	if s.Signals {
		notes = append(notes, "may have a `CreationPolicy`")
	}
	if s.Capability {
		n := "needs `CAPABILITY_IAM`"
		if s.NameProperty != "" {
			n += ", with " + s.NameProperty + " `CAPABILITY_NAMED_IAM`"
		}
		notes = append(notes, n)
	}
	return notes
}
