package autoscaling

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
)

const (
	defaultCooldown = 300
	minLifetime     = 24 * 60 * 60
	maxGrace        = 7200
	maxTags         = 50
	// stamp is how sentences about causes write a time.
	stamp = "2006-01-02T15:04:05Z"
)

// terminationPolicies are those that can be chosen. AllocationStrategy has nothing to
// choose by where all instances are on demand, as here, and leaves it to the next.
var terminationPolicies = []string{"AllocationStrategy", "ClosestToNextInstanceHour", "Default", "NewestInstance",
	"OldestInstance", "OldestLaunchConfiguration", "OldestLaunchTemplate"}

// settings are the members that creation and update of a group share.
type settings struct {
	min, max, desired, cooldown, grace, lifetime, warmup *int32
	health, context, capacityType, placementGroup        *string
	termination                                          []string
	protect, rebalance                                   *bool
	maintenance                                          *api.InstanceMaintenancePolicy
	guard                                                api.DeletionProtection
	distribution                                         *api.AvailabilityZoneDistribution
	impairment                                           *api.AvailabilityZoneImpairmentPolicy
	reservation                                          *api.CapacityReservationSpecification
	lifecycle                                            *api.InstanceLifecyclePolicy
	skipShift                                            *bool
	zoneIDs                                              []string
}

func createSettings(in *api.CreateAutoScalingGroupInput) *settings {
	return &settings{min: in.MinSize, max: in.MaxSize, desired: in.DesiredCapacity, cooldown: in.DefaultCooldown, grace: in.HealthCheckGracePeriod,
		lifetime: in.MaxInstanceLifetime, warmup: in.DefaultInstanceWarmup, health: in.HealthCheckType, context: in.Context,
		capacityType: in.DesiredCapacityType, placementGroup: in.PlacementGroup, termination: in.TerminationPolicies,
		protect: in.NewInstancesProtectedFromScaleIn, rebalance: in.CapacityRebalance, maintenance: in.InstanceMaintenancePolicy,
		guard: in.DeletionProtection, distribution: in.AvailabilityZoneDistribution, impairment: in.AvailabilityZoneImpairmentPolicy,
		reservation: in.CapacityReservationSpecification, lifecycle: in.InstanceLifecyclePolicy, skipShift: in.SkipZonalShiftValidation, zoneIDs: in.AvailabilityZoneIds}
}

func updateSettings(in *api.UpdateAutoScalingGroupInput) *settings {
	return &settings{min: in.MinSize, max: in.MaxSize, desired: in.DesiredCapacity, cooldown: in.DefaultCooldown, grace: in.HealthCheckGracePeriod,
		lifetime: in.MaxInstanceLifetime, warmup: in.DefaultInstanceWarmup, health: in.HealthCheckType, context: in.Context,
		capacityType: in.DesiredCapacityType, placementGroup: in.PlacementGroup, termination: in.TerminationPolicies,
		protect: in.NewInstancesProtectedFromScaleIn, rebalance: in.CapacityRebalance, maintenance: in.InstanceMaintenancePolicy,
		guard: in.DeletionProtection, distribution: in.AvailabilityZoneDistribution, impairment: in.AvailabilityZoneImpairmentPolicy,
		reservation: in.CapacityReservationSpecification, lifecycle: in.InstanceLifecyclePolicy, skipShift: in.SkipZonalShiftValidation, zoneIDs: in.AvailabilityZoneIds}
}

// judge refuses what is wrong whatever the group is, or what is not honoured.
func (s *settings) judge() error {
	impaired := s.impairment != nil && (val(s.impairment.ZonalShiftEnabled) || s.impairment.ImpairedZoneHealthCheckBehavior != "")
	err := refuse(
		asked{"PlacementGroup", val(s.placementGroup) != ""},
		asked{"Context", val(s.context) != ""},
		asked{"DesiredCapacityType=" + val(s.capacityType), s.capacityType != nil && *s.capacityType != "units" && *s.capacityType != ""},
		asked{"AvailabilityZoneImpairmentPolicy", impaired},
		asked{"SkipZonalShiftValidation", val(s.skipShift)},
		asked{"CapacityReservationSpecification", s.reservation != nil && (s.reservation.CapacityReservationTarget != nil ||
			s.reservation.CapacityReservationPreference != "none" && s.reservation.CapacityReservationPreference != "default")},
		asked{"InstanceLifecyclePolicy", s.lifecycle != nil},
		asked{"AvailabilityZoneIds", len(s.zoneIDs) > 0},
	)
	switch {
	case err != nil:
		return err
	case s.min != nil && *s.min < 0, s.max != nil && *s.max < 0, s.desired != nil && *s.desired < 0:
		return invalid("Group sizes must be greater than or equal to 0")
	case s.cooldown != nil && *s.cooldown < 0:
		return invalid("Cooldown must be greater than or equal to 0")
	case s.grace != nil && (*s.grace < 0 || *s.grace > maxGrace):
		return invalid("HealthCheckGracePeriod must be between 0 and %d", maxGrace)
	case s.lifetime != nil && *s.lifetime != 0 && *s.lifetime < minLifetime:
		return invalid("MaxInstanceLifetime must be 0 or greater than or equal to %d", minLifetime)
	case s.warmup != nil && *s.warmup < -1:
		return invalid("DefaultInstanceWarmup must be greater than or equal to -1")
	}
	if err := s.judgeHealth(); err != nil {
		return err
	}
	for _, p := range s.termination {
		if strings.HasPrefix(p, "arn:") {
			return notHonoured("termination policies of functions")
		}
		if !slices.Contains(terminationPolicies, p) {
			return invalid("Invalid termination policies: [%s]. Valid values are %v", p, terminationPolicies)
		}
	}
	return judgeMaintenance(s.maintenance)
}

func (s *settings) judgeHealth() error {
	if s.health == nil {
		return nil
	}
	for _, kind := range strings.Split(*s.health, ",") {
		switch kind = strings.TrimSpace(kind); kind {
		case "EC2", "ELB":
		case "EBS", "VPC_LATTICE":
			return notHonoured("HealthCheckType " + kind)
		default:
			return invalid("Invalid HealthCheckType: %s", *s.health)
		}
	}
	return nil
}

func judgeMaintenance(p *api.InstanceMaintenancePolicy) error {
	if p == nil {
		return nil
	}
	low, high := val(p.MinHealthyPercentage), val(p.MaxHealthyPercentage)
	switch {
	case (p.MinHealthyPercentage == nil) != (p.MaxHealthyPercentage == nil):
		return invalid("Both MinHealthyPercentage and MaxHealthyPercentage must be specified.")
	case low == -1 && high == -1:
		return nil
	case low < 0 || low > 100:
		return invalid("MinHealthyPercentage must be between 0 and 100.")
	case high < 100 || high > 200:
		return invalid("MaxHealthyPercentage must be between 100 and 200.")
	case high-low > 100:
		return invalid("The difference between MinHealthyPercentage and MaxHealthyPercentage cannot be greater than 100.")
	}
	return nil
}

// take gives a group the settings that are there, but its sizes.
func (g *group) take(s *settings) {
	set(&g.Cooldown, s.cooldown)
	set(&g.Grace, s.grace)
	set(&g.Lifetime, s.lifetime)
	set(&g.Protect, s.protect)
	set(&g.HealthCheck, s.health)
	if s.warmup != nil {
		if g.Warmup = s.warmup; *s.warmup < 0 {
			g.Warmup = nil
		}
	}
	if s.termination != nil {
		g.Termination = s.termination
	}
	if s.maintenance != nil {
		if g.Maintenance = s.maintenance; val(s.maintenance.MaxHealthyPercentage) < 0 {
			g.Maintenance = nil
		}
	}
	if s.guard != "" {
		g.DeletionGuard = s.guard
	}
	if s.rebalance != nil {
		g.Rebalance = s.rebalance
	}
	if s.reservation != nil {
		g.Reservation = s.reservation.CapacityReservationPreference
	}
	if s.distribution != nil {
		g.Distribution = s.distribution
	}
}

func set[T any](to *T, v *T) {
	if v != nil {
		*to = *v
	}
}

// judgeSizes checks the sizes against each other.
func (g *group) judgeSizes() error {
	switch {
	case g.Min > g.Max:
		return invalid("Max bound, %d, must be greater than or equal to min bound, %d", g.Max, g.Min)
	case g.Desired < g.Min || g.Desired > g.Max:
		return invalid("Desired capacity:%d must be between the specified min size:%d and max size:%d", g.Desired, g.Min, g.Max)
	}
	return nil
}

// because notes a sentence that says why the group changes. %s in it is not formatted.
func (g *group) because(now time.Time, format string, args ...any) {
	g.Causes = append(g.Causes, "At "+now.Format(stamp)+" "+fmt.Sprintf(format, args...))
	if n := len(g.Causes); n > 5 { // an activity's cause has a limit
		g.Causes = g.Causes[n-5:]
	}
}

// resize sets the desired capacity and says why; why has no full stop.
func (g *group) resize(now time.Time, desired int32, why string) {
	old := g.Desired
	g.Desired = desired
	if old != desired {
		g.because(now, "%s changing the desired capacity from %d to %d.", why, old, desired)
		g.Failures, g.Retry, g.Replacing = 0, time.Time{}, 0
	}
}

// groupTags checks tags of a group and returns them.
func groupTags(c aws.Call, name string, have []tag, more []api.Tag) ([]tag, error) {
	out := slices.Clone(have)
	for _, t := range more {
		switch {
		case val(t.Key) == "":
			return nil, invalid("Tag key must not be empty")
		case t.ResourceId != nil && *t.ResourceId != name:
			return nil, invalid("Tag resource id %s does not match the Auto Scaling group name %s", *t.ResourceId, name)
		case t.ResourceType != nil && *t.ResourceType != groupResource:
			return nil, invalid("Unsupported resource type: %s", *t.ResourceType)
		case strings.HasPrefix(strings.ToLower(*t.Key), "aws:") && len(c.Via) == 0:
			return nil, invalid("Tag keys beginning with aws: are reserved for system use")
		}
		next := tag{Key: *t.Key, Value: val(t.Value), Propagate: val(t.PropagateAtLaunch)}
		if i := slices.IndexFunc(out, func(h tag) bool { return h.Key == next.Key }); i >= 0 {
			out[i] = next
		} else {
			out = append(out, next)
		}
	}
	own := 0
	for _, t := range out {
		if !strings.HasPrefix(t.Key, "aws:") {
			own++
		}
	}
	if own > maxTags {
		return nil, limitExceeded("A group has at most %d tags.", maxTags)
	}
	slices.SortFunc(out, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}
