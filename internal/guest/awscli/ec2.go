package awscli

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// ec2Names are members whose name is not that of the element with a capital first
// letter and without Set. Lists have elements called item.
var ec2Names = map[string]string{
	"groupSet": "Groups", "networkInterfaceSet": "NetworkInterfaces", "blockDeviceMapping": "BlockDeviceMappings",
	"instanceState": "State", "dnsName": "PublicDnsName", "ipAddress": "PublicIpAddress", "reason": "StateTransitionReason",
	"groups": "UserIdGroupPairs", "groupDescription": "Description", "imageOwnerId": "OwnerId", "imageState": "State", "isPublic": "Public",
	"securityGroupInfo": "SecurityGroups", "availabilityZoneInfo": "AvailabilityZones", "regionInfo": "Regions", "regionEndpoint": "Endpoint",
	"zoneState": "State", "keySet": "KeyPairs", "instanceStatusSet": "InstanceStatuses", "privateIpAddressSet": "PrivateIpAddresses",
	"ipv4PrefixSet": "Ipv4Prefixes", "ipv6PrefixSet": "Ipv6Prefixes",
}

// ec2OwnNames are those of one operation.
var ec2OwnNames = map[string]map[string]string{
	"TerminateInstances": {"instancesSet": "TerminatingInstances", "instanceState": "InstanceState"},
	"StopInstances":      {"instancesSet": "StoppingInstances"}, "StartInstances": {"instancesSet": "StartingInstances"},
	"DescribeInstanceStatus": {"instanceState": "InstanceState"}, "DescribeNetworkInterfaces": {"tagSet": "TagSet"},
	"DescribeVolumes": {"status": "State"}, "AttachVolume": {"status": "State"}, "DetachVolume": {"status": "State"},
	"CreateSnapshot": {"status": "State", "statusMessage": "StateMessage"},
}

// ec2Name is the name of a member.
func ec2Name(operation, element string) string {
	if name, ok := ec2OwnNames[operation][element]; ok {
		return name
	}
	if name, ok := ec2Names[element]; ok {
		return name
	}
	name := strings.ToUpper(element[:1]) + element[1:]
	if list, ok := strings.CutSuffix(name, "Set"); ok {
		return strings.TrimSuffix(list, "s") + "s"
	}
	return name
}

// ec2Answer is ec2JSON without what says only that it went well.
func ec2Answer(operation string, body []byte) (map[string]any, error) {
	m, err := ec2JSON(operation, body)
	if _, ok := m["Return"]; ok && operation != "CreateRoute" {
		delete(m, "Return")
	}
	return m, err
}

// ec2Lists are lists even when they are empty.
var ec2Lists = []string{"productCodes", "blockDeviceMapping", "ipPermissions", "ipPermissionsEgress", "ipRanges", "ipv6Ranges", "prefixListIds", "groups"}

// ec2JSON turns an answer of EC2's protocol into the CLI's form.
func ec2JSON(operation string, body []byte) (map[string]any, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok {
			v, err := ec2Form(operation).value(dec, start.Name.Local)
			if err != nil {
				return nil, err
			}
			m, _ := v.(map[string]any)
			delete(m, "RequestId")
			// The groups of an instance are called otherwise than a reservation's.
			list, _ := m["Reservations"].([]any)
			for _, r := range list {
				reservation, _ := r.(map[string]any)
				machines, _ := reservation["Instances"].([]any)
				for _, i := range machines {
					if i, ok := i.(map[string]any); ok {
						i["SecurityGroups"] = i["Groups"]
						delete(i, "Groups")
					}
				}
			}
			return m, nil
		}
	}
}

func ec2Form(operation string) *xmlForm {
	return &xmlForm{
		item:   "item",
		isList: func(name string) bool { return strings.HasSuffix(name, "Set") || slices.Contains(ec2Lists, name) },
		member: func(name string) string { return ec2Name(operation, name) },
		scalar: ec2Scalar,
	}
}

// ec2Numbers are the members that are numbers; every "true" and "false" is a
// boolean but in a tag.
var ec2Numbers = []string{"code", "amiLaunchIndex", "coreCount", "threadsPerCore", "deviceIndex", "networkCardIndex", "httpPutResponseHopLimit",
	"size", "iops", "throughput", "volumeSize", "fromPort", "toPort", "availableIpAddressCount"}

func ec2Scalar(name, text string) any {
	switch {
	case slices.Contains(ec2Numbers, name):
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
	case name != "value" && name != "key" && (text == "true" || text == "false"):
		return text == "true"
	}
	return text
}
