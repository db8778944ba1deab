package ec2

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// TestRegions: those that an account has to ask for are shown when they are named, or
// all are.
func TestRegions(t *testing.T) {
	w := newWorld(t)
	ask := func(in *api.DescribeRegionsInput) map[string]string {
		out := map[string]string{}
		for _, r := range do[api.DescribeRegionsOutput](w, "DescribeRegions", in).Regions {
			out[*r.RegionName] = *r.OptInStatus
		}
		return out
	}
	if got := ask(&api.DescribeRegionsInput{}); len(got) != len(regions) || got["us-east-1"] != "opt-in-not-required" {
		t.Errorf("regions: %v", got)
	}
	if got := ask(&api.DescribeRegionsInput{AllRegions: aws.Ptr(true)}); len(got) != len(regions)+len(optional) {
		t.Errorf("all regions: %v", got)
	}
	if got := ask(&api.DescribeRegionsInput{RegionNames: []string{"ap-east-1"}}); len(got) != 1 || got["ap-east-1"] != "not-opted-in" {
		t.Errorf("one: %v", got)
	}
}

// TestLesserAttributes: attributes that say the same of every instance.
func TestLesserAttributes(t *testing.T) {
	w := newWorld(t)
	id := w.launch(nil)
	ask := func(name api.InstanceAttributeName) *api.DescribeInstanceAttributeOutput {
		return do[api.DescribeInstanceAttributeOutput](w, "DescribeInstanceAttribute", &api.DescribeInstanceAttributeInput{InstanceId: &id, Attribute: name})
	}
	if got := ask("blockDeviceMapping").BlockDeviceMappings; len(got) != 1 || *got[0].DeviceName != rootDevice {
		t.Errorf("devices: %+v", got)
	}
	if got := ask("enclaveOptions").EnclaveOptions; got == nil || *got.Enabled {
		t.Errorf("enclaves: %+v", got)
	}
	if got := ask("sriovNetSupport").SriovNetSupport; got == nil || got.Value != nil {
		t.Errorf("sriov: %+v", got)
	}
}
