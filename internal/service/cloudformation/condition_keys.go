package cloudformation

import (
	"context"
	"errors"
	"reflect"
	"strings"

	"github.com/hardstand/hardstand/internal/aws"
	api "github.com/hardstand/hardstand/internal/aws/api/cloudformation"
	"github.com/hardstand/hardstand/internal/store"
)

// inputKeys are the condition keys that repeat a member of the input: a text or a
// list of them.
var inputKeys = []struct{ member, key string }{
	{"RoleARN", "RoleArn"},
	{"AdministrationRoleARN", "RoleArn"},
	{"TemplateURL", "TemplateUrl"},
	{"StackPolicyURL", "StackPolicyUrl"},
	{"ResourceTypes", "ResourceTypes"},
	{"Regions", "TargetRegion"},
}

// describe adds to a check what the input says and the tags of the stack that it is
// on.
func (s *Service) describe(ctx context.Context, in any, c *aws.Check) error {
	if !strings.HasPrefix(c.Action, "cloudformation:") {
		return nil
	}
	v := reflect.ValueOf(in).Elem()
	for _, k := range inputKeys {
		if f := v.FieldByName(k.member); f.IsValid() {
			switch value := f.Interface().(type) {
			case *string:
				c.OfferText("cloudformation:"+k.key, aws.Val(value))
			case []string:
				c.Offer("cloudformation:"+k.key, value...)
			}
		}
	}
	if change, ok := in.(*api.CreateChangeSetInput); ok {
		var types []string
		for _, r := range change.ResourcesToImport {
			types = append(types, aws.Val(r.ResourceType))
		}
		c.Offer("cloudformation:ImportResourceTypes", types...)
	}
	if !strings.Contains(c.Resource, ":stack/") || strings.HasSuffix(c.Resource, "/*") {
		return nil
	}
	return s.db.View(ctx, func(tx *store.Tx) error {
		st, err := lookup(tx, aws.CallFrom(ctx), c.Resource)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			for key, value := range st.Spec.Tags {
				c.OfferTag(key, value)
			}
		}
		return err
	})
}
