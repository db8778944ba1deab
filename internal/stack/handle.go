package stack

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/store"
)

// HandlePrefix is the path under which wait condition handles are signalled. The
// server mounts HandleHandler there, unsigned: whoever has the URL may signal.
const HandlePrefix = "/_hardstand/waitcondition/"

// handle is a row of cfn.handle; the key's ID is the secret part of its URL.
type handle struct {
	StackID, LogicalID, Token string
}

var handles = &store.Table[handle]{Name: "cfn.handle", Version: 1, Indexes: []store.Index[handle]{
	{Name: "token", Unique: true, Value: func(_ store.Key, h *handle) []string { return []string{h.Token} }},
	{Name: "secret", Unique: true, Value: func(k store.Key, _ *handle) []string { return []string{k.ID} }},
}}

// maxSignalBody is the most a signal may hold.
const maxSignalBody = 4096

// handleType is AWS::CloudFormation::WaitConditionHandle.
type handleType struct{ e *Engine }

// Schema implements Resource.
func (handleType) Schema() Schema { return Schema{} }

// Create implements Resource: the URL holds 256 random bits and works without a
// signature, as a presigned one does.
func (t handleType) Create(ctx context.Context, r Request, _ func(string)) (Result, error) {
	if err := Decode(r.Properties, &struct{}{}); err != nil {
		return Result{}, err
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:])
	id := base64.RawURLEncoding.EncodeToString(secret[:])
	err := t.e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		rows, err := handles.Lookup(tx, "token", r.Token)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			id = rows[0].Key.ID
			return nil
		}
		return handles.Insert(tx, store.Key{Account: r.Account, Region: r.Region, ID: id},
			&handle{StackID: r.StackID, LogicalID: r.LogicalID, Token: r.Token})
	})
	return Result{PhysicalID: t.e.cfg.Endpoint + HandlePrefix + id}, err
}

// find returns the handle behind a URL, or store.ErrNotFound.
func (e *Engine) find(tx *store.Tx, account, region, url string) (*handle, error) {
	_, id, ok := strings.Cut(url, HandlePrefix)
	if !ok {
		return nil, store.ErrNotFound
	}
	return handles.Get(tx, store.Key{Account: account, Region: region, ID: id})
}

// Read implements Resource.
func (t handleType) Read(ctx context.Context, r Request) (Result, error) {
	err := t.e.cfg.DB.View(ctx, func(tx *store.Tx) error {
		_, err := t.e.find(tx, r.Account, r.Region, r.PhysicalID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return Result{}, ErrNotFound
	}
	return Result{PhysicalID: r.PhysicalID}, err
}

// Update implements Resource; there is nothing to change.
func (handleType) Update(_ context.Context, r Request) (Result, error) {
	return Result{PhysicalID: r.PhysicalID}, Decode(r.Properties, &struct{}{})
}

// Delete implements Resource.
func (t handleType) Delete(ctx context.Context, r Request) error {
	_, id, _ := strings.Cut(r.PhysicalID, HandlePrefix)
	return t.e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		err := handles.Delete(tx, store.Key{Account: r.Account, Region: r.Region, ID: id})
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// HandleHandler answers PUT on handle URLs. The body is the JSON of a signal:
// Status, and Reason, UniqueId, Data where given.
func (e *Engine) HandleHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPut {
			w.Header().Set("Allow", http.MethodPut)
			http.Error(w, "signal a wait condition with PUT", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(io.LimitReader(req.Body, maxSignalBody+1))
		if err != nil || len(body) > maxSignalBody {
			http.Error(w, "a signal may hold 4096 bytes", http.StatusBadRequest)
			return
		}
		switch err := e.putSignal(req.Context(), strings.TrimPrefix(req.URL.Path, HandlePrefix), body); {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, store.ErrNotFound):
			http.Error(w, "no such wait condition handle", http.StatusForbidden)
		default:
			text, forUser := userMessage(err)
			if !forUser {
				e.cfg.Log.Error("wait condition signal", "error", err)
				http.Error(w, "internal failure", http.StatusInternalServerError)
				return
			}
			http.Error(w, text, http.StatusBadRequest)
		}
	})
}

// putSignal judges the JSON of a signal and stores it under its handle.
func (e *Engine) putSignal(ctx context.Context, id string, body []byte) error {
	var in struct{ Status, Reason, UniqueId, Data string }
	if err := json.Unmarshal(body, &in); err != nil {
		return propertyErrorf("the signal is not JSON with Status, Reason, UniqueId and Data: %s", err)
	}
	if in.Status != Success && in.Status != Failure {
		return propertyErrorf("Status must be SUCCESS or FAILURE")
	}
	if in.UniqueId == "" {
		in.UniqueId = ids.UUID()
	}
	return e.cfg.DB.Update(ctx, func(tx *store.Tx) error {
		rows, err := handles.Lookup(tx, "secret", id)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return store.ErrNotFound
		}
		k, h := rows[0].Key, rows[0].Value
		_, err = addSignal(tx, &Stack{ID: h.StackID, Account: k.Account, Region: k.Region},
			&Signal{StackID: h.StackID, LogicalID: h.LogicalID, UniqueID: in.UniqueId, Status: in.Status, Reason: in.Reason, Data: in.Data})
		return err
	})
}
