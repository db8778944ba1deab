package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// adminPath takes orders from the owner of the data dir.
const adminPath = "/_hardstand/admin"

const (
	adminTable = "app.admin"
	// orderLife bounds how long after it was given an order may be carried out.
	orderLife = time.Minute
)

// order is what the owner asks for. It travels sealed with the data dir's master
// key: whoever can seal it owns the data dir.
type order struct {
	Kind    string // create-account
	Account string
	Given   time.Time
}

func (s *System) admin(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
	if err != nil {
		http.Error(w, "cannot read the order", http.StatusBadRequest)
		return
	}
	plain, err := s.sealer.Open(adminTable, "order", body)
	var o order
	if err != nil || json.Unmarshal(plain, &o) != nil || time.Since(o.Given).Abs() > orderLife {
		http.Error(w, "the order was not given by the owner of this server's data dir", http.StatusForbidden)
		return
	}
	if o.Kind != "create-account" {
		http.Error(w, "unknown order", http.StatusBadRequest)
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	key, err := s.world.iam.CreateAccount(r.Context(), o.Account)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	a := s.access
	a.Account, a.AccessKeyID, a.SecretAccessKey = o.Account, key.ID, key.Secret
	reply(w, a)
}

// CreateAccount makes an account on the server that runs on dir and returns its
// root's access.
func CreateAccount(ctx context.Context, dir, account string) (Access, error) {
	var made Access
	if !accountForm.MatchString(account) {
		return made, usagef("%q is not the number of an account: it has 12 digits", account)
	}
	a, err := ReadAccess(dir)
	if err != nil {
		return made, err
	}
	sealer, err := store.OpenSealer(dir)
	if err != nil {
		return made, err
	}
	plain, err := json.Marshal(order{Kind: "create-account", Account: account, Given: time.Now()})
	if err != nil {
		return made, fmt.Errorf("encode order: %w", err)
	}
	sealed, err := sealer.Seal(adminTable, "order", plain)
	if err != nil {
		return made, fmt.Errorf("seal order: %w", err)
	}
	answer, err := post(ctx, a.Endpoint+adminPath, sealed)
	if err != nil {
		return made, err
	}
	if err := json.Unmarshal(answer, &made); err != nil {
		return made, fmt.Errorf("decode answer: %w", err)
	}
	return made, nil
}

// RequestReset has the server that runs on dir remove everything.
func RequestReset(ctx context.Context, dir string) error {
	a, err := ReadAccess(dir)
	if err != nil {
		return err
	}
	_, err = post(ctx, a.Endpoint+resetPath, nil)
	var status *statusError
	if errors.As(err, &status) && status.code != http.StatusInternalServerError {
		return &Refusal{Cause: "this server does not allow a reset", Remedy: "start it with --allow-reset", Err: err}
	}
	return err
}

type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the server answered %d: %s", e.code, e.text)
}

func post(ctx context.Context, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, &Refusal{Cause: "no server answers at " + url, Remedy: "start it with `hardstand serve`", Err: err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, &statusError{resp.StatusCode, string(bytes.TrimSpace(answer))}
	}
	return answer, nil
}
