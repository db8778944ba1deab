// Package model is the description of an AWS service that the wire runtime
// works from: its operations, the shapes they take and give, and how each is
// laid out on the wire.
//
// It owns the types of the description and the parser of the tables that
// internal/awsgen writes into internal/aws/api/<service>. It imports the
// standard library only. A table enters through Parse, once per process and only
// when the service is first spoken to; the result is shared and never changed.
package model

import "slices"

// Protocol is one of AWS's wire protocols, named as in the models.
type Protocol string

// The protocols spoken here.
const (
	Query   Protocol = "query"    // form in, XML out: CloudFormation, IAM, STS
	EC2     Protocol = "ec2"      // EC2's own dialect of Query
	RestXML Protocol = "rest-xml" // method, path and headers; XML bodies: S3
	JSON    Protocol = "json"     // POST / with X-Amz-Target
	// CBOR is POST /service/<prefix>/operation/<name>, binary both ways.
	CBOR Protocol = "smithy-rpc-v2-cbor"
)

// Service describes one AWS API.
type Service struct {
	Name string `json:"service"` // "ec2": endpoint prefix and package name
	// Endpoint is the endpoint prefix where two APIs share one, told apart by Version.
	Endpoint     string   `json:"endpoint,omitempty"`
	SigningNames []string `json:"signingNames"` // service names of the credential scope, first the usual one
	ServiceID    string   `json:"serviceId"`    // "EC2", "CloudFormation"
	FullName     string   `json:"fullName"`
	APIVersion   string   `json:"apiVersion"` // Version parameter of query requests
	Protocol     Protocol `json:"protocol"`
	// Also are further protocols of the same operations, first to last choice. A
	// request's looks tell which one it speaks.
	Also []Protocol `json:"also,omitempty"`
	// QueryCompatible: errors keep the codes that they had when the service spoke
	// the query protocol only, beside the names of their shapes.
	QueryCompatible bool     `json:"queryCompatible,omitempty"`
	JSONVersion     string   `json:"jsonVersion,omitempty"`    // "1.0" or "1.1"
	TargetPrefixes  []string `json:"targetPrefixes,omitempty"` // of X-Amz-Target, first the usual one
	Namespace       string   `json:"namespace,omitempty"`      // xmlns of answers
	Global          bool     `json:"global,omitempty"`         // one endpoint for all regions

	Operations map[string]*Operation `json:"-"`
	Shapes     map[string]*Shape     `json:"-"`
}

// Label is the first label of the service's host name and of its principal.
func (s *Service) Label() string {
	if s.Endpoint != "" {
		return s.Endpoint
	}
	return s.Name
}

// Speaks reports whether p is one of the service's protocols.
func (s *Service) Speaks(p Protocol) bool { return s.Protocol == p || slices.Contains(s.Also, p) }

// OperationNames returns the names of all operations, sorted.
func (s *Service) OperationNames() []string {
	names := make([]string, 0, len(s.Operations))
	for n := range s.Operations {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// ErrorStatus returns the HTTP status that the model gives the error code, or 0.
func (s *Service) ErrorStatus(code string) int {
	for _, sh := range s.Shapes {
		if sh.Kind == Exception && sh.ErrorCode == code {
			return sh.ErrorStatus
		}
	}
	return 0
}

// Operation is one call of a service.
type Operation struct {
	Name string
	// Modelled tells that the shapes are in the table. The rest is known by name
	// only, to be routed and answered with NotImplemented.
	Modelled      bool
	Method        string // HTTP method
	URI           string // "/{Bucket}/{Key+}?tagging"
	Status        int    // HTTP status of success
	Input         *Shape // nil: takes nothing
	Output        *Shape // nil: gives nothing
	ResultWrapper string // element around the output of query answers
	InputRoot     string // root element of the request body, if not the payload's
	OutputRoot    string // root element of the answer's body (S3; models lack it)
	Unsigned      bool   // needs no credentials (AssumeRoleWithWebIdentity)
	Errors        []*Shape
}

// Kind is what a shape is.
type Kind string

// The kinds of shape. Exception is a structure that is an error.
const (
	Structure Kind = "structure"
	Exception Kind = "exception"
	List      Kind = "list"
	Map       Kind = "map"
	String    Kind = "string"
	Integer   Kind = "integer"
	Long      Kind = "long"
	Float     Kind = "float"
	Double    Kind = "double"
	Boolean   Kind = "boolean"
	Timestamp Kind = "timestamp"
	Blob      Kind = "blob"
)

// Shape is a type of the API. Shapes may refer to themselves.
type Shape struct {
	Name      string
	Kind      Kind
	Members   []*Member // of structures, in the model's order
	Payload   *Member   // the member that is the HTTP body (rest-xml)
	Element   *Member   // of lists
	Key       *Member   // of maps
	Value     *Member   // of maps
	Flattened bool      // lists without an element around them
	Sensitive bool      // never to be logged

	Enum            []string
	Min, Max        *float64 // length of strings, lists, maps and blobs; value of numbers
	Pattern         string   // Java's regular expression dialect, the whole value
	TimestampFormat string   // "", "iso8601", "rfc822", "unixTimestamp"
	Namespace       *Namespace

	ErrorCode   string // of exceptions
	ErrorStatus int    // HTTP status of exceptions, 0 if the model has none
	Fault       bool   // the server's fault
	Capital     bool   // JSON errors of the kind say Message, not message
}

// Member returns the member with the name, or nil.
func (s *Shape) Member(name string) *Member {
	if s == nil {
		return nil
	}
	for _, m := range s.Members {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Scalar reports whether values of the shape are single values.
func (s *Shape) Scalar() bool {
	switch s.Kind {
	case Structure, Exception, List, Map:
		return false
	}
	return true
}

// Location is where a rest-xml member travels.
type Location string

// The locations; the zero value is the body.
const (
	Body        Location = ""
	URI         Location = "uri"
	QueryString Location = "querystring"
	Header      Location = "header"
	Headers     Location = "headers" // a map; LocationName is the prefix
	StatusCode  Location = "statusCode"
)

// Member is a use of a shape: a field of a structure, the element of a list, the
// key or value of a map.
type Member struct {
	Name         string // as in the model: "InstanceIds", "applicationName"
	Shape        *Shape
	Required     bool
	Location     Location
	LocationName string // name on the wire, "" = Name
	QueryName    string // name in the query protocols, if it differs from LocationName
	Flattened    bool
	Attribute    bool // an XML attribute
	Streaming    bool // a body that is not to be buffered
	Token        bool // idempotency token: clients fill it in
	Namespace    *Namespace
}

// WireName is LocationName, or the member's own name.
func (m *Member) WireName() string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return m.Name
}

// FieldName is the name of the Go field: the member's name, first letter upper.
func (m *Member) FieldName() string { return Exported(m.Name) }

// Exported returns name with its first letter in upper case.
func Exported(name string) string {
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		return name
	}
	return string(name[0]-'a'+'A') + name[1:]
}

// Namespace is an XML namespace declaration.
type Namespace struct {
	Prefix string `json:"prefix,omitempty"`
	URI    string `json:"uri"`
}
