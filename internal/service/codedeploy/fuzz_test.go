package codedeploy

import (
	"reflect"
	"testing"

	"github.com/hardstand/hardstand/internal/aws/api/codedeploy"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire/codec"
)

// FuzzDeploymentAPI gives every operation any document as its input: what can be
// decoded is answered, or refused with a coded error that is the caller's.
func FuzzDeploymentAPI(f *testing.F) {
	w := newWorld(f, "i-1")
	w.setUp()
	table := w.s.Wire()
	for i, doc := range []string{
		`{"applicationName":"a","deploymentGroupName":"g","revision":{"revisionType":"S3","s3Location":{"bucket":"b","key":"k","bundleType":"zip"}}}`,
		`{"applicationName":"a","deploymentGroupName":"h","serviceRoleArn":"` + roleARN + `","ec2TagSet":{"ec2TagSetList":[[{"Key":"k","Type":"KEY_ONLY"}]]},"loadBalancerInfo":{"targetGroupInfoList":[{"name":"web"}]},"autoScalingGroups":["x"]}`,
		`{"deploymentConfigName":"c","minimumHealthyHosts":{"type":"FLEET_PERCENT","value":50},"zonalConfig":{"minimumHealthyHostsPerZone":{"type":"HOST_COUNT","value":1}}}`,
		`{"applicationName":"a","currentDeploymentGroupName":"g","blueGreenDeploymentConfiguration":{"deploymentReadyOption":{"waitTimeInMinutes":-1}},"alarmConfiguration":{"enabled":true,"alarms":[{"name":""}]}}`,
		`{"instanceName":"x","iamUserArn":"arn:aws:iam::123456789012:user/u","tags":[{"Key":"k"}],"nextToken":"?","targetFilters":{"TargetStatus":["x"]}}`,
		`{"deploymentId":"d-ABCDEFGHI","targetId":"i-1","instanceIds":[""],"deploymentIds":["d-"],"createTimeRange":{"start":1e300,"end":-1}}`,
	} {
		f.Add(uint8(i*7), []byte(doc))
		f.Add(uint8(i), []byte(doc))
	}
	f.Fuzz(func(t *testing.T, at uint8, doc []byte) {
		op := table.Operations[int(at)%len(table.Operations)]
		in := op.New()
		if codec.DecodeJSON(doc, codedeploy.Model().Operations[op.Name].Input, in, true) != nil {
			return
		}
		out, err := w.server.Invoke(as("deployer"), "codedeploy", op.Name, in)
		switch e := awserr.As(err); {
		case err == nil && reflect.ValueOf(out).IsNil():
			t.Errorf("%s answered nothing", op.Name)
		case err != nil && e == nil: // the wire would answer InternalFailure
			t.Errorf("%s %s: %v", op.Name, doc, err)
		}
	})
}
