package main

import (
	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/aws/api/sqs"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
)

// inventory counts what exists, by asking each service.
func (s *server) inventory() (map[string]int, error) {
	n := map[string]int{}
	var parameters ssm.DescribeParametersOutput
	if err := s.call(ssm.Model(), "DescribeParameters", &ssm.DescribeParametersInput{MaxResults: aws.Ptr[int32](50)}, &parameters); err != nil {
		return nil, err
	}
	n["parameter"] = len(parameters.Parameters)
	var roles iam.ListRolesOutput
	var users iam.ListUsersOutput
	var profiles iam.ListInstanceProfilesOutput
	for operation, c := range map[string][2]any{
		"ListRoles": {&iam.ListRolesInput{}, &roles}, "ListUsers": {&iam.ListUsersInput{}, &users},
		"ListInstanceProfiles": {&iam.ListInstanceProfilesInput{}, &profiles},
	} {
		if err := s.call(iam.Model(), operation, c[0], c[1]); err != nil {
			return nil, err
		}
	}
	n["role"], n["user"], n["profile"] = len(roles.Roles), len(users.Users), len(profiles.InstanceProfiles)
	var buckets s3.ListBucketsOutput
	if err := s.call(s3.Model(), "ListBuckets", &s3.ListBucketsInput{}, &buckets); err != nil {
		return nil, err
	}
	n["bucket"] = len(buckets.Buckets)
	var queues sqs.ListQueuesOutput
	if err := s.call(sqs.Model(), "ListQueues", &sqs.ListQueuesInput{}, &queues); err != nil {
		return nil, err
	}
	var topics sns.ListTopicsOutput
	if err := s.call(sns.Model(), "ListTopics", &sns.ListTopicsInput{}, &topics); err != nil {
		return nil, err
	}
	n["queue"], n["topic"] = len(queues.QueueUrls), len(topics.Topics)
	return n, s.network(n)
}

// network counts instances that have not ended, and groups but the default one,
// which is made when it is first needed.
func (s *server) network(n map[string]int) error {
	var groups ec2.DescribeSecurityGroupsOutput
	if err := s.call(ec2.Model(), "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{}, &groups); err != nil {
		return err
	}
	for _, g := range groups.SecurityGroups {
		if aws.Val(g.GroupName) != "default" {
			n["group"]++
		}
	}
	var instances ec2.DescribeInstancesOutput
	alive := &ec2.DescribeInstancesInput{Filters: []ec2.Filter{{Name: aws.Ptr("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}}}}
	if err := s.call(ec2.Model(), "DescribeInstances", alive, &instances); err != nil {
		return err
	}
	for _, r := range instances.Reservations {
		n["instance"] += len(r.Instances)
	}
	return nil
}
