package ec2

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/instance/imds"
)

func TestMetadata(t *testing.T) {
	w := newWorld(t)
	w.run()
	sg := w.group("web")
	id := w.running(func(in *api.RunInstancesInput) {
		in.SecurityGroupIds, in.UserData = []string{sg}, aws.Ptr("aGVsbG8=")
		in.IamInstanceProfile = &api.IamInstanceProfileSpecification{Name: aws.Ptr("web")}
		in.TagSpecifications = []api.TagSpecification{{ResourceType: "instance", Tags: tagList("Name", "x")}}
	})
	r := w.row(id)
	got, err := w.svc.Metadata(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	want := imds.Metadata{
		Account: testAccount, Partition: "aws", Domain: "amazonaws.com", Region: testRegion, Zone: "us-east-1a", ZoneID: "use1-az1",
		InstanceID: id, InstanceType: "t3.micro", ImageID: testImage, ReservationID: r.ReservationID, Architecture: "x86_64", LaunchTime: testEpoch, RootDevice: rootDevice,
		PrivateIP: netip.MustParseAddr("172.31.0.4"), PublicIP: netip.MustParseAddr("198.18.0.10"),
		PrivateHost: "ip-172-31-0-4.ec2.internal", PublicHost: "ec2-198-18-0-10.compute-1.amazonaws.com",
		MAC: "02:68:ac:1f:00:04", InterfaceID: r.NIC.ID, SubnetID: r.NIC.Subnet, VPCID: r.NIC.VPC,
		SubnetCIDR: netip.MustParsePrefix("172.31.0.0/20"), VPCCIDR: netip.MustParsePrefix("172.31.0.0/16"),
		VPCCIDRs:       []netip.Prefix{netip.MustParsePrefix("172.31.0.0/16")},
		SecurityGroups: []imds.SecurityGroup{{ID: sg, Name: "web"}}, UserData: []byte("hello"), Tags: map[string]string{"Name": "x"},
		ProfileARN: w.profiles["web"].ARN, ProfileID: "AIPAWEB", RoleARN: w.profiles["web"].RoleARN, RoleID: "AROAWEB", RoleName: "web",
		Options: imds.Options{Tokens: "optional", Endpoint: "enabled", HopLimit: 1, Tags: "disabled"},
	}
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	prefix := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if diff := cmp.Diff(want, got, equal, prefix); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if _, err := w.svc.Metadata(t.Context(), "i-00000000000000000"); !errors.Is(err, imds.ErrNoInstance) {
		t.Errorf("of no instance: %v", err)
	}
}

// TestMetadataFollowsTheRow: options, profile and role are those of the moment.
func TestMetadataFollowsTheRow(t *testing.T) {
	w := newWorld(t)
	w.run()
	id := w.running(nil)
	do[api.ModifyInstanceMetadataOptionsOutput](w, "ModifyInstanceMetadataOptions", &api.ModifyInstanceMetadataOptionsInput{InstanceId: &id, HttpTokens: "required", HttpPutResponseHopLimit: aws.Ptr[int32](2)})
	a := do[api.AssociateIamInstanceProfileOutput](w, "AssociateIamInstanceProfile", &api.AssociateIamInstanceProfileInput{InstanceId: &id, IamInstanceProfile: &api.IamInstanceProfileSpecification{Name: aws.Ptr("empty")}})
	m, err := w.svc.Metadata(t.Context(), id)
	if err != nil || m.Options.Tokens != "required" || m.Options.HopLimit != 2 || m.ProfileID != "AIPAEMPTY" || m.RoleARN != "" {
		t.Errorf("metadata %+v, %v", m, err)
	}
	do[api.ReplaceIamInstanceProfileAssociationOutput](w, "ReplaceIamInstanceProfileAssociation", &api.ReplaceIamInstanceProfileAssociationInput{
		AssociationId: a.IamInstanceProfileAssociation.AssociationId, IamInstanceProfile: &api.IamInstanceProfileSpecification{Name: aws.Ptr("web")}})
	if m, _ := w.svc.Metadata(t.Context(), id); m.RoleName != "web" {
		t.Errorf("role %q", m.RoleName)
	}
	list := do[api.DescribeIamInstanceProfileAssociationsOutput](w, "DescribeIamInstanceProfileAssociations", &api.DescribeIamInstanceProfileAssociationsInput{Filters: []api.Filter{filter("instance-id", id)}}).IamInstanceProfileAssociations
	if len(list) != 1 || *list[0].IamInstanceProfile.Arn != w.profiles["web"].ARN {
		t.Fatalf("associations %+v", list)
	}
	do[api.DisassociateIamInstanceProfileOutput](w, "DisassociateIamInstanceProfile", &api.DisassociateIamInstanceProfileInput{AssociationId: list[0].AssociationId})
	if m, _ := w.svc.Metadata(t.Context(), id); m.ProfileARN != "" {
		t.Errorf("profile %q", m.ProfileARN)
	}
}
