package authref

import "testing"

func TestTypeOf(t *testing.T) {
	cases := []struct {
		name, action, resource, want string
		ok                           bool
	}{
		{"object", "s3:GetObject", "arn:aws:s3:::b/a/b c:d", "object", true},
		{"bucket is no object", "s3:GetObject", "arn:aws:s3:::b", "", false},
		{"bucket", "s3:ListBucket", "arn:aws:s3:::b", "bucket", true},
		{"no resource", "s3:ListAllMyBuckets", "*", "", true},
		{"star where a type is required", "iam:GetRole", "*", "", false},
		{"without case", "S3:getobject", "arn:aws:s3:::b/k", "object", true},
		{"path in a name", "iam:GetRole", "arn:aws:iam::111122223333:role/team/job", "role", true},
		{"image has no account", "ec2:RunInstances", "arn:aws:ec2:us-east-1::image/ami-1", "image", true},
		{"colon inside the region is none", "ec2:RunInstances", "arn:aws:ec2:us-east-1:1:2:instance/i-1", "", false},
		{"of another service", "ec2:RunInstances", "arn:aws:s3:::b", "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := ActionOf(c.action)
			if a == nil {
				t.Fatal("unknown action")
			}
			if got, ok := a.TypeOf(c.resource); got != c.want || ok != c.ok {
				t.Errorf("got %q, %t; want %q, %t", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestHasKey(t *testing.T) {
	list := ActionOf("s3:ListBucket")
	run := ActionOf("ec2:RunInstances")
	cases := []struct {
		name, key, typ string
		action         *Action
		want           bool
	}{
		{"of the action", "s3:prefix", "bucket", list, true},
		{"without case", "S3:Prefix", "bucket", list, true},
		{"of another action", "s3:VersionId", "bucket", list, false},
		{"of the type", "ec2:InstanceType", "instance", run, true},
		{"of another type", "ec2:InstanceType", "image", run, false},
		{"with a name that is written otherwise", "secretsmanager:ResourceTag/Team", "Secret", ActionOf("secretsmanager:GetSecretValue"), true},
		{"with a name in it", "aws:RequestTag/Team", "instance", run, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := c.action.HasKey(c.key, c.typ); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	for _, action := range []string{"s3:Frobnicate", "nothing:GetObject", "", "s3", "s3:"} {
		if ActionOf(action) != nil {
			t.Errorf("%q is known", action)
		}
	}
}
