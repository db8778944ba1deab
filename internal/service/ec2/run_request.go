package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	ssmapi "github.com/hardstand/hardstand/internal/aws/api/ssm"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/wire"
)

const (
	maxUserData = 16 << 10 // bytes, without base64
	maxPerCall  = 1000     // instances, by MaxCount
	maxToken    = 64       // bytes of a client token
	defaultType = "m1.small"
	clientToken = "client:" // begins a stored token that the caller chose
)

// runRequest is a RunInstances call whose input has been judged without looking
// at stored state.
type runRequest struct {
	min, max    int32
	template    instance
	userData    []byte
	subnetID    string
	zone        string
	groupIDs    []string
	groupNames  []string
	private     netip.Addr
	public      *bool // nil: as the subnet says, which is yes
	token, hash string
	// primary is the interface at index 0, if interfaces are given, devices the others.
	primary wantedDevice
	devices []wantedDevice
}

func (s *Service) planRun(ctx context.Context, c aws.Call, asIs *api.RunInstancesInput) (*runRequest, error) {
	in, from, err := s.completed(ctx, c, asIs)
	if err != nil {
		return nil, err
	}
	if err := refuseUnsupportedRun(in); err != nil {
		return nil, err
	}
	if err := reservedSpecs(c, in.TagSpecifications); err != nil {
		return nil, err
	}
	r := &runRequest{min: aws.Val(in.MinCount), max: aws.Val(in.MaxCount)}
	if err := r.checkCounts(); err != nil {
		return nil, err
	}
	if err := r.placement(in); err != nil {
		return nil, err
	}
	if r.template, err = s.runTemplate(ctx, c, in); err != nil {
		return nil, err
	}
	from.mark(&r.template)
	if r.userData, err = decodeUserData(aws.Val(in.UserData)); err != nil {
		return nil, err
	}
	r.template.NIC.Description, r.template.NIC.Keep = r.primary.description, r.primary.keep
	return r, r.tokens(c, asIs)
}

func (r *runRequest) checkCounts() error {
	switch {
	case r.min < 1:
		return awserr.New("InvalidParameterValue", "Value (%d) for parameter minCount is invalid. Parameter minCount must be greater than or equal to 1", r.min)
	case r.max < r.min:
		return awserr.New("InvalidParameterValue", "Value (%d) for parameter maxCount is invalid. Maximum count must be greater than or equal to the minimum count", r.max)
	case r.max > maxPerCall:
		return awserr.New("InstanceLimitExceeded", "You have requested more instances (%d) than your current instance limit of %d allows for the specified instance type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", r.max, maxPerCall)
	}
	return nil
}

// refuseUnsupportedRun names the first parameter that asks for something that
// hardstand does not do.
func refuseUnsupportedRun(in *api.RunInstancesInput) error {
	return refuse(
		asked{"InstanceMarketOptions", in.InstanceMarketOptions != nil},
		asked{"HibernationOptions", in.HibernationOptions != nil && aws.Val(in.HibernationOptions.Configured)},
		asked{"EnclaveOptions", in.EnclaveOptions != nil && aws.Val(in.EnclaveOptions.Enabled)},
		asked{"Ipv6AddressCount", aws.Val(in.Ipv6AddressCount) > 0},
		asked{"Ipv6Addresses", len(in.Ipv6Addresses) > 0},
		asked{"EnablePrimaryIpv6", aws.Val(in.EnablePrimaryIpv6)},
		asked{"KernelId", in.KernelId != nil},
		asked{"RamdiskId", in.RamdiskId != nil},
		asked{"LicenseSpecifications", len(in.LicenseSpecifications) > 0},
		asked{"CapacityReservationSpecification beyond open", asksCapacity(in.CapacityReservationSpecification)},
		asked{"CpuOptions", in.CpuOptions != nil},
		asked{"ElasticGpuSpecification", len(in.ElasticGpuSpecification) > 0},
		asked{"ElasticInferenceAccelerators", len(in.ElasticInferenceAccelerators) > 0},
		asked{"PrivateDnsNameOptions beyond ip-name", asksNames(in.PrivateDnsNameOptions)},
		asked{"MaintenanceOptions", in.MaintenanceOptions != nil && in.MaintenanceOptions.AutoRecovery == "disabled"},
		asked{"NetworkPerformanceOptions", in.NetworkPerformanceOptions != nil},
		asked{"Operator", in.Operator != nil},
		asked{"SecondaryInterfaces", len(in.SecondaryInterfaces) > 0},
		asked{"AdditionalInfo", in.AdditionalInfo != nil},
	)
}

// asksNames tells whether instances are to have other names than those of their
// addresses.
func asksNames(o *api.PrivateDnsNameOptionsRequest) bool {
	return o != nil && (o.HostnameType != "" && o.HostnameType != "ip-name" || aws.Val(o.EnableResourceNameDnsARecord) || aws.Val(o.EnableResourceNameDnsAAAARecord))
}

// asksCapacity tells whether instances are to use capacity that was reserved: there is
// none, so "open", which means any that there is, asks for nothing, and "none" neither.
func asksCapacity(s *api.CapacityReservationSpecification) bool {
	return s != nil && (s.CapacityReservationTarget != nil || s.CapacityReservationPreference != "" && s.CapacityReservationPreference != "open" && s.CapacityReservationPreference != "none")
}

// asked is a parameter and whether a request sets it to what hardstand does not do.
type asked struct {
	name string
	set  bool
}

func refuse(list ...asked) error {
	for _, p := range list {
		if p.set {
			return unsupported(p.name)
		}
	}
	return nil
}

func requestedType(name string) (instanceType, error) {
	if name == "" {
		name = defaultType
	}
	t, ok := findType(name)
	if !ok {
		return instanceType{}, invalidValue(name, "InstanceType")
	}
	return t, nil
}

// resolving begins an image id that is the name of a parameter with the id.
const resolving = "resolve:ssm:"

// imageNamed returns the image id that a request means. A parameter is read as the
// caller, who needs ssm:GetParameters on it.
func (s *Service) imageNamed(ctx context.Context, id string) (string, error) {
	name, named := strings.CutPrefix(id, resolving)
	if !named {
		return id, nil
	}
	out, err := wire.Call[ssmapi.GetParametersOutput](ctx, s.invoker, "ssm", "GetParameters", &ssmapi.GetParametersInput{Names: []string{name}})
	if err != nil {
		return "", err
	}
	if len(out.Parameters) == 0 {
		return "", awserr.New("InvalidParameterValue", "Invalid value '%s' for imageId. The parameter does not exist.", id)
	}
	return aws.Val(out.Parameters[0].Value), nil
}

func checkImage(id string) error {
	switch {
	case id == "":
		return missing("ImageId")
	case !validImageID(id):
		return awserr.New("InvalidAMIID.Malformed", "Invalid id: \"%s\" (expecting \"ami-...\")", id)
	}
	return nil
}

// runTemplate builds what all instances of the call share.
func (s *Service) runTemplate(ctx context.Context, c aws.Call, in *api.RunInstancesInput) (t instance, err error) {
	kind, err := requestedType(string(in.InstanceType))
	if err != nil {
		return t, err
	}
	image, err := s.imageNamed(ctx, aws.Val(in.ImageId))
	if err != nil {
		return t, err
	}
	if err := checkImage(image); err != nil {
		return t, err
	}
	t = instance{
		Type: kind.Name, ImageID: image, State: statePending, KeyName: aws.Val(in.KeyName),
		DisableAPITermination: aws.Val(in.DisableApiTermination), DisableAPIStop: aws.Val(in.DisableApiStop),
		ShutdownTerminates: in.InstanceInitiatedShutdownBehavior == "terminate",
		EBSOptimized:       aws.Val(in.EbsOptimized), Monitoring: in.Monitoring != nil && aws.Val(in.Monitoring.Enabled),
	}
	if len(c.Via) > 0 {
		t.Via = c.Via[len(c.Via)-1]
	}
	if t.CPUCredits, err = requestedCredits(kind, in.CreditSpecification); err != nil {
		return t, err
	}
	if t.Metadata, err = requestedMetadata(in.MetadataOptions); err != nil {
		return t, err
	}
	if t.Root, err = requestedRoot(in.BlockDeviceMappings); err != nil {
		return t, err
	}
	if err := t.tag(in.TagSpecifications); err != nil {
		return t, err
	}
	if spec := in.IamInstanceProfile; spec != nil {
		t.Profile, err = s.profile(ctx, c, aws.Val(spec.Name), aws.Val(spec.Arn))
	}
	return t, err
}

// launchTagged are the kinds of what a launch makes.
var launchTagged = []string{"instance", "volume", "network-interface"}

// tag gives the instance, its volume and its interface the tags asked for.
func (r *instance) tag(specs []api.TagSpecification) (err error) {
	for i, into := range []*map[string]string{&r.Tags, &r.Root.Tags, &r.NIC.Tags} {
		if *into, err = tagSpec(specs, launchTagged[i], launchTagged...); err != nil {
			return err
		}
	}
	return nil
}

// requestedCredits returns how a burstable type may burst: T2 by credits, later
// ones without limit, unless the caller chooses.
func requestedCredits(t instanceType, spec *api.CreditSpecificationRequest) (string, error) {
	want := ""
	if spec != nil {
		want = strings.ToLower(aws.Val(spec.CpuCredits)) // templates write Unlimited
	}
	switch {
	case want != "" && want != "standard" && want != "unlimited":
		return "", invalidValue(want, "CreditSpecification.CpuCredits")
	case !t.Burstable && want != "":
		return "", awserr.New("InvalidParameterCombination", "The instance type '%s' does not support specifying CpuCredits.", t.Name)
	case !t.Burstable || want != "":
		return want, nil
	case strings.HasPrefix(t.Name, "t3"):
		return "unlimited", nil
	}
	return "standard", nil
}

func decodeUserData(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s) // which ignores line ends
	if err != nil {
		return nil, awserr.New("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
	}
	if err := checkUserData(b); err != nil || len(b) == 0 {
		return nil, err
	}
	return b, nil
}

func checkUserData(b []byte) error {
	if len(b) > maxUserData {
		return awserr.New("InvalidParameterValue", "User data is limited to %d bytes", maxUserData)
	}
	return nil
}

func requestedMetadata(o *api.InstanceMetadataOptionsRequest) (metadataOptions, error) {
	m := metadataOptions{Tokens: "optional", Endpoint: "enabled", HopLimit: 1, Tags: "disabled"}
	if o == nil {
		return m, nil
	}
	return m.with(*o)
}

// with returns m with what o sets.
func (m metadataOptions) with(o api.InstanceMetadataOptionsRequest) (metadataOptions, error) {
	if o.HttpTokens != "" {
		m.Tokens = string(o.HttpTokens)
	}
	if o.HttpEndpoint != "" {
		m.Endpoint = string(o.HttpEndpoint)
	}
	if o.InstanceMetadataTags != "" {
		m.Tags = string(o.InstanceMetadataTags)
	}
	if n := o.HttpPutResponseHopLimit; n != nil {
		if *n < 1 || *n > 64 {
			return m, invalidValue(itoa(*n), "HttpPutResponseHopLimit")
		}
		m.HopLimit = *n
	}
	if o.HttpProtocolIpv6 == "enabled" {
		return m, unsupported("MetadataOptions.HttpProtocolIpv6")
	}
	return m, nil
}

// tokens takes the caller's client token, or the token that the stack engine
// passes along; the hash tells a repeat from a different request.
func (r *runRequest) tokens(c aws.Call, in *api.RunInstancesInput) error {
	switch t := aws.Val(in.ClientToken); {
	case len(t) > maxToken:
		return awserr.New("InvalidParameterValue", "Invalid value '%s' for clientToken. It must not be longer than %d characters.", t, maxToken)
	case c.Token != "":
		r.token = "internal:" + c.Token
	case t != "":
		r.token = clientToken + t
	default:
		return nil
	}
	copied := *in
	copied.ClientToken, copied.DryRun = nil, nil
	b, err := json.Marshal(copied)
	if err != nil {
		return fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(b)
	r.hash = hex.EncodeToString(sum[:])
	return nil
}
