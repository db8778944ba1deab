package autoscaling

import (
	"context"
	"encoding/json"
	"strconv"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/stack"
)

// resourcePolicy is AWS::AutoScaling::ScalingPolicy. Ref is the ARN.
type resourcePolicy struct{ s *Service }

type policyProperties struct {
	AutoScalingGroupName        string
	PolicyType, AdjustmentType  *string
	MetricAggregationType       *string
	Cooldown                    *int32
	ScalingAdjustment           *int32
	MinAdjustmentMagnitude      *int32
	EstimatedInstanceWarmup     *int32
	StepAdjustments             []api.StepAdjustment
	TargetTrackingConfiguration *api.TargetTrackingConfiguration
}

// Schema implements stack.Resource.
func (resourcePolicy) Schema() stack.Schema {
	sc := stack.SchemaOf(policyProperties{})
	sc.Attributes = []string{"Arn", "PolicyName"}
	return sc
}

func (t resourcePolicy) put(ctx context.Context, r stack.Request, name string) (string, error) {
	var p policyProperties
	if err := stack.Decode(r.Properties, &p); err != nil {
		return "", err
	}
	out, err := invoke[api.PutScalingPolicyOutput](ctx, t.s, "PutScalingPolicy", &api.PutScalingPolicyInput{AutoScalingGroupName: &p.AutoScalingGroupName, PolicyName: &name,
		PolicyType: p.PolicyType, AdjustmentType: p.AdjustmentType, MetricAggregationType: p.MetricAggregationType, Cooldown: p.Cooldown,
		ScalingAdjustment: p.ScalingAdjustment, MinAdjustmentMagnitude: p.MinAdjustmentMagnitude, EstimatedInstanceWarmup: p.EstimatedInstanceWarmup,
		StepAdjustments: p.StepAdjustments, TargetTrackingConfiguration: p.TargetTrackingConfiguration})
	if err != nil {
		return "", err
	}
	return *out.PolicyARN, nil
}

func policyResult(policyARN string) stack.Result {
	_, name := partsOf(policyARN)
	return stack.Result{PhysicalID: policyARN, Attributes: map[string]any{"Arn": policyARN, "PolicyName": name}}
}

// Create implements stack.Resource.
func (t resourcePolicy) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	policyARN, err := t.put(ctx, r, r.Name(maxResourceName))
	if err != nil {
		return stack.Result{}, err
	}
	started(policyARN)
	return policyResult(policyARN), nil
}

func (t resourcePolicy) find(ctx context.Context, policyARN string) (*api.ScalingPolicy, error) {
	name, _ := partsOf(policyARN)
	out, err := invoke[api.DescribePoliciesOutput](ctx, t.s, "DescribePolicies", &api.DescribePoliciesInput{AutoScalingGroupName: &name, PolicyNames: []string{policyARN}})
	if err == nil && len(out.ScalingPolicies) == 0 {
		return nil, stack.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &out.ScalingPolicies[0], nil
}

// Read implements stack.Resource.
func (t resourcePolicy) Read(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, err := t.find(ctx, r.PhysicalID)
	return policyResult(r.PhysicalID), err
}

// Live implements stack.Live.
func (t resourcePolicy) Live(ctx context.Context, r stack.Request) (map[string]any, error) {
	p, err := t.find(ctx, r.PhysicalID)
	if err != nil {
		return nil, err
	}
	live := map[string]any{"AutoScalingGroupName": *p.AutoScalingGroupName, "PolicyType": *p.PolicyType, "AdjustmentType": liveText(p.AdjustmentType),
		"MetricAggregationType": liveText(p.MetricAggregationType), "ScalingAdjustment": liveNumber(p.ScalingAdjustment),
		"MinAdjustmentMagnitude": liveNumber(p.MinAdjustmentMagnitude), "EstimatedInstanceWarmup": liveNumber(p.EstimatedInstanceWarmup), "StepAdjustments": nil}
	if p.Cooldown != nil {
		live["Cooldown"] = strconv.Itoa(int(*p.Cooldown))
	}
	var steps []any
	for _, s := range p.StepAdjustments {
		step := map[string]any{"ScalingAdjustment": liveNumber(s.ScalingAdjustment)}
		if s.MetricIntervalLowerBound != nil {
			step["MetricIntervalLowerBound"] = decimal(*s.MetricIntervalLowerBound)
		}
		if s.MetricIntervalUpperBound != nil {
			step["MetricIntervalUpperBound"] = decimal(*s.MetricIntervalUpperBound)
		}
		steps = append(steps, step)
	}
	if steps != nil {
		live["StepAdjustments"] = steps
	}
	return live, nil
}

func decimal(f float64) json.Number { return json.Number(strconv.FormatFloat(f, 'f', -1, 64)) }

// Update implements stack.Resource.
func (t resourcePolicy) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	_, name := partsOf(r.PhysicalID)
	if _, err := t.put(ctx, r, name); err != nil {
		return stack.Result{}, err
	}
	return policyResult(r.PhysicalID), nil
}

// Delete implements stack.Resource.
func (t resourcePolicy) Delete(ctx context.Context, r stack.Request) error {
	_, err := invoke[api.DeletePolicyOutput](ctx, t.s, "DeletePolicy", &api.DeletePolicyInput{PolicyName: &r.PhysicalID})
	if absentGroup(err) {
		return nil
	}
	return err
}
