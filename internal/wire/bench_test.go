package wire_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// hundred is an answer of DescribeInstances with a hundred instances.
func hundred() *ec2.DescribeInstancesOutput {
	out := &ec2.DescribeInstancesOutput{}
	for i := range 100 {
		in := instance(fmt.Sprintf("i-%017x", i))
		in.ImageId, in.KeyName, in.VpcId, in.SubnetId = aws.Ptr("ami-1"), aws.Ptr("key"), aws.Ptr("vpc-1"), aws.Ptr("subnet-1")
		in.PublicIpAddress, in.PublicDnsName, in.PrivateDnsName = aws.Ptr("198.18.0.1"), aws.Ptr("ec2-198-18-0-1.compute-1.amazonaws.com"), aws.Ptr("ip-172-31-0-4.ec2.internal")
		in.NetworkInterfaces = []ec2.InstanceNetworkInterface{{NetworkInterfaceId: aws.Ptr("eni-1"), MacAddress: aws.Ptr("02:00:00:00:00:01"),
			Groups: in.SecurityGroups, PrivateIpAddress: in.PrivateIpAddress, SourceDestCheck: aws.Ptr(true)}}
		out.Reservations = append(out.Reservations, ec2.Reservation{ReservationId: aws.Ptr("r-1"), OwnerId: aws.Ptr("123456789012"), Instances: []ec2.Instance{in}})
	}
	return out
}

func BenchmarkEncodeDescribeInstances100(b *testing.B) {
	out, op := hundred(), ec2.Model().Operations["DescribeInstances"]
	x := codec.XML{Item: "item", AllLists: true}
	b.ReportAllocs()
	for b.Loop() {
		x.Buf = x.Buf[:0]
		if err := x.Members(op.Output, out); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(x.Buf)))
}

func BenchmarkDecodeRunInstances(b *testing.B) {
	op := ec2.Model().Operations["RunInstances"]
	const query = "Action=RunInstances&Version=2016-11-15&ImageId=ami-1&MinCount=1&MaxCount=1&InstanceType=t2.micro&KeyName=k" +
		"&SecurityGroupId.1=sg-1&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name&TagSpecification.1.Tag.1.Value=web"
	b.ReportAllocs()
	for b.Loop() {
		values, err := url.ParseQuery(query)
		if err != nil {
			b.Fatal(err)
		}
		form, err := codec.NewForm(values)
		if err != nil {
			b.Fatal(err)
		}
		if err := form.Decode(op.Input, &ec2.RunInstancesInput{}, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAnswer100(b *testing.B) {
	out, op := hundred(), ec2.Model().Operations["DescribeInstances"]
	x := codec.XML{Item: "item"}
	x.Open("r", "")
	if err := x.Members(op.Output, out); err != nil {
		b.Fatal(err)
	}
	x.Close("r")
	b.SetBytes(int64(len(x.Buf)))
	for b.Loop() {
		root, err := codec.ParseXML(x.Buf)
		if err != nil {
			b.Fatal(err)
		}
		if err := root.Decode(op.Output, &ec2.DescribeInstancesOutput{}, false); err != nil {
			b.Fatal(err)
		}
	}
}
