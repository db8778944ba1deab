package awscli

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// filters turns Name=..,Values=a,b into the members of EC2's query protocol.
func (c *call) filters(values url.Values) error {
	for i, f := range c.options["filters"] {
		name, list, ok := strings.Cut(f, ",Values=")
		name, named := strings.CutPrefix(name, "Name=")
		if !ok || !named {
			return errUnknown // JSON, or in another order
		}
		prefix := "Filter." + strconv.Itoa(i+1) + "."
		values.Set(prefix+"Name", strings.Trim(name, `"'`))
		for j, v := range strings.Split(list, ",") {
			values.Set(prefix+"Value."+strconv.Itoa(j+1), strings.Trim(v, `"'`))
		}
	}
	return nil
}

func runDescribeTags(ctx context.Context, c *call) error {
	values := url.Values{}
	if err := c.filters(values); err != nil {
		return err
	}
	return c.ec2(ctx, "DescribeTags", values)
}

func runDescribeInstances(ctx context.Context, c *call) error {
	values := url.Values{}
	if err := c.filters(values); err != nil {
		return err
	}
	for i, id := range c.options["instance-ids"] {
		values.Set("InstanceId."+strconv.Itoa(i+1), id)
	}
	return c.ec2(ctx, "DescribeInstances", values)
}

// ec2 makes an EC2 call and follows its pages.
func (c *call) ec2(ctx context.Context, action string, values url.Values) error {
	if err := c.checkQuery(); err != nil {
		return err
	}
	var all map[string]any
	for {
		body, err := c.client.Query(ctx, "ec2", ec2Version, action, values)
		if err != nil {
			return err
		}
		page, err := ec2JSON(body)
		if err != nil {
			return fmt.Errorf("answer of %s: %w", action, err)
		}
		next, _ := page["NextToken"].(string)
		delete(page, "NextToken")
		if all == nil {
			all = page
		} else {
			for k, v := range page {
				have, _ := all[k].([]any)
				more, _ := v.([]any)
				all[k] = append(have, more...)
			}
		}
		if next == "" {
			return c.print(all)
		}
		values.Set("NextToken", next)
	}
}

// ec2Names are members whose name is not that of the element with a capital first
// letter. Lists have elements called item.
var ec2Names = map[string]string{
	"reservationSet": "Reservations", "instancesSet": "Instances", "groupSet": "SecurityGroups", "tagSet": "Tags",
	"networkInterfaceSet": "NetworkInterfaces", "blockDeviceMapping": "BlockDeviceMappings",
	"privateIpAddressesSet": "PrivateIpAddresses", "ipv6AddressesSet": "Ipv6Addresses", "instanceState": "State",
	"dnsName": "PublicDnsName", "ipAddress": "PublicIpAddress", "reason": "StateTransitionReason",
	"cpuOptions": "CpuOptions", "elasticGpuAssociationSet": "ElasticGpuAssociations", "licenseSet": "Licenses",
}

// ec2Lists are lists even when they are empty.
var ec2Lists = []string{"productCodes", "blockDeviceMapping", "ipv6AddressesSet"}

// ec2JSON turns an answer of EC2's protocol into the CLI's form.
func ec2JSON(body []byte) (map[string]any, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok {
			v, err := ec2Value(dec, start)
			if err != nil {
				return nil, err
			}
			m, _ := v.(map[string]any)
			delete(m, "RequestId")
			// The groups of a reservation are called otherwise than an instance's.
			list, _ := m["Reservations"].([]any)
			for _, r := range list {
				if r, ok := r.(map[string]any); ok {
					r["Groups"] = r["SecurityGroups"]
					delete(r, "SecurityGroups")
				}
			}
			return m, nil
		}
	}
}

func ec2Value(dec *xml.Decoder, start xml.StartElement) (any, error) {
	members, items, text := map[string]any{}, []any{}, ""
	isList := strings.HasSuffix(start.Name.Local, "Set") || slices.Contains(ec2Lists, start.Name.Local)
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			text += string(t)
		case xml.StartElement:
			v, err := ec2Value(dec, t)
			if err != nil {
				return nil, err
			}
			if t.Name.Local == "item" {
				items, isList = append(items, v), true
				continue
			}
			name, ok := ec2Names[t.Name.Local]
			if !ok {
				name = strings.ToUpper(t.Name.Local[:1]) + t.Name.Local[1:]
			}
			members[name] = v
		case xml.EndElement:
			switch {
			case isList:
				return items, nil
			case len(members) > 0:
				return members, nil
			}
			return ec2Scalar(start.Name.Local, strings.TrimSpace(text)), nil
		}
	}
}

// ec2Numbers are the members that are numbers; every "true" and "false" is a
// boolean but in a tag.
var ec2Numbers = []string{"code", "amiLaunchIndex", "coreCount", "threadsPerCore", "deviceIndex", "networkCardIndex", "httpPutResponseHopLimit"}

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
