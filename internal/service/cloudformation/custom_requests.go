package cloudformation

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/aws/ids"
	"github.com/hardstand/hardstand/internal/stack"
	"github.com/hardstand/hardstand/internal/store"
)

// ResponsePrefix is the path under which custom resources put their answers. The
// server mounts ResponseHandler there: the URL itself is signed, as a presigned one.
const ResponsePrefix = "/_hardstand/customresource/"

// maxResponse is the most an answer may hold.
const maxResponse = 4096

const customEventKind = "custom-resource"

// customRequest is a row of cfn.customrequest; the key's ID is the RequestId.
type customRequest struct {
	// Token names the piece of work: asked again after a crash, it finds its request.
	Token     string
	StackID   string
	LogicalID string
	// Secret is the signature of the URL, good until Deadline.
	Secret   string
	Deadline time.Time
	// Sent is set once the topic has the request.
	Sent bool
	// Answer is the response, sealed; TooLong that it was longer than allowed.
	Answer  []byte `json:",omitempty"`
	TooLong bool   `json:",omitempty"`
}

var customRequests = &store.Table[customRequest]{Name: "cfn.customrequest", Version: 1, Indexes: []store.Index[customRequest]{
	{Name: "token", Unique: true, Value: func(_ store.Key, r *customRequest) []string { return []string{r.Token} }},
	{Name: "deadline", Value: func(_ store.Key, r *customRequest) []string { return []string{deadlineIndex(r.Deadline)} }},
	{Name: "id", Unique: true, Value: func(k store.Key, _ *customRequest) []string { return []string{k.ID} }},
}}

func deadlineIndex(t time.Time) string { return fmt.Sprintf("%020d", t.Unix()) }

// remembrance is how long after its deadline a request is kept.
const remembrance = 24 * time.Hour

// forgetOld drops requests that nobody will ask for again.
func forgetOld(tx *store.Tx) error {
	rows, err := customRequests.Range(tx, "deadline", "", deadlineIndex(tx.Now().Add(-remembrance)), 100, false)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := customRequests.Delete(tx, row.Key); err != nil {
			return err
		}
	}
	return nil
}

// answer is what a custom resource puts.
type answer struct {
	Status             string
	Reason             string
	PhysicalResourceId string
	StackId            string
	RequestId          string
	LogicalResourceId  string
	NoEcho             bool
	Data               map[string]any
}

// customRequest returns the request of a piece of work, old ones as they are.
func (s *Service) customRequest(ctx context.Context, r stack.Request, token string, timeout time.Duration) (id string, req *customRequest, old bool, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := customRequests.Lookup(tx, "token", token)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			id, req, old = rows[0].Key.ID, rows[0].Value, true
			return nil
		}
		if err := forgetOld(tx); err != nil {
			return err
		}
		var secret [32]byte
		_, _ = rand.Read(secret[:])
		id, old = ids.UUID(), false
		req = &customRequest{Token: token, StackID: r.StackID, LogicalID: r.LogicalID,
			Secret: base64.RawURLEncoding.EncodeToString(secret[:]), Deadline: tx.Now().Add(timeout)}
		return customRequests.Insert(tx, customKey(r, id), req)
	})
	return id, req, old, err
}

func customKey(r stack.Request, id string) store.Key {
	return store.Key{Account: r.Account, Region: r.Region, ID: id}
}

// sent remembers that the topic has the request.
func (s *Service) sent(ctx context.Context, k store.Key) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		req, err := customRequests.Get(tx, k)
		if err != nil {
			return err
		}
		req.Sent = true
		return customRequests.Put(tx, k, req)
	})
}

// forgetRequest lets a piece of work be asked for again.
func (s *Service) forgetRequest(ctx context.Context, k store.Key) error {
	return s.db.Update(ctx, func(tx *store.Tx) error { return customRequests.Delete(tx, k) })
}

// responseURL is where the answer to a request is put.
func (s *Service) responseURL(id string, req *customRequest) string {
	q := url.Values{"Expires": {strconv.FormatInt(req.Deadline.Unix(), 10)}, "Signature": {req.Secret}}
	return s.endpoint + ResponsePrefix + id + "?" + q.Encode()
}

// answered waits for the answer to a request until its deadline.
func (s *Service) answered(ctx context.Context, k store.Key) (*customRequest, error) {
	var timer <-chan time.Time
	for {
		var req *customRequest
		changed := s.db.Changed(store.Filter{Account: k.Account, Region: k.Region, Service: "cloudformation", Resource: k.ID, Kind: customEventKind})
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			req, err = customRequests.Get(tx, k)
			return err
		})
		if err != nil || req.Answer != nil || req.TooLong {
			return req, err
		}
		left := req.Deadline.Sub(s.clock.Now())
		if left <= 0 {
			return nil, &stack.PropertyError{Message: "Custom Resource failed to stabilize in expected time."}
		}
		if timer == nil {
			timer = s.clock.After(left)
		}
		select {
		case <-changed:
		case <-timer:
			timer = nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// read opens and judges the answer to a request.
func (s *Service) read(k store.Key, req *customRequest) (*answer, error) {
	if req.TooLong {
		return nil, &stack.PropertyError{Message: "Response object is too long."}
	}
	plain, err := s.sealer.Open(customRequests.Name, k.ID, req.Answer)
	if err != nil {
		return nil, fmt.Errorf("open the answer of a custom resource: %w", err)
	}
	var a answer
	d := json.NewDecoder(strings.NewReader(string(plain)))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		return nil, &stack.PropertyError{Message: "Invalid response object: it is not the JSON of a response."}
	}
	mismatch := func(name string) error {
		return &stack.PropertyError{Message: "Invalid response object: Value of property " + name + " must match the value in the request."}
	}
	switch {
	case a.Status != "SUCCESS" && a.Status != "FAILED":
		return nil, &stack.PropertyError{Message: "Invalid response object: Value of property Status must be SUCCESS or FAILED."}
	case a.RequestId != k.ID:
		return nil, mismatch("RequestId")
	case a.StackId != req.StackID:
		return nil, mismatch("StackId")
	case a.LogicalResourceId != req.LogicalID:
		return nil, mismatch("LogicalResourceId")
	}
	return &a, nil
}

// ResponseHandler takes the answers of custom resources: a PUT on the URL of the
// request, once.
func (s *Service) ResponseHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			w.Header().Set("Allow", http.MethodPut)
			http.Error(w, "a custom resource answers with PUT", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
		if err != nil {
			http.Error(w, "the body ended early", http.StatusBadRequest)
			return
		}
		switch err := s.putAnswer(r.Context(), strings.TrimPrefix(r.URL.Path, ResponsePrefix), r.URL.Query(), body); {
		case err == nil:
			w.WriteHeader(http.StatusOK)
		case errors.Is(err, errBadURL):
			http.Error(w, "the signature of the URL is wrong, or it has expired", http.StatusForbidden)
		default:
			s.log.Error("answer of a custom resource", "error", err)
			http.Error(w, "internal failure", http.StatusInternalServerError)
		}
	})
}

var errBadURL = errors.New("no such request, or its time is over")

// putAnswer keeps an answer. The first one counts.
func (s *Service) putAnswer(ctx context.Context, id string, query url.Values, body []byte) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		rows, err := customRequests.Lookup(tx, "id", id)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return errBadURL
		}
		k, req := rows[0].Key, rows[0].Value
		signed := subtle.ConstantTimeCompare([]byte(query.Get("Signature")), []byte(req.Secret)) == 1
		if !signed || query.Get("Expires") != strconv.FormatInt(req.Deadline.Unix(), 10) || !tx.Now().Before(req.Deadline) {
			return errBadURL
		}
		if req.Answer != nil || req.TooLong {
			return nil
		}
		if req.TooLong = len(body) > maxResponse; !req.TooLong {
			if req.Answer, err = s.sealer.Seal(customRequests.Name, k.ID, body); err != nil {
				return err
			}
		}
		tx.Emit(store.Event{Account: k.Account, Region: k.Region, Service: "cloudformation", Resource: k.ID, Kind: customEventKind})
		return customRequests.Put(tx, k, req)
	})
}

// stringly is a value as custom resources get it: every scalar a string.
func stringly(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(x))
		for name, value := range x {
			if value != nil {
				out[name] = stringly(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, value := range x {
			out[i] = stringly(value)
		}
		return out
	case nil, string:
		return x
	}
	return fmt.Sprint(v)
}

// topicOf is the topic that a ServiceToken names, in the stack's region.
func topicOf(serviceToken string, c aws.Call) error {
	parts := strings.Split(serviceToken, ":")
	switch {
	case len(parts) < 6 || parts[0] != "arn":
		return &stack.PropertyError{Message: "Invalid service token."}
	case parts[2] == "lambda":
		return &stack.PropertyError{Message: "hardstand runs no AWS Lambda functions: " + serviceToken + " cannot be called. A custom resource works with the ARN of an SNS topic as its ServiceToken."}
	case parts[2] != "sns" || parts[3] != c.Region:
		return &stack.PropertyError{Message: "Invalid service token."}
	}
	return nil
}
