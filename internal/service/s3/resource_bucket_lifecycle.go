package s3

import (
	"context"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/s3"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/stack"
)

type (
	lifecycleProperty struct {
		Rules                              []lifecycleRuleProperty `cfn:",required"`
		TransitionDefaultMinimumObjectSize *string
	}
	lifecycleRuleProperty struct {
		Id                                *string //nolint:revive // the property's name
		Status                            string  `cfn:",required"`
		Prefix                            *string
		TagFilters                        []stack.Tag
		ObjectSizeGreaterThan             *int64
		ObjectSizeLessThan                *int64
		ExpirationDate                    *string
		ExpirationInDays                  *int32
		ExpiredObjectDeleteMarker         *bool
		AbortIncompleteMultipartUpload    *struct{ DaysAfterInitiation *int32 }
		NoncurrentVersionExpiration       *struct{ NoncurrentDays, NewerNoncurrentVersions *int32 }
		NoncurrentVersionExpirationInDays *int32
		Transition                        *transitionProperty
		Transitions                       []transitionProperty
		NoncurrentVersionTransition       *noncurrentTransitionProperty
		NoncurrentVersionTransitions      []noncurrentTransitionProperty
	}
	transitionProperty struct {
		StorageClass     string `cfn:",required"`
		TransitionDate   *string
		TransitionInDays *int32
	}
	noncurrentTransitionProperty struct {
		StorageClass            string `cfn:",required"`
		TransitionInDays        *int32 `cfn:",required"`
		NewerNoncurrentVersions *int32
	}
)

func setLifecycle(ctx context.Context, inv Invoker, name string, p, old bucketProperties) error {
	if same(p.LifecycleConfiguration, old.LifecycleConfiguration) {
		return nil
	}
	if p.LifecycleConfiguration == nil {
		_, err := invoke[s3.DeleteBucketLifecycleOutput](ctx, inv, "DeleteBucketLifecycle", &s3.DeleteBucketLifecycleInput{Bucket: &name})
		return err
	}
	in := &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &name, LifecycleConfiguration: &s3.BucketLifecycleConfiguration{},
		TransitionDefaultMinimumObjectSize: s3.TransitionDefaultMinimumObjectSize(aws.Val(p.LifecycleConfiguration.TransitionDefaultMinimumObjectSize)),
	}
	for _, r := range p.LifecycleConfiguration.Rules {
		rule, err := r.rule()
		if err != nil {
			return err
		}
		in.LifecycleConfiguration.Rules = append(in.LifecycleConfiguration.Rules, rule)
	}
	_, err := invoke[s3.PutBucketLifecycleConfigurationOutput](ctx, inv, "PutBucketLifecycleConfiguration", in)
	return err
}

// rule is the template's rule as the API has it: the filter's parts gathered, the
// single transitions among the lists.
func (r lifecycleRuleProperty) rule() (s3.LifecycleRule, error) {
	out := s3.LifecycleRule{ID: r.Id, Status: s3.ExpirationStatus(r.Status), Filter: r.filter()}
	date, err := templateDate(r.ExpirationDate)
	if err != nil {
		return out, err
	}
	if date != nil || r.ExpirationInDays != nil || r.ExpiredObjectDeleteMarker != nil {
		out.Expiration = &s3.LifecycleExpiration{Date: date, Days: r.ExpirationInDays, ExpiredObjectDeleteMarker: r.ExpiredObjectDeleteMarker}
	}
	if a := r.AbortIncompleteMultipartUpload; a != nil {
		out.AbortIncompleteMultipartUpload = &s3.AbortIncompleteMultipartUpload{DaysAfterInitiation: a.DaysAfterInitiation}
	}
	if n := r.NoncurrentVersionExpiration; n != nil {
		out.NoncurrentVersionExpiration = &s3.NoncurrentVersionExpiration{NoncurrentDays: n.NoncurrentDays, NewerNoncurrentVersions: n.NewerNoncurrentVersions}
	} else if r.NoncurrentVersionExpirationInDays != nil {
		out.NoncurrentVersionExpiration = &s3.NoncurrentVersionExpiration{NoncurrentDays: r.NoncurrentVersionExpirationInDays}
	}
	all := r.Transitions
	if r.Transition != nil {
		all = append(all, *r.Transition)
	}
	for _, t := range all {
		date, err := templateDate(t.TransitionDate)
		if err != nil {
			return out, err
		}
		out.Transitions = append(out.Transitions, s3.Transition{Date: date, Days: t.TransitionInDays, StorageClass: s3.TransitionStorageClass(t.StorageClass)})
	}
	noncurrent := r.NoncurrentVersionTransitions
	if r.NoncurrentVersionTransition != nil {
		noncurrent = append(noncurrent, *r.NoncurrentVersionTransition)
	}
	for _, t := range noncurrent {
		out.NoncurrentVersionTransitions = append(out.NoncurrentVersionTransitions, s3.NoncurrentVersionTransition{
			NoncurrentDays: t.TransitionInDays, StorageClass: s3.TransitionStorageClass(t.StorageClass), NewerNoncurrentVersions: t.NewerNoncurrentVersions,
		})
	}
	return out, nil
}

func (r lifecycleRuleProperty) filter() *s3.LifecycleRuleFilter {
	var tags []s3.Tag
	for _, t := range r.TagFilters {
		tags = append(tags, s3.Tag{Key: &t.Key, Value: &t.Value})
	}
	if count(r.Prefix != nil, r.ObjectSizeGreaterThan != nil, r.ObjectSizeLessThan != nil)+len(tags) > 1 {
		return &s3.LifecycleRuleFilter{And: &s3.LifecycleRuleAndOperator{
			Prefix: r.Prefix, Tags: tags, ObjectSizeGreaterThan: r.ObjectSizeGreaterThan, ObjectSizeLessThan: r.ObjectSizeLessThan,
		}}
	}
	f := &s3.LifecycleRuleFilter{Prefix: r.Prefix, ObjectSizeGreaterThan: r.ObjectSizeGreaterThan, ObjectSizeLessThan: r.ObjectSizeLessThan}
	if len(tags) == 1 {
		f.Tag = &tags[0]
	}
	if *f == (s3.LifecycleRuleFilter{}) {
		f.Prefix = aws.Ptr("")
	}
	return f
}

// templateDate reads a date of a template: with or without a time of day.
func templateDate(text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(form, *text); err == nil {
			return &t, nil
		}
	}
	return nil, awserr.New("InvalidArgument", "'Date' must be at midnight GMT: %s", *text)
}

// lifecycleLive gives S3's rules the names that templates have. Templates have more
// than one form for the same rule: one that is as the template says is given in the
// template's own.
func lifecycleLive(c *s3.GetBucketLifecycleConfigurationOutput, properties map[string]any) any {
	if len(c.Rules) == 0 {
		return nil
	}
	var p lifecycleProperty
	written, _ := properties["LifecycleConfiguration"].(map[string]any)
	forms, _ := written["Rules"].([]any)
	if stack.Decode(written, &p) != nil || len(p.Rules) != len(forms) {
		p, forms = lifecycleProperty{}, nil
	}
	rules := []any{}
	for i := range c.Rules {
		if i < len(forms) && p.Rules[i].made(c.Rules[i]) {
			rules = append(rules, forms[i])
			continue
		}
		rules = append(rules, ruleLive(&c.Rules[i]))
	}
	return map[string]any{"Rules": rules, "TransitionDefaultMinimumObjectSize": string(c.TransitionDefaultMinimumObjectSize)}
}

// made reports whether the template's rule is the live one.
func (r lifecycleRuleProperty) made(live s3.LifecycleRule) bool {
	rule, err := r.rule()
	if rule.ID == nil {
		rule.ID = live.ID
	}
	return err == nil && same(stack.Plain(rule), stack.Plain(live))
}

func ruleLive(r *s3.LifecycleRule) map[string]any {
	out := map[string]any{"Id": aws.Val(r.ID), "Status": string(r.Status)}
	put := func(name string, value any) {
		if v := stack.Plain(value); v != nil {
			out[name] = v
		}
	}
	if f, err := filterOf(r); err == nil {
		if f.prefix != "" {
			out["Prefix"] = f.prefix
		}
		if len(f.tags) > 0 {
			out["TagFilters"] = stack.Plain(f.tags)
		}
		for name, size := range map[string]*int64{"ObjectSizeGreaterThan": f.greater, "ObjectSizeLessThan": f.less} {
			if size != nil {
				out[name] = strconv.FormatInt(*size, 10)
			}
		}
	}
	if e := r.Expiration; e != nil {
		put("ExpirationInDays", e.Days)
		put("ExpirationDate", e.Date)
		put("ExpiredObjectDeleteMarker", e.ExpiredObjectDeleteMarker)
	}
	put("AbortIncompleteMultipartUpload", r.AbortIncompleteMultipartUpload)
	put("NoncurrentVersionExpiration", r.NoncurrentVersionExpiration)
	var list []any
	for _, t := range r.Transitions {
		list = append(list, map[string]any{"StorageClass": string(t.StorageClass), "TransitionInDays": stack.Plain(t.Days), "TransitionDate": stack.Plain(t.Date)})
	}
	put("Transitions", list)
	list = nil
	for _, t := range r.NoncurrentVersionTransitions {
		list = append(list, map[string]any{"StorageClass": string(t.StorageClass), "TransitionInDays": stack.Plain(t.NoncurrentDays),
			"NewerNoncurrentVersions": stack.Plain(t.NewerNoncurrentVersions)})
	}
	put("NoncurrentVersionTransitions", list)
	return out
}
