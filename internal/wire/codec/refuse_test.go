package codec_test

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

func form(query string, dialect bool) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	f, err := codec.NewForm(values)
	if err != nil {
		return err
	}
	if dialect {
		return f.Decode(ec2.Model().Operations["RunInstances"].Input, &ec2.RunInstancesInput{}, true)
	}
	return f.Decode(cloudformation.Model().Operations["CreateStack"].Input, &cloudformation.CreateStackInput{}, false)
}

func jsonDoc(doc string) error {
	return codec.DecodeJSON([]byte(doc), ssm.Model().Operations["PutParameter"].Input, &ssm.PutParameterInput{}, true)
}

func xmlDoc(doc string) error {
	return codec.DecodeREST(s3.Model().Operations["DeleteObjects"], &s3.DeleteObjectsInput{}, codec.RESTRequest{Document: []byte(doc)})
}

func TestRefuse(t *testing.T) {
	tests := []struct {
		name    string
		err     error
		problem codec.Problem
		path    string
	}{
		{"form number", form("MinCount=one", true), codec.BadValue, "MinCount"},
		{"form overflow", form("MinCount=4294967297", true), codec.BadValue, "MinCount"},
		{"form boolean", form("EbsOptimized=yes", true), codec.BadValue, "EbsOptimized"},
		{"form unknown", form("Wheels=4", true), codec.Unknown, "Wheels"},
		{"form unknown below", form("Placement.Planet=mars", true), codec.Unknown, "Placement.Planet"},
		{"form index", form("SecurityGroupId.first=sg", true), codec.Unknown, "SecurityGroupId.first"},
		{"form index zero padded", form("SecurityGroupId.01=sg", true), codec.Unknown, "SecurityGroupId.01"},
		{"form structure as text", form("Placement=x", true), codec.Unknown, ""},
		{"form wrong dialect", form("Capabilities.1=CAPABILITY_IAM", false), codec.Unknown, "Capabilities.1"},
		{"form scalar with parts", form("StackName.x=1", false), codec.BadValue, "StackName"},
		{"form too many", many(codec.MaxParameters + 1), codec.TooLarge, ""},
		{"form too deep", form(strings.Repeat("a.", 100)+"a=1", true), codec.TooLarge, ""},
		{"json type", jsonDoc(`{"Name":5}`), codec.BadValue, "Name"},
		{"json object for list", jsonDoc(`{"Tags":{}}`), codec.BadValue, "Tags"},
		{"json unknown", jsonDoc(`{"Name":"a","Colour":"red"}`), codec.Unknown, "Colour"},
		{"json unknown below", jsonDoc(`{"Tags":[{"Key":"a","Colour":1}]}`), codec.Unknown, "Tags.1.Colour"},
		{"json array", jsonDoc(`[]`), codec.Malformed, ""},
		{"json cut", jsonDoc(`{"Name":"a"`), codec.Malformed, ""},
		{"json two", jsonDoc(`{} {}`), codec.Malformed, ""},
		{"json deep", jsonDoc(strings.Repeat(`{"a":`, 40)), codec.TooLarge, ""},
		{"xml cut", xmlDoc(`<Delete><Object>`), codec.Malformed, ""},
		{"xml two roots", xmlDoc(`<Delete/><Delete/>`), codec.Malformed, ""},
		{"xml none", xmlDoc(` `), codec.Malformed, ""},
		{"xml entity", xmlDoc(`<!DOCTYPE d [<!ENTITY x "y">]><Delete><Object><Key>&x;</Key></Object></Delete>`), codec.Malformed, ""},
		{"xml unknown", xmlDoc(`<Delete><Things/></Delete>`), codec.Unknown, "Things"},
		{"xml boolean", xmlDoc(`<Delete><Quiet>maybe</Quiet></Delete>`), codec.BadValue, "Quiet"},
		{"xml deep", xmlDoc(strings.Repeat(`<a>`, 40)), codec.TooLarge, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *codec.Error
			if !errors.As(tt.err, &got) {
				t.Fatalf("got %v", tt.err)
			}
			if got.Problem != tt.problem || tt.path != "" && got.Path != tt.path {
				t.Errorf("got problem %d at %q (%v)", got.Problem, got.Path, got)
			}
		})
	}
}

// many makes a form of n parameters.
func many(n int) error {
	values := url.Values{}
	for i := range n {
		values.Set("SecurityGroupId."+strconv.Itoa(i+1), "sg")
	}
	_, err := codec.NewForm(values)
	return err
}
