package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/model"
)

// fleetName names whatever the fleet needs: role, profile, bucket, application,
// group and tag.
const fleetName = "crash-fleet"

// hookEvents have a script that notes when it begins and when it ends.
var hookEvents = []string{"BeforeInstall", "ApplicationStart", "ValidateService"}

// Files in the instances.
const (
	idFile       = "/var/tmp/instance-id"
	hookLog      = "/var/tmp/hooks"
	revisionFile = "/srv/app/revision"
)

const userData = `#!/bin/bash -ex
token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
curl -sf -H "X-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/meta-data/instance-id >` + idFile + `
aws s3 cp s3://aws-codedeploy-us-east-1/latest/install . --region us-east-1
chmod +x ./install
./install auto
`

const hook = `#!/bin/bash
echo "$DEPLOYMENT_ID $LIFECYCLE_EVENT begin" >>` + hookLog + `
sleep 0.1
echo "$DEPLOYMENT_ID $LIFECYCLE_EVENT end" >>` + hookLog + `
`

// fleet are real instances, each with an agent.
type fleet struct {
	server *server
	agents map[string]int // instance id to the agent's last known process
}

// newFleet makes the instances and whatever deployments to them need.
func newFleet(s *server) (*fleet, error) {
	const trust = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com", "codedeploy.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}`
	var role iam.CreateRoleOutput
	if err := s.call(iam.Model(), "CreateRole", &iam.CreateRoleInput{RoleName: aws.Ptr(fleetName), AssumeRolePolicyDocument: aws.Ptr(trust)}, &role); err != nil {
		return nil, err
	}
	attach := func(policy string) *iam.AttachRolePolicyInput {
		return &iam.AttachRolePolicyInput{RoleName: aws.Ptr(fleetName), PolicyArn: aws.Ptr("arn:aws:iam::aws:policy/service-role/" + policy)}
	}
	for _, c := range []struct {
		model     *model.Service
		operation string
		in        any
	}{
		{iam.Model(), "AttachRolePolicy", attach("AWSCodeDeployRole")},
		{iam.Model(), "AttachRolePolicy", attach("AmazonEC2RoleforAWSCodeDeploy")},
		{iam.Model(), "CreateInstanceProfile", &iam.CreateInstanceProfileInput{InstanceProfileName: aws.Ptr(fleetName)}},
		{iam.Model(), "AddRoleToInstanceProfile", &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.Ptr(fleetName), RoleName: aws.Ptr(fleetName)}},
		{codedeploy.Model(), "CreateApplication", &codedeploy.CreateApplicationInput{ApplicationName: aws.Ptr(fleetName)}},
		{codedeploy.Model(), "CreateDeploymentGroup", &codedeploy.CreateDeploymentGroupInput{
			ApplicationName: aws.Ptr(fleetName), DeploymentGroupName: aws.Ptr(fleetName), ServiceRoleArn: role.Role.Arn,
			DeploymentConfigName: aws.Ptr("CodeDeployDefault.AllAtOnce"),
			Ec2TagFilters:        []codedeploy.EC2TagFilter{{Key: aws.Ptr(fleetName), Type: codedeploy.EC2TagFilterTypeKeyOnly}},
		}},
		{ec2.Model(), "RunInstances", &ec2.RunInstancesInput{
			ImageId: aws.Ptr("ami-08111162"), MinCount: aws.Ptr[int32](fleetSize), MaxCount: aws.Ptr[int32](fleetSize),
			IamInstanceProfile: &ec2.IamInstanceProfileSpecification{Name: aws.Ptr(fleetName)},
			UserData:           aws.Ptr(base64.StdEncoding.EncodeToString([]byte(userData))),
			TagSpecifications:  []ec2.TagSpecification{{ResourceType: ec2.ResourceTypeInstance, Tags: []ec2.Tag{{Key: aws.Ptr(fleetName), Value: aws.Ptr("")}}}},
		}},
	} {
		if err := s.call(c.model, c.operation, c.in, nil); err != nil {
			return nil, fmt.Errorf("%s: %w", c.operation, err)
		}
	}
	if _, err := s.s3().CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.Ptr(fleetName)}); err != nil {
		return nil, err
	}
	f := &fleet{server: s, agents: map[string]int{}}
	return f, until(rolloutLimit, "every instance has an agent", func() (bool, error) { return len(f.agents) == fleetSize, f.find() })
}

// find looks for the agents' processes. Those in instances are seen from outside.
func (f *fleet) find() error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(line), "codedeploy-agent\x00run\x00") && !strings.Contains(string(line), "codedeploy-agent\x00run\x00--config-file") {
			continue // another program, or one that has just ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return err
		}
		if id, err := os.ReadFile(inside(pid, idFile)); err == nil {
			f.agents[string(id)] = pid
		}
	}
	return nil
}

// inside is a file of the instance that a process lives in.
func inside(pid int, file string) string { return fmt.Sprintf("/proc/%d/root%s", pid, file) }

func (f *fleet) ids() []string {
	var out []string
	for id := range f.agents {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// killAgent kills the agent of the n-th instance; one that was killed just now is
// waited for.
func (f *fleet) killAgent(n int) (id string, err error) {
	id = f.ids()[n]
	err = until(rolloutLimit, "the agent of "+id+" runs again", func() (bool, error) {
		if err := f.find(); err != nil {
			return false, err
		}
		err := syscall.Kill(f.agents[id], syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return false, nil
		}
		return err == nil, err
	})
	return id, err
}

// evidence returns what the hooks of an instance have noted, and which revision is
// installed in it.
func (f *fleet) evidence(id string) (lines []string, revision string, err error) {
	// A process is the way into the instance: the agent, which may still be restarting.
	err = until(rolloutLimit, "the agent of "+id+" runs", func() (bool, error) {
		if err := f.find(); err != nil {
			return false, err
		}
		_, err := os.Stat(inside(f.agents[id], idFile))
		return err == nil, nil
	})
	if err != nil {
		return nil, "", err
	}
	log, err := os.ReadFile(inside(f.agents[id], hookLog))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	text, err := os.ReadFile(inside(f.agents[id], revisionFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	return strings.Split(string(log), "\n"), string(text), nil
}

func bundleKey(n int) string { return fmt.Sprintf("revision-%d.zip", n) }

// upload puts the n-th revision into the bucket.
func (f *fleet) upload(n int) error {
	spec := "version: 0.0\nos: linux\nfiles: [{source: revision, destination: /srv/app}]\nhooks:\n"
	for _, event := range hookEvents {
		spec += fmt.Sprintf("  %s: [{location: hook.sh, timeout: 60}]\n", event)
	}
	var bundle bytes.Buffer
	w := zip.NewWriter(&bundle)
	for name, text := range map[string]string{"appspec.yml": spec, "hook.sh": hook, "revision": fmt.Sprint(n)} {
		file, err := w.Create(name)
		if err != nil {
			return err
		}
		if _, err := file.Write([]byte(text)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := f.server.s3().PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: awssdk.String(fleetName), Key: awssdk.String(bundleKey(n)), Body: bytes.NewReader(bundle.Bytes()),
	})
	return err
}
