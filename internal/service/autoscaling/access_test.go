package autoscaling

import (
	"context"
	"reflect"
	"strings"
	"testing"

	api "github.com/hardstand/hardstand/internal/aws/api/autoscaling"
	"github.com/hardstand/hardstand/internal/aws/awserr"
	"github.com/hardstand/hardstand/internal/store"
	"github.com/hardstand/hardstand/internal/wire/wiretest"
)

// discarded counts the alarms that are still to be deleted.
func (l *lab) discarded() int {
	n := 0
	if err := l.DB.View(l.Ctx, func(tx *store.Tx) error {
		rows, err := discards.List(tx, store.Scope{}, "", 0)
		n = len(rows)
		return err
	}); err != nil {
		l.T.Fatal(err)
	}
	return n
}

// fillNames gives an input the names that its checks read.
func fillNames(in any) {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Type() == reflect.TypeFor[*string]() && strings.HasSuffix(v.Type().Field(i).Name, "Name") || v.Type().Field(i).Name == "InstanceId" {
			f.Set(reflect.ValueOf(ptr("x")))
		}
	}
}

// Nobody calls an operation without the permission of its name.
func TestAccess(t *testing.T) {
	l := newLab(t, wiretest.Gate{Only: []string{}})
	for _, op := range l.svc.Wire().Operations {
		in := op.New()
		fillNames(in)
		checks, err := op.Checks(l.Ctx, in)
		if err != nil || len(checks) == 0 {
			t.Errorf("%s: %v, %v", op.Name, checks, err)
		}
		for _, c := range checks {
			if c.Action != "autoscaling:"+op.Name && c.Action != "iam:PassRole" {
				t.Errorf("%s asks for %s", op.Name, c.Action)
			}
			if describes := strings.HasPrefix(op.Name, "Describe"); describes != (c.Resource == "*") {
				t.Errorf("%s is judged on %s", op.Name, c.Resource)
			}
		}
	}
	_, err := wiretest.Call[api.SetDesiredCapacityOutput](l, "SetDesiredCapacity", &api.SetDesiredCapacityInput{AutoScalingGroupName: ptr("g"), DesiredCapacity: ptr[int32](1)})
	if !awserr.Is(err, "AccessDenied") {
		t.Error(err)
	}
}

// Roles that are handed over have to be the caller's to hand over.
func TestPassRole(t *testing.T) {
	l := newLab(t, wiretest.Gate{})
	for name, in := range map[string]any{
		"CreateLaunchConfiguration": &api.CreateLaunchConfigurationInput{LaunchConfigurationName: ptr("c"), IamInstanceProfile: ptr("web")},
		"PutLifecycleHook":          &api.PutLifecycleHookInput{AutoScalingGroupName: ptr("g"), LifecycleHookName: ptr("h"), RoleARN: ptr("arn:aws:iam::123456789012:role/hook")},
		"CreateAutoScalingGroup":    newGroup(hooked(launching, "ABANDON")),
	} {
		passed := ""
		for _, op := range l.svc.Wire().Operations {
			if op.Name != name {
				continue
			}
			checks, err := op.Checks(context.WithoutCancel(l.Ctx), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks {
				if c.Action == "iam:PassRole" {
					passed = c.Resource + " to " + c.Context["iam:PassedToService"][0]
				}
			}
		}
		if want := map[string]string{"CreateLaunchConfiguration": "arn:aws:iam::123456789012:role/of-web to ec2.amazonaws.com"}[name]; want != "" && passed != want ||
			want == "" && passed != "arn:aws:iam::123456789012:role/hook to autoscaling.amazonaws.com" {
			t.Errorf("%s passes %q", name, passed)
		}
	}
}
