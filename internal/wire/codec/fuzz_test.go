package codec_test

import (
	"net/url"
	"reflect"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// What a decoder accepts, the writer of the other side must be able to write and
// the decoder to accept again.

func FuzzForm(f *testing.F) {
	f.Add("MinCount=1&MaxCount=2&SecurityGroupId.1=sg-1&TagSpecification.1.Tag.1.Key=a", true)
	f.Add("StackName=a&Parameters.member.1.ParameterKey=k&Tags=", false)
	f.Add("A.1.2.3=x&A=&.=&..1=", true)
	f.Fuzz(func(t *testing.T, query string, dialect bool) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		shape, in := cloudformation.Model().Operations["CreateStack"].Input, any(&cloudformation.CreateStackInput{})
		if dialect {
			shape, in = ec2.Model().Operations["RunInstances"].Input, &ec2.RunInstancesInput{}
		}
		form, err := codec.NewForm(values)
		if err != nil || form.Decode(shape, in, dialect) != nil {
			return
		}
		again, err := codec.EncodeForm(shape, in, dialect)
		if err != nil {
			t.Fatal(err)
		}
		form, err = codec.NewForm(again)
		if err != nil {
			t.Fatal(err)
		}
		if err := form.Decode(shape, reflect.New(reflect.TypeOf(in).Elem()).Interface(), dialect); err != nil {
			t.Fatalf("%v in %v", err, again)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"applicationName":"a","ec2TagFilters":[{"Key":"k","Type":"KEY_ONLY"}],"tags":null}`))
	f.Add([]byte(`{"deploymentStyle":{"deploymentType":"IN_PLACE"}}`))
	f.Add([]byte(`[[[[[[`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		shape := codedeploy.Model().Operations["CreateDeploymentGroup"].Input
		in := &codedeploy.CreateDeploymentGroupInput{}
		if codec.DecodeJSON(doc, shape, in, true) != nil {
			return
		}
		again, err := codec.AppendJSON(nil, shape, in, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := codec.DecodeJSON(again, shape, &codedeploy.CreateDeploymentGroupInput{}, true); err != nil {
			t.Fatalf("%v in %s", err, again)
		}
	})
}

func FuzzXML(f *testing.F) {
	f.Add([]byte(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;b</Key></Object><Quiet>true</Quiet></Delete>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>`))
	f.Add([]byte(`<Delete><Delete>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		op := s3.Model().Operations["DeleteObjects"]
		in := &s3.DeleteObjectsInput{}
		req := codec.RESTRequest{Labels: map[string]string{"Bucket": "b"}, Document: doc}
		if codec.DecodeREST(op, in, req) != nil {
			return
		}
		call, err := codec.EncodeRESTCall(op, in, "")
		if err != nil {
			t.Fatal(err)
		}
		req.Document = call.Body
		if err := codec.DecodeREST(op, &s3.DeleteObjectsInput{}, req); err != nil {
			t.Fatalf("%v in %s", err, call.Body)
		}
	})
}
