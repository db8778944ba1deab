package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

const waitConditionType = "AWS::CloudFormation::WaitCondition"

func waitTimedOut(have, want int) error {
	return propertyErrorf("WaitCondition timed out. Received %d conditions when expecting %d", have, want)
}

// ownTypes are the types that are the engine's own.
func (e *Engine) ownTypes() Registry {
	return Registry{
		waitConditionType:                          waitType{e},
		"AWS::CloudFormation::WaitConditionHandle": handleType{e},
		"AWS::CDK::Metadata":                       metadataType{},
	}
}

// waitType is AWS::CloudFormation::WaitCondition. With a CreationPolicy instead of
// a Handle it is complete at once, and the engine waits.
type waitType struct{ e *Engine }

type waitProperties struct {
	Handle  *string
	Timeout *int
	Count   *int
}

// Schema implements Resource.
func (waitType) Schema() Schema {
	s := SchemaOf(waitProperties{})
	s.Attributes, s.Signals = []string{"Data"}, true
	return s
}

// Create implements Resource: it waits for Count signals on the handle.
func (t waitType) Create(ctx context.Context, r Request, started func(string)) (Result, error) {
	var p waitProperties
	if err := Decode(r.Properties, &p); err != nil {
		return Result{}, err
	}
	res := Result{PhysicalID: r.StackID + "/" + r.LogicalID, Ref: r.LogicalID, Attributes: map[string]any{"Data": "{}"}}
	if p.Handle == nil {
		started(res.PhysicalID)
		return res, nil
	}
	if p.Timeout == nil {
		return Result{}, propertyErrorf("Property validation failure: [The property {/Timeout} is required]")
	}
	timeout := time.Duration(*p.Timeout) * time.Second
	if timeout < 0 || timeout > maxSignalTimeout {
		return Result{}, propertyErrorf("Value of property Timeout must be between 0 and %d", int(maxSignalTimeout/time.Second))
	}
	count := 1
	if p.Count != nil {
		count = *p.Count
	}
	h, began, err := t.lookup(ctx, r, *p.Handle)
	if err != nil {
		return Result{}, err
	}
	started(res.PhysicalID)
	signals, err := t.e.await(ctx, waiting{stackID: h.StackID, logicalID: h.LogicalID, count: count, deadline: began.Add(timeout)})
	var failed *failedSignal
	switch {
	case errors.Is(err, errNoSignals):
		return Result{}, waitTimedOut(len(signals), count)
	case errors.As(err, &failed):
		return Result{}, propertyErrorf("WaitCondition received failed message: '%s' for uniqueId: %s", failed.signal.Reason, failed.signal.UniqueID)
	case err != nil:
		return Result{}, err
	}
	res.Attributes["Data"], err = data(signals)
	return res, err
}

// lookup finds the handle, and when the wait began, which a restart does not
// change.
func (t waitType) lookup(ctx context.Context, r Request, url string) (h *handle, began time.Time, err error) {
	began = t.e.cfg.Clock.Now()
	err = t.e.cfg.DB.View(ctx, func(tx *store.Tx) error {
		if h, err = t.e.find(tx, r.Account, r.Region, url); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return propertyErrorf("Value of property Handle is not a wait condition handle of this stack")
			}
			return err
		}
		if m, err := Members.Get(tx, store.Key{Account: r.Account, Region: r.Region, ID: r.StackID + "/" + r.LogicalID}); err == nil {
			began = m.Started
		}
		return nil
	})
	return h, began, err
}

func data(signals []Signal) (string, error) {
	byID := map[string]string{}
	for _, s := range signals {
		byID[s.UniqueID] = s.Data
	}
	text, err := json.Marshal(byID)
	if err != nil {
		return "", fmt.Errorf("encode signal data: %w", err)
	}
	return string(text), nil
}

// Read implements Resource.
func (t waitType) Read(ctx context.Context, r Request) (Result, error) {
	err := t.e.cfg.DB.View(ctx, func(tx *store.Tx) error {
		m, err := Members.Get(tx, store.Key{Account: r.Account, Region: r.Region, ID: r.PhysicalID})
		if errors.Is(err, store.ErrNotFound) || err == nil && !m.exists() {
			return ErrNotFound
		}
		return err
	})
	return Result{PhysicalID: r.PhysicalID, Ref: r.LogicalID}, err
}

// Update implements Resource. AWS refuses it, whatever the property.
func (waitType) Update(context.Context, Request) (Result, error) {
	return Result{}, propertyErrorf("Update of resource type is not permitted: AWS::CloudFormation::WaitCondition")
}

// Delete implements Resource; a wait leaves nothing behind.
func (waitType) Delete(context.Context, Request) error { return nil }

// metadataType is AWS::CDK::Metadata, which stands in templates and makes nothing.
type metadataType struct{}

// Schema implements Resource.
func (metadataType) Schema() Schema { return Schema{Properties: []string{"Analytics"}} }

// Create implements Resource.
func (metadataType) Create(_ context.Context, r Request, started func(string)) (Result, error) {
	id := r.PhysicalID
	if id == "" {
		id = ids.UUID()
		started(id)
	}
	return Result{PhysicalID: id}, nil
}

// Read implements Resource.
func (metadataType) Read(_ context.Context, r Request) (Result, error) {
	return Result{PhysicalID: r.PhysicalID}, nil
}

// Update implements Resource.
func (metadataType) Update(_ context.Context, r Request) (Result, error) {
	return Result{PhysicalID: r.PhysicalID}, nil
}

// Delete implements Resource.
func (metadataType) Delete(context.Context, Request) error { return nil }
