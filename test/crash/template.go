package main

import (
	"fmt"
	"strings"
)

// variant says what a template shall have: the generation that names and values
// tell, and whether it holds a resource that cannot be made.
type variant struct {
	generation int
	broken     bool
}

// counts are how many resources of each type a template has.
func (v variant) counts() map[string]int {
	return map[string]int{"parameter": 8, "queue": 2, "topic": 2, "role": 3, "profile": 2, "user": 2, "bucket": 3, "group": 4, "instance": 4}
}

// template is a template of thirty resources. Another generation changes values in
// place (parameters, rules), replaces resources (security groups by description,
// and with them the instances that name them), and has some in the place of others.
func (v variant) template() string {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	add("Resources:")
	for i := range 8 {
		id := fmt.Sprintf("Parameter%d", i)
		if i >= 6 { // goes, and another comes
			id = fmt.Sprintf("Parameter%dOf%d", i, v.generation)
		}
		value := fmt.Sprintf("'value %d'", v.generation)
		if i > 0 && i < 4 {
			value = fmt.Sprintf("!Sub '${Role%d.Arn} %d'", i-1, v.generation)
		}
		add("  %s: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: %s}}", id, value)
	}
	for i := range 2 {
		add("  Queue%d: {Type: 'AWS::SQS::Queue', Properties: {DelaySeconds: %d}}", i, v.generation)
		add("  Topic%d: {Type: 'AWS::SNS::Topic', Properties: {DisplayName: g%d}}", i, v.generation)
	}
	for i := range 3 {
		add("  Role%d: {Type: 'AWS::IAM::Role', Properties: {Path: /g%d/, AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}", i, v.generation%2*i)
	}
	for i := range 2 {
		add("  Profile%d: {Type: 'AWS::IAM::InstanceProfile', Properties: {Roles: [!Ref Role%d]}}", i, i)
		add("  User%d: {Type: 'AWS::IAM::User', Properties: {Path: /g%d/}}", i, v.generation)
	}
	for i := range 3 {
		add("  Bucket%d: {Type: 'AWS::S3::Bucket', Properties: {Tags: [{Key: g, Value: '%d'}]}}", i, v.generation)
	}
	for i := range 4 {
		add("  Group%d: {Type: 'AWS::EC2::SecurityGroup', Properties: {GroupDescription: 'group %d', SecurityGroupIngress: [{IpProtocol: tcp, FromPort: %d, ToPort: %d, CidrIp: 0.0.0.0/0}]}}",
			i, v.generation*(i/2), 8000+v.generation, 8000+v.generation)
		add("  Instance%d: {Type: 'AWS::EC2::Instance', Properties: {ImageId: ami-08111162, SecurityGroups: [!Ref Group%d], IamInstanceProfile: !Ref Profile%d}}", i, i, i%2)
	}
	if v.broken {
		add("  Broken: {Type: 'AWS::SSM::Parameter', DependsOn: [Instance3, Parameter5, Bucket2, Queue1, Topic1], Properties: {Type: String, Value: letters, AllowedPattern: '^[0-9]+$'}}")
	}
	return b.String()
}
