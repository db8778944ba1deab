package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/ec2"
	"github.com/hardstand/hardstand/internal/aws/arn"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const (
	maxUserData  = 16 << 10 // bytes, after base64
	maxPerCall   = 1000     // instances, by MaxCount
	rootDevice   = "/dev/xvda"
	defaultRoot  = int32(8) // GiB
	defaultType  = "m1.small"
	noPreference = "none"
)

// RunInstances commits rows in state pending and answers; the worker launches
// them. A repeated call with the same client token returns the first rows.
func (s *Service) RunInstances(ctx context.Context, in *api.RunInstancesInput) (*api.RunInstancesOutput, error) {
	c := aws.CallFrom(ctx)
	req, err := s.planRun(ctx, c, in)
	if err != nil {
		return nil, err
	}
	var rows []*instance
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err = s.existingRun(tx, c, req)
		if err != nil || rows != nil {
			return err
		}
		rows, err = s.insertRun(tx, c, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		s.work.enqueue(key(c, r.ID))
	}
	names, err := s.groupNames(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.reservation(c, rows, names), nil
}

func (s *Service) reservation(c aws.Call, rows []*instance, names map[string]string) *api.RunInstancesOutput {
	out := &api.RunInstancesOutput{ReservationId: aws.Ptr(rows[0].ReservationID), OwnerId: aws.Ptr(c.Account)}
	if len(rows[0].Via) > 0 {
		out.RequesterId = aws.Ptr(rows[0].Via)
	}
	for _, r := range rows {
		out.Instances = append(out.Instances, s.describe(c, r, names))
	}
	return out
}

// runRequest is a RunInstances call whose input has been judged without looking
// at stored state.
type runRequest struct {
	min, max     int32
	kind         instanceType
	template     instance
	subnetID     string
	zone         string
	groupIDs     []string
	groupNames   []string
	private      netip.Addr
	public       *bool
	keyName      string
	token, hash  string
	volumeTags   map[string]string
	instanceTags map[string]string
}

func (s *Service) planRun(ctx context.Context, c aws.Call, in *api.RunInstancesInput) (*runRequest, error) {
	if err := refuseUnsupportedRun(in); err != nil {
		return nil, err
	}
	if err := reservedSpecs(c, in.TagSpecifications); err != nil {
		return nil, err
	}
	r := &runRequest{min: aws.Val(in.MinCount), max: aws.Val(in.MaxCount), keyName: aws.Val(in.KeyName)}
	if r.min < 1 || r.max < r.min {
		return nil, awserr.New("InvalidParameterValue", "Value (%d) for parameter maxCount is invalid. The maxCount must be greater than or equal to minCount (%d), and both must be at least 1.", r.max, r.min)
	}
	if r.max > maxPerCall {
		return nil, awserr.New("InstanceLimitExceeded", "You have requested more instances (%d) than your current instance limit of %d allows.", r.max, maxPerCall)
	}
	var err error
	if r.kind, err = requestedType(string(in.InstanceType)); err != nil {
		return nil, err
	}
	if !validImageID(aws.Val(in.ImageId)) {
		if aws.Val(in.ImageId) == "" {
			return nil, missing("ImageId")
		}
		return nil, awserr.New("InvalidAMIID.Malformed", "Invalid id: \"%s\" (expecting \"ami-...\")", aws.Val(in.ImageId))
	}
	if err := r.placement(in); err != nil {
		return nil, err
	}
	if r.template, err = s.runTemplate(ctx, c, in, r); err != nil {
		return nil, err
	}
	r.tokens(c, in)
	return r, nil
}

// refuseUnsupportedRun names the first parameter that asks for something that
// hardstand does not do.
func refuseUnsupportedRun(in *api.RunInstancesInput) error {
	for _, p := range []struct {
		name string
		set  bool
	}{
		{"LaunchTemplate", in.LaunchTemplate != nil},
		{"InstanceMarketOptions", in.InstanceMarketOptions != nil},
		{"HibernationOptions", in.HibernationOptions != nil && aws.Val(in.HibernationOptions.Configured)},
		{"EnclaveOptions", in.EnclaveOptions != nil && aws.Val(in.EnclaveOptions.Enabled)},
		{"Ipv6AddressCount", aws.Val(in.Ipv6AddressCount) > 0},
		{"Ipv6Addresses", len(in.Ipv6Addresses) > 0},
		{"KernelId", in.KernelId != nil},
		{"RamdiskId", in.RamdiskId != nil},
		{"LicenseSpecifications", len(in.LicenseSpecifications) > 0},
		{"CapacityReservationSpecification", in.CapacityReservationSpecification != nil},
		{"CpuOptions", in.CpuOptions != nil},
	} {
		if p.set {
			return unsupported(p.name)
		}
	}
	if p := in.Placement; p != nil && (p.GroupName != nil || p.HostId != nil || (p.Tenancy != "" && p.Tenancy != "default")) {
		return unsupported("Placement")
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

// placement reads subnet, groups and addresses from the top level or from the one
// network interface that may be given instead.
func (r *runRequest) placement(in *api.RunInstancesInput) error {
	r.subnetID, r.groupIDs, r.groupNames = aws.Val(in.SubnetId), in.SecurityGroupIds, in.SecurityGroups
	private := aws.Val(in.PrivateIpAddress)
	if in.Placement != nil {
		r.zone = aws.Val(in.Placement.AvailabilityZone)
	}
	if n := len(in.NetworkInterfaces); n > 0 {
		ni := in.NetworkInterfaces[0]
		if n > 1 || ni.NetworkInterfaceId != nil || aws.Val(ni.DeviceIndex) != 0 {
			return unsupported("NetworkInterfaces beyond one new interface at device index 0")
		}
		if r.subnetID != "" || len(r.groupIDs)+len(r.groupNames) > 0 {
			return awserr.New("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request")
		}
		r.subnetID, r.groupIDs, r.public = aws.Val(ni.SubnetId), ni.Groups, ni.AssociatePublicIpAddress
		if ni.PrivateIpAddress != nil {
			private = *ni.PrivateIpAddress
		}
	}
	if private != "" {
		a, err := netip.ParseAddr(private)
		if err != nil || !a.Is4() {
			return invalidValue(private, "privateIpAddress")
		}
		if r.max > 1 {
			return awserr.New("InvalidParameterCombination", "The parameter 'PrivateIpAddress' may not be used when launching more than one instance")
		}
		r.private = a
	}
	return nil
}

// runTemplate builds what all instances of the call share.
func (s *Service) runTemplate(ctx context.Context, c aws.Call, in *api.RunInstancesInput, r *runRequest) (instance, error) {
	t := instance{
		Type: r.kind.Name, ImageID: aws.Val(in.ImageId), State: statePending,
		DisableAPITermination: aws.Val(in.DisableApiTermination),
		ShutdownTerminates:    in.InstanceInitiatedShutdownBehavior == "terminate",
		KeyName:               r.keyName,
	}
	if in.Monitoring != nil {
		t.Monitoring = aws.Val(in.Monitoring.Enabled)
	}
	if len(c.Via) > 0 {
		t.Via = c.Via[len(c.Via)-1]
	}
	var err error
	if t.UserData, err = decodeUserData(aws.Val(in.UserData)); err != nil {
		return t, err
	}
	if t.Metadata, err = requestedMetadata(in.MetadataOptions); err != nil {
		return t, err
	}
	if t.RootVolumeGiB, err = requestedRoot(in.BlockDeviceMappings); err != nil {
		return t, err
	}
	if t.Tags, err = tagSpec(in.TagSpecifications, "instance", "volume", "network-interface"); err != nil {
		return t, err
	}
	if spec := in.IamInstanceProfile; spec != nil {
		p, err := s.profile(ctx, c, aws.Val(spec.Name), aws.Val(spec.Arn))
		if err != nil {
			return t, err
		}
		t.Profile, t.ProfileAssocID = p, ids.Resource("iip-assoc")
	}
	return t, nil
}

func decodeUserData(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(s))
	if err != nil {
		return nil, awserr.New("InvalidParameterValue", "Invalid BASE64 encoding of user data.")
	}
	if len(b) > maxUserData {
		return nil, awserr.New("InvalidParameterValue", "User data is limited to %d bytes", maxUserData)
	}
	return b, nil
}

func requestedMetadata(o *api.InstanceMetadataOptionsRequest) (metadataOptions, error) {
	m := metadataOptions{Tokens: "optional", Endpoint: "enabled", HopLimit: 1, Tags: "disabled"}
	if o == nil {
		return m, nil
	}
	if o.HttpTokens != "" {
		m.Tokens = string(o.HttpTokens)
	}
	if m.Tokens == "required" {
		m.HopLimit = 2
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

// requestedRoot returns the size of the root volume. The root device is the one
// device there is; it always goes away with its instance.
func requestedRoot(maps []api.BlockDeviceMapping) (int32, error) {
	size := defaultRoot
	for _, m := range maps {
		name := aws.Val(m.DeviceName)
		if name != rootDevice && name != "/dev/sda1" && name != "/dev/xvda1" && name != "/dev/sda" {
			return 0, unsupported("BlockDeviceMapping " + name + " beyond the root device")
		}
		if m.Ebs == nil {
			continue
		}
		if m.Ebs.SnapshotId != nil || aws.Val(m.Ebs.Encrypted) {
			return 0, unsupported("BlockDeviceMapping.Ebs.SnapshotId or Encrypted")
		}
		if m.Ebs.DeleteOnTermination != nil && !*m.Ebs.DeleteOnTermination {
			return 0, unsupported("BlockDeviceMapping.Ebs.DeleteOnTermination=false")
		}
		if m.Ebs.VolumeSize != nil {
			size = *m.Ebs.VolumeSize
		}
	}
	return size, nil
}

// tokens takes the caller's client token, or the token that the stack engine
// passes along; the hash tells a repeat from a different request.
func (r *runRequest) tokens(c aws.Call, in *api.RunInstancesInput) {
	switch {
	case c.Token != "":
		r.token = "internal:" + c.Token
	case aws.Val(in.ClientToken) != "":
		r.token = "client:" + *in.ClientToken
	default:
		return
	}
	copied := *in
	copied.ClientToken, copied.DryRun = nil, nil
	b, err := json.Marshal(copied)
	if err != nil {
		panic(fmt.Sprintf("RunInstancesInput does not marshal: %v", err)) // plain data only
	}
	sum := sha256.Sum256(b)
	r.hash = hex.EncodeToString(sum[:])
}

func (s *Service) existingRun(tx *store.Tx, c aws.Call, r *runRequest) ([]*instance, error) {
	if r.token == "" {
		return nil, nil
	}
	var out []*instance
	for i := int32(0); ; i++ {
		rows, err := instances.Lookup(tx, "token", scoped(key(c, ""), r.token+"#"+itoa(i)))
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return out, nil
		}
		if rows[0].Value.TokenHash != r.hash && strings.HasPrefix(r.token, "client:") {
			return nil, awserr.New("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")
		}
		out = append(out, rows[0].Value)
	}
}

func (s *Service) insertRun(tx *store.Tx, c aws.Call, r *runRequest) ([]*instance, error) {
	v, err := ensureDefaultVPC(tx, c)
	if err != nil {
		return nil, err
	}
	sub, err := r.pickSubnet(v)
	if err != nil {
		return nil, err
	}
	groups, err := resolveGroups(tx, c, v, r.groupIDs, r.groupNames)
	if err != nil {
		return nil, err
	}
	if r.template.AuthorizedKey, err = authorizedKey(tx, c, r.keyName); err != nil {
		return nil, err
	}
	reservation := ids.Resource("r")
	var out []*instance
	for i := int32(0); i < r.max; i++ {
		row, err := s.newInstance(tx, v, sub, r, groups, i)
		if awserr.Is(err, "InsufficientFreeAddressesInSubnet") && i >= r.min {
			break
		}
		if err != nil {
			return nil, err
		}
		row.ReservationID = reservation
		if err := instances.Insert(tx, key(c, row.ID), row); err != nil {
			return nil, fmt.Errorf("insert instance: %w", err)
		}
		s.emit(tx, c, row, "")
		out = append(out, row)
	}
	return out, nil
}

func (r *runRequest) pickSubnet(v *vpc) (*subnet, error) {
	if r.subnetID != "" {
		sub := v.subnet(r.subnetID)
		if sub == nil {
			return nil, awserr.New("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", r.subnetID)
		}
		if r.zone != "" && sub.Zone != r.zone {
			return nil, awserr.New("InvalidParameterValue", "The availability zone '%s' does not match the zone of subnet '%s'.", r.zone, r.subnetID)
		}
		return sub, nil
	}
	if r.zone == "" {
		return &v.Subnets[0], nil
	}
	i := slices.IndexFunc(v.Subnets, func(s subnet) bool { return s.Zone == r.zone })
	if i < 0 {
		return nil, awserr.New("InvalidParameterValue", "Invalid availability zone: [%s]", r.zone)
	}
	return &v.Subnets[i], nil
}

func (s *Service) newInstance(tx *store.Tx, v *vpc, sub *subnet, r *runRequest, groups []string, i int32) (*instance, error) {
	row := r.template
	row.ID, row.Zone, row.LaunchIndex = ids.Resource("i"), sub.Zone, i
	row.LaunchTime = s.clock.Now().UTC()
	row.RootVolumeID = ids.Resource("vol")
	row.Token, row.TokenHash = r.token, r.hash
	row.NIC = nic{
		ID: ids.Resource("eni"), AttachmentID: ids.Resource("eni-attach"), VPC: v.ID, Subnet: sub.ID,
		Groups: groups, Private: r.private, AutoPublic: r.public == nil || *r.public,
	}
	var err error
	if !r.private.IsValid() {
		if row.NIC.Private, err = freePrivate(tx, v, sub); err != nil {
			return nil, err
		}
	} else if err = checkPrivate(tx, v, sub, r.private); err != nil {
		return nil, err
	}
	if row.NIC.AutoPublic {
		if row.NIC.Public, err = s.freePublic(tx); err != nil {
			return nil, err
		}
	}
	row.NIC.MAC = macOf(row.NIC.Private, sub.CIDR)
	return &row, nil
}

func checkPrivate(tx *store.Tx, v *vpc, sub *subnet, a netip.Addr) error {
	if !sub.CIDR.Contains(a) {
		return awserr.New("InvalidParameterValue", "Address %s does not fall within the subnet's address range", a)
	}
	rows, err := instances.Lookup(tx, "private", v.ID+"/"+a.String())
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return awserr.New("InvalidIPAddress.InUse", "Address %s is in use.", a)
	}
	return nil
}

// macOf derives a locally administered address from the private one, which is
// unique in its VPC.
func macOf(a netip.Addr, _ netip.Prefix) string {
	b := a.As4()
	return fmt.Sprintf("02:68:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3])
}

// runChecks gives the permissions of RunInstances: each resource that a launch
// touches is judged by itself, iam:PassRole when a role is handed over, and
// ec2:CreateTags when tags are.
func (s *Service) runChecks(ctx context.Context, in *api.RunInstancesInput) ([]aws.Check, error) {
	c := aws.CallFrom(ctx)
	kind := string(in.InstanceType)
	if kind == "" {
		kind = defaultType
	}
	res := func(r string) string { return arn.New("ec2", c.Region, c.Account, r) }
	inst := map[string][]string{"ec2:InstanceType": {kind}, "ec2:Region": {c.Region}}
	tags := requestTagContext(in.TagSpecifications, "instance")
	for k, v := range tags {
		inst[k] = v
	}
	checks := []aws.Check{
		{Action: "ec2:RunInstances", Resource: arn.New("ec2", c.Region, "", "image/"+aws.Val(in.ImageId))},
		{Action: "ec2:RunInstances", Resource: res("instance/*"), Context: inst},
		{Action: "ec2:RunInstances", Resource: res("network-interface/*")},
		{Action: "ec2:RunInstances", Resource: res("volume/*")},
	}
	for _, ref := range append(slices.Clone(in.SecurityGroupIds), wildcardFor(in.SecurityGroups)...) {
		checks = append(checks, aws.Check{Action: "ec2:RunInstances", Resource: res("security-group/" + ref)})
	}
	subnetRef := aws.Val(in.SubnetId)
	if subnetRef == "" {
		subnetRef = "*"
	}
	checks = append(checks, aws.Check{Action: "ec2:RunInstances", Resource: res("subnet/" + subnetRef)})
	if in.KeyName != nil {
		checks = append(checks, aws.Check{Action: "ec2:RunInstances", Resource: res("key-pair/" + *in.KeyName)})
	}
	for i := range checks {
		if checks[i].Context == nil {
			checks[i].Context = map[string][]string{"ec2:Region": {c.Region}}
		}
	}
	checks = append(checks, createTagsChecks(c, "RunInstances", in.TagSpecifications)...)
	pass, err := s.passRoleCheck(ctx, c, in.IamInstanceProfile)
	return append(checks, pass...), err
}

func wildcardFor(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{"*"}
}

// passRoleCheck asks for iam:PassRole on the role of the instance profile. A
// profile that does not exist is reported by the operation, after authorisation.
func (s *Service) passRoleCheck(ctx context.Context, c aws.Call, spec *api.IamInstanceProfileSpecification) ([]aws.Check, error) {
	if spec == nil {
		return nil, nil
	}
	p, err := s.profile(ctx, c, aws.Val(spec.Name), aws.Val(spec.Arn))
	if err != nil {
		if awserr.As(err) != nil {
			return nil, nil
		}
		return nil, err
	}
	if p.RoleARN == "" {
		return nil, nil
	}
	return []aws.Check{{Action: "iam:PassRole", Resource: p.RoleARN, Context: map[string][]string{"iam:PassedToService": {"ec2.amazonaws.com"}}}}, nil
}

func (s *Service) profile(ctx context.Context, c aws.Call, name, profileARN string) (*Profile, error) {
	ref := name
	if profileARN != "" {
		if name != "" {
			return nil, awserr.New("InvalidParameterCombination", "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'")
		}
		a, err := arn.Parse(profileARN)
		if err != nil || a.Account != c.Account || !strings.HasPrefix(a.Resource, "instance-profile/") {
			return nil, awserr.New("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN", profileARN)
		}
		ref = lastPart(a.Resource)
	}
	p, err := s.profiles.InstanceProfile(ctx, c.Account, ref)
	if errors.Is(err, ErrNoProfile) {
		return nil, awserr.New("InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", ref)
	}
	if err != nil {
		return nil, fmt.Errorf("instance profile %s: %w", ref, err)
	}
	return &p, nil
}

// lastPart returns the name at the end of an ARN with a path.
func lastPart(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }
