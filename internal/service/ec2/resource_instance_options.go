package ec2

import (
	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
)

// options hands the launch what the template says beyond the common properties. What it
// asks that there is not here, RunInstances refuses.
func (p *instanceProperties) options(in *api.RunInstancesInput) error {
	if m := p.MetadataOptions; m != nil {
		in.MetadataOptions = &api.InstanceMetadataOptionsRequest{
			HttpTokens: api.HttpTokensState(aws.Val(m.HttpTokens)), HttpEndpoint: api.InstanceMetadataEndpointState(aws.Val(m.HttpEndpoint)),
			HttpPutResponseHopLimit: m.HttpPutResponseHopLimit, HttpProtocolIpv6: api.InstanceMetadataProtocolState(aws.Val(m.HttpProtocolIpv6)),
			InstanceMetadataTags: api.InstanceMetadataTagsState(aws.Val(m.InstanceMetadataTags)),
		}
	}
	if h := p.HibernationOptions; h != nil {
		in.HibernationOptions = &api.HibernationOptionsRequest{Configured: h.Configured}
	}
	if e := p.EnclaveOptions; e != nil {
		in.EnclaveOptions = &api.EnclaveOptionsRequest{Enabled: e.Enabled}
	}
	if n := p.PrivateDnsNameOptions; n != nil {
		in.PrivateDnsNameOptions = &api.PrivateDnsNameOptionsRequest{
			HostnameType: api.HostnameType(aws.Val(n.HostnameType)), EnableResourceNameDnsARecord: n.EnableResourceNameDnsARecord,
			EnableResourceNameDnsAAAARecord: n.EnableResourceNameDnsAAAARecord,
		}
	}
	return refuse(asked{"Volumes", len(p.Volumes) > 0}, asked{"SsmAssociations", len(p.SsmAssociations) > 0})
}
