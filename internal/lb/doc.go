// Package lb is the data plane of load balancers: it accepts connections at the
// nodes of a balancer, chooses a target by listener, rules, stickiness and health,
// and carries requests, streams and datagrams to it.
//
//	service -- Apply(Spec) --> Plane -- one balancer per Spec
//	                             node x listener: sockets in the node's namespace
//	                             target group:    targets, one checker for each
//	service <-- Spec.Report(Change) -- checkers, when a target's health changes
//
// A Spec is the whole truth about one balancer. Apply compares it with what runs:
// sockets, connections, counters and health of whatever is still named stay as they
// are. Nothing is kept on disk; after a restart the services apply their specs again
// and say with Target.Known how each target was.
//
// It owns the sockets and the goroutines behind them, and knows no service, no row
// and no namespace: Nodes brings a balancer's network interfaces up and hands the
// means to listen and to dial in. It imports clock. The flow enters at Plane.Apply
// and at the sockets, and leaves through Sockets.DialContext and Spec.Report.
package lb
