package ec2

import (
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

// Options that ask for nothing are taken, what asks for more than there is is refused.
func TestInstanceOptions(t *testing.T) {
	harmless := map[string]any{
		"ImageId": testImage, "HibernationOptions": map[string]any{"Configured": "false"}, "EnclaveOptions": map[string]any{"Enabled": false},
		"PrivateDnsNameOptions": map[string]any{"HostnameType": "ip-name", "EnableResourceNameDnsARecord": false}, "Volumes": []any{}, "SsmAssociations": []any{},
	}
	for name, c := range map[string]struct {
		property string
		value    any
		want     string
	}{
		"harmless":    {"", nil, ""},
		"hibernation": {"HibernationOptions", map[string]any{"Configured": true}, "HibernationOptions"},
		"enclaves":    {"EnclaveOptions", map[string]any{"Enabled": true}, "EnclaveOptions"},
		"names":       {"PrivateDnsNameOptions", map[string]any{"HostnameType": "resource-name"}, "PrivateDnsNameOptions beyond ip-name"},
		"volumes":     {"Volumes", []any{map[string]any{"Device": "/dev/sdh", "VolumeId": "vol-1"}}, "Volumes"},
	} {
		properties := map[string]any{}
		for k, v := range harmless {
			properties[k] = v
		}
		if c.property != "" {
			properties[c.property] = c.value
		}
		var p instanceProperties
		if err := stack.Decode(properties, &p); err != nil {
			t.Fatal(err)
		}
		in, err := p.runInput(stack.Request{})
		if err == nil {
			err = refuseUnsupportedRun(in)
		}
		if c.want == "" && err != nil || c.want != "" && (awserr.As(err) == nil || awserr.As(err).Message != "The parameter "+c.want+" is not supported by hardstand.") {
			t.Errorf("%s: %v", name, err)
		}
	}
	open := &api.RunInstancesInput{CapacityReservationSpecification: &api.CapacityReservationSpecification{CapacityReservationPreference: "open"}}
	if err := refuseUnsupportedRun(open); err != nil {
		t.Error(err)
	}
	open.CapacityReservationSpecification.CapacityReservationTarget = &api.CapacityReservationTarget{CapacityReservationId: aws.Ptr("cr-1")}
	if err := refuseUnsupportedRun(open); err == nil {
		t.Error("a reservation that there is not is used")
	}
}
