// Package network is the data plane: it gives instances addresses, routes,
// security groups, names and the services that AWS answers on link-local
// addresses.
//
//	                   host namespace                    VPC namespace (pinned)         instance namespace
//	browser ---- 198.18.0.10/32 -> hs<6>u<vpc> ===== hs<6>up   hs<6><address> ===== eth0 172.31.0.10
//	              table hs<6>: egress, input         table hs<6>: dnat/snat,       \=== eth1 172.31.16.7
//	                                                 security groups, spoofing       lo 127.0.0.1:<port> the server
//	                                                 lo 169.254.169.254:80 IMDS
//	                                                    169.254.169.253:53 and base+2:53 DNS
//	                                                    169.254.169.252:80,443 *.amazonaws.com
//	                                                                              node namespace (held by files)
//	                                                 hs<6><address> ============== eth0 172.31.0.20 a balancer's
//	                                                                               sockets
//
//	ways out of a subnet    exit: by the uplink, with the source's own public address
//	                        translate: by the uplink, with the address of a NAT gateway
//	                        detour: to an interface that forwards, by a table of its own
//
// A VPC is a network namespace that routes. Each instance hangs on it by its
// own veth with a /32 route, so that traffic inside a subnet is routed, and so
// filtered, too. There are no bridges. A public address is a /32 route on the
// host to the VPC's uplink and a pair of NAT map entries in the VPC; traffic
// from an instance to a public address always passes the host, as it passes
// the internet gateway on EC2, so that security groups see the public source.
//
// An interface without an instance is a Node: its namespace hangs on the VPC like an
// instance's, holds sockets of the server's own, and ends with the process.
//
// The services on link-local addresses are the VPC's, not the instance's: there
// they would keep its programs from listening on all addresses. Who calls is
// the VPC and the source address, since the table takes an address from its own
// link only.
//
// It owns every kernel object whose name begins with Config.Prefix: links on
// the host, namespace pins, nftables tables. It imports nothing of the project.
// Flow enters at Open, Network.Attach and its siblings (from internal/instance
// and, through app, service/ec2) and at Services.Open; it leaves through the
// handlers and the serve function that app passes in.
//
// The kernel outlives the process. A Network keeps a mirror of what it told the
// kernel and rebuilds a VPC's table from the mirror in one transaction when it
// first meets it; Adopt fills the mirror after a restart so that no connection
// notices.
package network
