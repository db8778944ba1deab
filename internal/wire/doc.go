// Package wire stands between bytes and operations: it finds the operation that
// a request means, verifies who asks, decodes and validates the input, has the
// permission checked, runs the operation and writes the answer, in AWS's
// protocols and words.
//
// It owns the router, the authentication order, the error envelopes, the limits
// on requests, request ids and the audit log. It knows no service: it works from
// the tables of internal/aws/api (package model) and from the rows that services
// register. It declares what it needs, Credentials and Authorizer, and offers
// Invoker, the in-process door to the same operations. It imports aws and clock,
// and its own parts: sigv4 (signatures), codec (protocols), validate
// (constraints).
//
// Flow: Server.ServeHTTP -> route (route.go) -> authenticate (authenticate.go) ->
// decode (codec) -> call (call.go: validate, authorize, dry run, operation,
// audit) -> encode (respond.go). Server.Invoke enters at call.
//
// # How a service registers
//
// A service package lists its operations, one row each, and hands the list to
// the composition root:
//
//	func (s *Service) Wire() wire.Service {
//		return wire.Service{
//			Model: ec2.Model(),
//			Operations: []wire.Operation{
//				wire.Op("RunInstances", "ec2:RunInstances", s.RunInstances, s.runInstancesChecks),
//				wire.Op("DescribeInstances", "ec2:DescribeInstances", s.DescribeInstances, nil),
//			},
//		}
//	}
//
//	func (s *Service) RunInstances(ctx context.Context, in *ec2.RunInstancesInput) (*ec2.RunInstancesOutput, error)
//
// A nil checks function means one check of the action on "*". An operation that
// needs no permission says why: wire.FreeOp("GetCallerIdentity", "AWS asks for
// none", s.GetCallerIdentity). Every other operation of the model is answered
// with NotImplemented. Errors made with awserr reach the caller; any other error
// is logged and answered as InternalFailure without its text.
//
// Answers: a nil list is left out, an empty one is written as empty; top-level
// lists of Describe..., List... and BatchGet... are always written.
package wire
