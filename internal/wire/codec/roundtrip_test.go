package codec_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/api/codedeploycommands"
	"github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/api/iam"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/api/sts"
	"github.com/hardstand/hardstand/internal/aws/model"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// calls are operations whose shapes between them use everything that a protocol
// has.
var calls = []struct {
	model   *model.Service
	op      string
	in, out any
}{
	{ec2.Model(), "RunInstances", &ec2.RunInstancesInput{}, &ec2.RunInstancesOutput{}},
	{ec2.Model(), "DescribeInstances", &ec2.DescribeInstancesInput{}, &ec2.DescribeInstancesOutput{}},
	{ec2.Model(), "AuthorizeSecurityGroupIngress", &ec2.AuthorizeSecurityGroupIngressInput{}, &ec2.AuthorizeSecurityGroupIngressOutput{}},
	{ec2.Model(), "ModifyInstanceAttribute", &ec2.ModifyInstanceAttributeInput{}, &ec2.ModifyInstanceAttributeOutput{}},
	{ec2.Model(), "DescribeInstanceTypes", &ec2.DescribeInstanceTypesInput{}, &ec2.DescribeInstanceTypesOutput{}},
	{cloudformation.Model(), "CreateStack", &cloudformation.CreateStackInput{}, &cloudformation.CreateStackOutput{}},
	{cloudformation.Model(), "DescribeStacks", &cloudformation.DescribeStacksInput{}, &cloudformation.DescribeStacksOutput{}},
	{cloudformation.Model(), "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{}, &cloudformation.DescribeChangeSetOutput{}},
	{cloudformation.Model(), "CreateStackSet", &cloudformation.CreateStackSetInput{}, &cloudformation.CreateStackSetOutput{}},
	{iam.Model(), "CreateRole", &iam.CreateRoleInput{}, &iam.CreateRoleOutput{}},
	{iam.Model(), "SimulateCustomPolicy", &iam.SimulateCustomPolicyInput{}, &iam.SimulateCustomPolicyOutput{}},
	{iam.Model(), "GetAccountSummary", &iam.GetAccountSummaryInput{}, &iam.GetAccountSummaryOutput{}},
	{sts.Model(), "AssumeRole", &sts.AssumeRoleInput{}, &sts.AssumeRoleOutput{}},
	{ssm.Model(), "PutParameter", &ssm.PutParameterInput{}, &ssm.PutParameterOutput{}},
	{ssm.Model(), "DescribeParameters", &ssm.DescribeParametersInput{}, &ssm.DescribeParametersOutput{}},
	{codedeploy.Model(), "CreateDeploymentGroup", &codedeploy.CreateDeploymentGroupInput{}, &codedeploy.CreateDeploymentGroupOutput{}},
	{codedeploy.Model(), "BatchGetDeployments", &codedeploy.BatchGetDeploymentsInput{}, &codedeploy.BatchGetDeploymentsOutput{}},
	{codedeploycommands.Model(), "PollHostCommand", &codedeploycommands.PollHostCommandInput{}, &codedeploycommands.PollHostCommandOutput{}},
	{s3.Model(), "PutBucketLifecycleConfiguration", &s3.PutBucketLifecycleConfigurationInput{}, &s3.PutBucketLifecycleConfigurationOutput{}},
	{s3.Model(), "PutBucketAcl", &s3.PutBucketAclInput{}, &s3.PutBucketAclOutput{}},
	{s3.Model(), "GetBucketAcl", &s3.GetBucketAclInput{}, &s3.GetBucketAclOutput{}},
	{s3.Model(), "ListObjectVersions", &s3.ListObjectVersionsInput{}, &s3.ListObjectVersionsOutput{}},
	{s3.Model(), "PutBucketPolicy", &s3.PutBucketPolicyInput{}, &s3.PutBucketPolicyOutput{}},
	{s3.Model(), "GetBucketPolicy", &s3.GetBucketPolicyInput{}, &s3.GetBucketPolicyOutput{}},
	{s3.Model(), "HeadObject", &s3.HeadObjectInput{}, &s3.HeadObjectOutput{}},
	{s3.Model(), "DeleteObjects", &s3.DeleteObjectsInput{}, &s3.DeleteObjectsOutput{}},
	{s3.Model(), "CopyObject", &s3.CopyObjectInput{}, &s3.CopyObjectOutput{}},
	{s3.Model(), "GetBucketNotificationConfiguration", &s3.GetBucketNotificationConfigurationInput{}, &s3.GetBucketNotificationConfigurationOutput{}},
}

// TestRoundTrip fills every member of inputs and outputs, lets one side write and
// the other read, and wants the same back.
func TestRoundTrip(t *testing.T) {
	for _, c := range calls {
		op := c.model.Operations[c.op]
		if op == nil {
			t.Fatalf("%s has no %s", c.model.Name, c.op)
		}
		t.Run(c.model.Name+" "+c.op+" input", func(t *testing.T) {
			sent := filled(c.in)
			got := reflect.New(reflect.TypeOf(c.in).Elem()).Interface()
			carryInput(t, c.model, op, sent, got)
			same(t, sent, got)
		})
		t.Run(c.model.Name+" "+c.op+" output", func(t *testing.T) {
			sent := filled(c.out)
			got := reflect.New(reflect.TypeOf(c.out).Elem()).Interface()
			carryOutput(t, c.model, op, sent, got)
			same(t, sent, got)
		})
	}
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-sent +received):\n%s", diff)
	}
}

func carryInput(t *testing.T, m *model.Service, op *model.Operation, sent, got any) {
	t.Helper()
	switch m.Protocol {
	case model.JSON:
		doc, err := codec.AppendJSON(nil, op.Input, sent, false)
		check(t, err)
		check(t, codec.DecodeJSON(doc, op.Input, got, true))
	case model.RestXML:
		call, err := codec.EncodeRESTCall(op, sent, m.Namespace)
		check(t, err)
		check(t, codec.DecodeREST(op, got, codec.RESTRequest{Labels: call.Labels, Query: call.Query, Header: overTheWire(call.Header), Document: call.Body}))
	default:
		values, err := codec.EncodeForm(op.Input, sent, m.Protocol == model.EC2)
		check(t, err)
		form, err := codec.NewForm(values)
		check(t, err)
		check(t, form.Decode(op.Input, got, m.Protocol == model.EC2))
	}
}

func carryOutput(t *testing.T, m *model.Service, op *model.Operation, sent, got any) {
	t.Helper()
	switch m.Protocol {
	case model.JSON:
		doc, err := codec.AppendJSON(nil, op.Output, sent, true)
		check(t, err)
		check(t, codec.DecodeJSON(doc, op.Output, got, false))
	case model.RestXML:
		h := http.Header{}
		r, err := codec.EncodeREST(op, sent, m.Namespace, h)
		check(t, err)
		check(t, codec.DecodeRESTAnswer(op, got, &http.Response{Header: overTheWire(h), Body: io.NopCloser(bytes.NewReader(r.Body))}))
	default:
		x := codec.XML{Item: "item", AllLists: true}
		x.Open("r", m.Namespace)
		check(t, x.Members(op.Output, sent))
		x.Close("r")
		root, err := codec.ParseXML(x.Buf)
		check(t, err)
		check(t, root.Decode(op.Output, got, true))
	}
}

// overTheWire does to header names what net/http does on reading.
func overTheWire(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		out[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filled returns a struct like ptr's with every member set, to awkward values.
func filled(ptr any) any {
	v := reflect.New(reflect.TypeOf(ptr).Elem())
	fill(v.Elem(), rand.New(rand.NewPCG(1, 2)), 0)
	return v.Interface()
}

func fill(v reflect.Value, r *rand.Rand, depth int) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), r, depth+1)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_500_000_000+r.Int64N(1e8), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), r, depth+1)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte{0, 1, 254, 255})
			return
		}
		n := 2
		if depth > 12 {
			n = 1
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), r, depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, val := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			key.SetString("key" + strconv.Itoa(r.IntN(1000)))
			fill(val, r, depth+1)
			v.SetMapIndex(key, val)
		}
	default:
		fillScalar(v, r)
	}
}

func fillScalar(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.String:
		awkward := []string{"plain", "a&b=c+d%20", "<tag attr=\"x\">", "é😀", "{\"a\": [1]}", "comma; semicolon", "1.50"}
		v.SetString(awkward[r.IntN(len(awkward))])
	case reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(1 << 30))
	case reflect.Float64:
		v.SetFloat(float64(r.IntN(1000)) / 8)
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	}
}

func TestHeadersCannotBeSplit(t *testing.T) {
	evil := "a\r\nSet-Cookie: b"
	h := http.Header{}
	_, err := codec.EncodeREST(s3.Model().Operations["HeadObject"], &s3.HeadObjectOutput{ContentType: &evil}, "", h)
	if err != nil || strings.ContainsAny(h.Get("Content-Type"), "\r\n") {
		t.Errorf("%q, %v", h.Get("Content-Type"), err)
	}
}
