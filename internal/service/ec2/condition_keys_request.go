package ec2

import (
	"cmp"
	"fmt"
	"reflect"
	"strconv"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// instance describes an instance that there is or that a launch asks for.
func (d description) instance(r instance) {
	d.set("InstanceType", r.Type)
	d.set("EbsOptimized", strconv.FormatBool(r.EBSOptimized))
	d.set("RootDeviceType", "ebs")
	d.set("Tenancy", (&vpc{Dedicated: r.Dedicated}).tenancy())
	d.set("InstanceMarketType", "on-demand")
	d.set("MetadataHttpTokens", r.Metadata.Tokens)
	d.set("MetadataHttpEndpoint", r.Metadata.Endpoint)
	d.set("InstanceMetadataTags", r.Metadata.Tags)
	if r.Metadata.HopLimit > 0 {
		d.set("MetadataHttpPutResponseHopLimit", itoa(r.Metadata.HopLimit))
	}
	if r.Profile != nil {
		d.set("InstanceProfile", r.Profile.ARN)
	}
}

func (d description) volume(v volume) {
	d.set("Encrypted", "false")
	d.set("VolumeType", v.Type)
	d.set("VolumeSize", itoa(v.GiB))
	if v.IOPS > 0 {
		d.set("VolumeIops", itoa(v.IOPS))
	}
	if v.Throughput > 0 {
		d.set("VolumeThroughput", itoa(v.Throughput))
	}
}

// wanted describes what a request asks to be made.
func (d description) wanted(kind string, in any) {
	switch in := in.(type) {
	case *api.CreateSubnetInput:
		d.made(kind, "subnet", in.VpcId)
		if kind == "subnet" {
			d.zone(aws.Val(in.AvailabilityZone))
		}
	case *api.CreateRouteTableInput:
		d.made(kind, "route-table", in.VpcId)
	case *api.CreateSecurityGroupInput:
		d.made(kind, "security-group", in.VpcId)
	case *api.CreateNetworkAclInput:
		d.made(kind, "network-acl", in.VpcId)
	case *api.CreateVpcEndpointInput:
		if kind == "vpc-endpoint" {
			d.endpoint(aws.Val(in.ServiceName))
		}
	case *api.AllocateAddressInput:
		d.set("Domain", "vpc")
	case *api.CreateVpcInput:
		d.set("Tenancy", cmp.Or(string(in.InstanceTenancy), "default"))
	}
}

// endpoint describes a VPC endpoint by its service; all are Amazon's and of the region.
func (d description) endpoint(service string) {
	d.set("VpceServiceName", service)
	d.set("VpceServiceOwner", "amazon")
	d.set("VpceServiceRegion", d.call.Region)
	d.set("VpceMultiRegion", "false")
}

// made says to which VPC the new resource will belong.
func (d description) made(kind, wanted string, vpc *string) {
	if kind == wanted {
		d.belongs(aws.Val(vpc), "")
	}
}

// attributes says which attributes of the resource a request sets, and to what:
// ec2:Attribute and ec2:Attribute/<name>.
func (d description) attributes(kind string, in any) {
	subject := map[reflect.Type]string{
		reflect.TypeFor[*api.ModifyInstanceAttributeInput]():         "instance",
		reflect.TypeFor[*api.ModifyInstanceMetadataOptionsInput]():   "instance",
		reflect.TypeFor[*api.ModifySubnetAttributeInput]():           "subnet",
		reflect.TypeFor[*api.ModifyNetworkInterfaceAttributeInput](): "network-interface",
		reflect.TypeFor[*api.ModifyVpcAttributeInput]():              "vpc",
		reflect.TypeFor[*api.ModifyLaunchTemplateInput]():            "launch-template",
		reflect.TypeFor[*api.ModifyVpcEndpointInput]():               "vpc-endpoint",
	}[reflect.TypeOf(in)]
	if subject != kind {
		return
	}
	var names []string
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch name {
		case "InstanceId", "SubnetId", "VpcId", "NetworkInterfaceId", "DryRun", "Attribute", "Value", "LaunchTemplateId", "LaunchTemplateName", "ClientToken", "VpcEndpointId":
			continue
		}
		if value, ok := attributeText(v.Field(i)); ok {
			names = append(names, name)
			d.set("Attribute/"+name, value)
		}
	}
	d.check.Offer("ec2:Attribute", names...)
}

// attributeText is the text of an attribute that is set: a text, a number, or a
// structure with the member Value.
func attributeText(f reflect.Value) (string, bool) {
	if f.IsZero() {
		return "", false
	}
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if f.Kind() == reflect.Struct {
		f = reflect.Indirect(f.FieldByName("Value"))
	}
	switch f.Kind() {
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64:
		return fmt.Sprint(f.Interface()), true
	}
	return "", true
}
