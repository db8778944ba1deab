package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
)

const userData = `#!/bin/bash -ex
aws s3 cp s3://aws-codedeploy-us-east-1/latest/install . --region us-east-1
chmod +x ./install
./install auto
`

// instances deploys a bundle of 1 MB without hooks to n real instances at once, again
// and again; the first deployments wait for the agents, and warm all caches.
func (b *bench) instances(ctx context.Context) error {
	if err := b.setUp(ctx); err != nil {
		return err
	}
	tag := fmt.Sprintf("instances%d", time.Now().Unix())
	if err := b.group(ctx, tag, false); err != nil {
		return err
	}
	if err := b.upload(ctx); err != nil {
		return err
	}
	ids, err := b.launch(ctx, tag)
	if err != nil {
		return err
	}
	const cold = 2
	rounds := min(20, max(4, 200/b.n))
	var took []time.Duration
	for range cold + rounds {
		id, err := b.deploy(ctx, tag, "bundle.zip")
		if err != nil {
			return err
		}
		d, err := b.await(ctx, id)
		if err != nil {
			return err
		}
		took = append(took, d.CompleteTime.Sub(*d.CreateTime))
	}
	first, warm := took[0], took[cold:]
	slices.Sort(warm)
	median := warm[len(warm)/2]
	fmt.Printf("deployment of 1 MB to %d instances: %s, %.1f ms per instance (median of %d; %s to %s; %s from their launch)\n", b.n, median.Round(time.Millisecond),
		float64(median.Microseconds())/1000/float64(b.n), rounds, warm[0].Round(time.Millisecond), warm[rounds-1].Round(time.Millisecond), first.Round(time.Millisecond))
	return b.call(ctx, ec2.Model(), "TerminateInstances", &ec2.TerminateInstancesInput{InstanceIds: ids}, nil)
}

func (b *bench) launch(ctx context.Context, tag string) ([]string, error) {
	err := b.call(ctx, iam.Model(), "CreateInstanceProfile", &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String(name)}, nil)
	if err == nil {
		err = b.call(ctx, iam.Model(), "AddRoleToInstanceProfile", &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String(name), RoleName: aws.String(name)}, nil)
	}
	if err != nil && !exists(err) {
		return nil, err
	}
	var out ec2.RunInstancesOutput
	err = b.call(ctx, ec2.Model(), "RunInstances", &ec2.RunInstancesInput{
		ImageId: aws.String("ami-08111162"), MinCount: aws.Int32(int32(b.n)), MaxCount: aws.Int32(int32(b.n)),
		IamInstanceProfile: &ec2.IamInstanceProfileSpecification{Name: aws.String(name)},
		UserData:           aws.String(base64.StdEncoding.EncodeToString([]byte(userData))),
		TagSpecifications:  []ec2.TagSpecification{{ResourceType: ec2.ResourceTypeInstance, Tags: []ec2.Tag{{Key: &tag, Value: aws.String("")}}}},
	}, &out)
	var ids []string
	for _, i := range out.Instances {
		ids = append(ids, *i.InstanceId)
	}
	return ids, err
}

// upload puts a bundle of 1 MB that does not compress.
func (b *bench) upload(ctx context.Context) error {
	s := s3.New(s3.Options{Region: b.config.Region, BaseEndpoint: &b.endpoint, UsePathStyle: true, Credentials: b.config.Credentials})
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	var bundle bytes.Buffer
	w := zip.NewWriter(&bundle)
	for file, content := range map[string][]byte{"appspec.yml": []byte("version: 0.0\nos: linux\nfiles: [{source: noise, destination: /srv/app}]\n"), "noise": noise} {
		f, err := w.Create(file)
		if err != nil {
			return err
		}
		if _, err := f.Write(content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if _, err := s.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
		return err
	}
	_, err := s.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(name), Key: aws.String("bundle.zip"), Body: bytes.NewReader(bundle.Bytes())})
	return err
}
