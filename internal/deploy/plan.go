package deploy

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	ec2api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// Outlook is what deploying a project would do.
type Outlook struct {
	StackName string
	// Changes of the stack's resources; without any, Stack says why.
	Changes []resourceChange
	Stack   string
	// Application says what would become of the application, a line each.
	Application []string
}

// Plan says what Run would do with the project. It changes nothing that serves: a
// change set is made and deleted, with the stack under review that a new one needs.
func Plan(ctx context.Context, o Options, s Settings) (*Outlook, error) {
	s = s.complete()
	p := &planning{outlook: &Outlook{}}
	_, err := walk(ctx, s, func(r *run) []stage {
		p.run = r
		return []stage{
			{"check", func(ctx context.Context) error { return p.check(ctx, o, s) }},
			{"identity", r.identify},
			{"package", r.pack},
			{"stack", p.planStack},
			{"application", p.planApplication},
		}
	})
	if err != nil {
		return nil, err
	}
	return p.outlook, nil
}

type planning struct {
	*run
	outlook *Outlook
}

// check is deploy's, but for a template that would have to go into the bucket.
func (p *planning) check(ctx context.Context, o Options, s Settings) error {
	project, err := openProject(o)
	if err != nil {
		return err
	}
	if n := len(project.template); n > maxInlineTemplate {
		return &Failure{Exit: ExitCheck, Cause: fmt.Sprintf("%s has %d bytes: CloudFormation reads more than %d only from a bucket, into which a plan puts nothing", project.Template, n, maxInlineTemplate)}
	}
	return p.run.check(ctx, o, s)
}

// planApplication compares the project's archive with what the group has.
func (p *planning) planApplication(ctx context.Context) error {
	name := p.Application + " / " + p.Group
	revision := "s3://" + p.bucket + "/" + p.key
	say := func(format string, args ...any) {
		p.outlook.Application = append(p.outlook.Application, printable(fmt.Sprintf(format, args...)))
	}
	group, err := p.deploymentGroup(ctx)
	text, err := unread(err)
	switch {
	case err != nil:
		return err
	case text != "":
		say("%s: %s; what it has may not be read: %s", name, revision, text)
	case group == nil:
		say("%s is made, and has %s deployed", name, revision)
	case group.TargetRevision == nil:
		say("%s: %s, the first that is to succeed", name, revision)
	case revisionName(group.TargetRevision) == revision:
		say("%s: %s once more, the revision of the last successful deployment", name, revision)
	default:
		say("%s: %s in place of %s", name, revision, revisionName(group.TargetRevision))
	}
	list, err := p.targeted(ctx)
	if text, err = unread(err); err != nil {
		return err
	}
	switch {
	case text != "":
		say("instances with %s: may not be read: %s", p.Target, text)
	case len(list) == 0:
		say("instances with %s: none runs yet", p.Target)
	default:
		say("instances with %s that run now: %s", p.Target, strings.Join(list, ", "))
	}
	return nil
}

// targeted returns the instances that would get a deployment now.
func (r *run) targeted(ctx context.Context) ([]string, error) {
	key, value, _ := strings.Cut(r.Target, "=")
	in := &ec2api.DescribeInstancesInput{Filters: []ec2api.Filter{
		{Name: aws.String("tag:" + key), Values: []string{value}}, {Name: aws.String("instance-state-name"), Values: []string{"running"}},
	}}
	var list []string
	for {
		var out ec2api.DescribeInstancesOutput
		if err := r.ec2.Call(ctx, "DescribeInstances", in, &out); err != nil {
			return nil, err
		}
		for _, res := range out.Reservations {
			for _, m := range res.Instances {
				list = append(list, aws.ToString(m.InstanceId))
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return list, nil
		}
	}
}

// Text is the outlook for a terminal.
func (o *Outlook) Text() string {
	p := &page{}
	p.part("stack")
	if o.Stack != "" {
		p.line("%s %s", o.StackName, o.Stack)
	}
	if len(o.Changes) > 0 {
		p.line("%s", o.counts())
	}
	for _, c := range o.Changes {
		p.line("%s %s (%s)%s", c.mark, c.name, c.kind, c.note)
		for _, d := range c.details {
			p.line("    %s", d)
		}
	}
	p.part("application")
	for _, l := range o.Application {
		p.line("%s", l)
	}
	p.WriteString("nothing was changed\n")
	return p.String()
}

// counts sums the changes up.
func (o *Outlook) counts() string {
	n := map[string]int{}
	for _, c := range o.Changes {
		n[c.mark]++
	}
	text := o.StackName + ":"
	for _, m := range []struct{ mark, word string }{{markAdd, "to add"}, {markModify, "to modify"}, {markReplace, "to replace"}, {markRemove, "to remove"}} {
		if n[m.mark] > 0 {
			text += fmt.Sprintf(" %d %s,", n[m.mark], m.word)
		}
	}
	return strings.TrimSuffix(text, ",")
}
