package app

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/network"
)

// A request out of a subnet whose route table has an endpoint passes the endpoint's
// policy, and policies see where it came by; one from elsewhere, and one to another
// service, does not.
func TestVPCEndpointGuards(t *testing.T) {
	p := newProbe(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go p.k.s.serveInside(network.Identify(l, p.k.vars["instance"]))
	inside := p.config
	inside.BaseEndpoint = aws.Ptr("http://" + l.Addr().String())
	root := p.k.s.as(p.k.s.Access())
	modify := func(members string) {
		if err := p.call("ec2", "ModifyVpcEndpoint", p.k.filled(`{"VpcEndpointId": "$vpce", `+members+`}`), root); err != nil {
			t.Fatal(err)
		}
	}
	const list = "s3:ListAllMyBuckets"
	check := func(name string, fromInside, fromOutside bool) {
		t.Helper()
		if err := p.call("s3", "ListBuckets", `{}`, inside); refused(err, list) == fromInside || fromInside && err != nil {
			t.Errorf("%s: from inside: %v", name, err)
		}
		if err := p.call("s3", "ListBuckets", `{}`, p.config); refused(err, list) == fromOutside || fromOutside && err != nil {
			t.Errorf("%s: from outside: %v", name, err)
		}
	}
	p.policy(allowAll)
	check("no route to the endpoint", true, true)
	p.policy(allowAll, deny(list, "Null", "aws:SourceVpce", "true"))
	check("no route, so no endpoint", false, false)
	modify(`"AddRouteTableIds": ["$routes"]`)
	check("only by an endpoint", true, false)
	p.policy(allowAll, deny(list, "StringNotEquals", "aws:SourceVpc", p.k.filled("$vpc")))
	check("only out of the VPC", true, false)
	p.policy(allowAll, deny(list, "Null", "aws:SourceIp", "false"))
	check("no public address by an endpoint", true, false)
	p.policy(allowAll, deny(list, "NotIpAddress", "aws:VpcSourceIp", "10.9.1.0/24"))
	check("by the private address", true, false)

	p.policy(allowAll)
	modify(fmt.Sprintf(`"PolicyDocument": %q`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}`))
	check("a policy that leaves it out", false, true)
	if err := p.call("s3", "ListBuckets", `{}`, inside); err == nil || !strings.Contains(err.Error(), "because no VPC endpoint policy allows the s3:ListAllMyBuckets action") {
		t.Errorf("refused: %v", err)
	}
	if err := p.call("sqs", "ListQueues", `{}`, inside); err != nil {
		t.Errorf("another service: %v", err)
	}
	modify(`"ResetPolicy": true`)
	check("the open policy", true, true)
	modify(`"RemoveRouteTableIds": ["$routes"]`)
	p.policy(allowAll, deny(list, "Null", "aws:SourceVpce", "false"))
	check("the route is gone", true, true)
}

// Of an instance that nobody knows, nobody knows which endpoints its requests pass.
func TestRequestFromNowhere(t *testing.T) {
	p := newProbe(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go p.k.s.serveInside(network.Identify(l, "i-00000000000000000"))
	resp, err := http.Get("http://" + l.Addr().String() + "/bucket")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %s", resp.Status)
	}
}
