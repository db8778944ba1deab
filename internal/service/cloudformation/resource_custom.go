package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/api/sns"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/wire"
)

const customType = "AWS::CloudFormation::CustomResource"

// resourceCustom is AWS::CloudFormation::CustomResource and every Custom:: type: a
// request goes to a topic, somebody who hears of it does the work and puts an answer.
type resourceCustom struct{ s *Service }

// customTimeout is how long an answer may take, unless ServiceTimeout says less.
const customTimeout = time.Hour

// maxPhysicalID is the longest physical id that a custom resource may give itself.
const maxPhysicalID = 1024

// Schema implements stack.Resource. Properties are whatever the template gives.
func (resourceCustom) Schema() stack.Schema { return stack.Schema{Attributes: []string{"*"}} }

func propertyError(format string, args ...any) error {
	return &stack.PropertyError{Message: fmt.Sprintf(format, args...)}
}

// customProperties are those that CloudFormation itself reads.
func customProperties(properties map[string]any) (serviceToken string, timeout time.Duration, err error) {
	serviceToken, ok := properties["ServiceToken"].(string)
	if !ok || serviceToken == "" {
		return "", 0, propertyError("Property validation failure: [The property {/ServiceToken} is required]")
	}
	timeout = customTimeout
	if given := properties["ServiceTimeout"]; given != nil {
		seconds, err := strconv.Atoi(fmt.Sprint(given))
		if err != nil || seconds < 1 || seconds > int(customTimeout/time.Second) {
			return "", 0, propertyError("Value of property ServiceTimeout must be an integer between 1 and %d", int(customTimeout/time.Second))
		}
		timeout = time.Duration(seconds) * time.Second
	}
	return serviceToken, timeout, nil
}

// Create implements stack.Resource. Until an answer gives one, the physical id is a
// generated name: under it the resource is deleted should its creation fail.
func (t resourceCustom) Create(ctx context.Context, r stack.Request, started func(string)) (stack.Result, error) {
	name := r.Name(maxPhysicalID)
	a, err := t.ask(ctx, r, "Create", func() { started(name) })
	if a != nil && a.PhysicalResourceId != "" && len(a.PhysicalResourceId) <= maxPhysicalID {
		name = a.PhysicalResourceId
	}
	if a == nil && err != nil && !sentBefore(err) {
		return stack.Result{}, err // nobody was asked: there is nothing to delete
	}
	started(name)
	if err != nil {
		return stack.Result{}, err
	}
	return t.result(a)
}

// unasked is an error before anybody heard of the request.
type unasked struct{ error }

func (u unasked) Unwrap() error { return u.error }

func sentBefore(err error) bool {
	_, not := err.(unasked)
	return !not
}

func (t resourceCustom) result(a *answer) (stack.Result, error) {
	if a.PhysicalResourceId == "" || len(a.PhysicalResourceId) > maxPhysicalID {
		return stack.Result{}, propertyError("Invalid PhysicalResourceId")
	}
	return stack.Result{PhysicalID: a.PhysicalResourceId, Attributes: flatten(a.Data), Secret: a.NoEcho}, nil
}

// flatten gives the members of objects names with dots, beside the objects.
func flatten(data map[string]any) map[string]any {
	out := map[string]any{}
	var add func(prefix string, m map[string]any)
	add = func(prefix string, m map[string]any) {
		for name, v := range m {
			out[prefix+name] = v
			if below, ok := v.(map[string]any); ok {
				add(prefix+name+".", below)
			}
		}
	}
	add("", data)
	return out
}

// Read implements stack.Resource; only who made the resource could tell more.
func (resourceCustom) Read(_ context.Context, r stack.Request) (stack.Result, error) {
	return stack.Result{PhysicalID: r.PhysicalID}, nil
}

// Update implements stack.Resource. An answer with another physical id has replaced
// the resource; the engine deletes the old one in the clean-up.
func (t resourceCustom) Update(ctx context.Context, r stack.Request) (stack.Result, error) {
	if !r.Undo && !reflect.DeepEqual(r.Properties["ServiceToken"], r.OldProperties["ServiceToken"]) {
		return stack.Result{}, propertyError("Modifying service token is not allowed.")
	}
	a, err := t.ask(ctx, r, "Update", func() {})
	if err != nil {
		return stack.Result{}, err
	}
	if a.PhysicalResourceId == "" {
		a.PhysicalResourceId = r.PhysicalID
	}
	return t.result(a)
}

// Delete implements stack.Resource.
func (t resourceCustom) Delete(ctx context.Context, r stack.Request) error {
	_, err := t.ask(ctx, r, "Delete", func() {})
	return err
}

// ask sends a request and returns its answer; of one that has failed, with the error.
// A request that was sent before a restart is not sent again, and asked tells at
// once that somebody has heard of it.
func (t resourceCustom) ask(ctx context.Context, r stack.Request, kind string, asked func()) (*answer, error) {
	serviceToken, timeout, err := customProperties(r.Properties)
	if err == nil {
		err = topicOf(serviceToken, aws.CallFrom(ctx))
	}
	if err != nil {
		return nil, unasked{err}
	}
	work := fmt.Sprintf("%s/%s/%s/%d/%v", r.Token, kind, r.PhysicalID, r.Operation, r.Undo)
	if kind == "Create" {
		work = r.Token + "/Create"
	}
	id, req, old, err := t.s.customRequest(ctx, r, work, timeout)
	if err != nil {
		return nil, unasked{err}
	}
	k := customKey(r, id)
	if !req.Sent {
		if err := t.send(ctx, r, kind, serviceToken, id, req); err != nil {
			return nil, unasked{err}
		}
		if err := t.s.sent(ctx, k); err != nil {
			return nil, err
		}
	} else if old {
		asked()
	}
	if req, err = t.s.answered(ctx, k); err != nil {
		return nil, err
	}
	a, err := t.s.read(k, req)
	if err == nil && a.Status == "FAILED" {
		err = propertyError("Received response status [FAILED] from custom resource. Message returned: %s (RequestId: %s)", a.Reason, id)
	}
	if err != nil && kind != "Create" {
		if e := t.s.forgetRequest(ctx, k); e != nil {
			return a, e
		}
	}
	return a, err
}

// send publishes a request to the topic, as the stack's caller.
func (t resourceCustom) send(ctx context.Context, r stack.Request, kind, topic, id string, req *customRequest) error {
	message := map[string]any{"RequestType": kind, "ServiceToken": topic, "ResponseURL": t.s.responseURL(id, req), "StackId": r.StackID,
		"RequestId": id, "LogicalResourceId": r.LogicalID, "ResourceType": r.Type, "ResourceProperties": stringly(r.Properties)}
	if kind != "Create" {
		message["PhysicalResourceId"] = r.PhysicalID
	}
	if kind == "Update" {
		message["OldResourceProperties"] = stringly(r.OldProperties)
	}
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode the request of a custom resource: %w", err)
	}
	_, err = wire.Call[sns.PublishOutput](ctx, t.s.invoker, "sns", "Publish", &sns.PublishInput{
		TopicArn: &topic, Subject: aws.Ptr("AWS CloudFormation custom resource request"), Message: aws.Ptr(string(text))})
	return err
}
