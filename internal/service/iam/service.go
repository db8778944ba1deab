// Package iam is AWS Identity and Access Management: users, groups, roles, their
// policies and keys, instance profiles; and the two decisions that every request
// needs, who it is (Lookup) and whether it may (Authorize).
//
// It owns the rows of records.go, with the unique ids under which entities are
// known once their names are gone:
//
//	entity   users, groups and roles, by kind and lower-case name; inline policies,
//	         attachments, tags and a role's trust policy are part of the row
//	policy   customer managed policies with their versions
//	profile  instance profiles
//	key      access keys; the secret is sealed
//	use      when keys and roles were used last, written once a minute
//	oidc     OpenID Connect providers
//	cert     server certificates; the private key is sealed
//	report   the credential report of an account
//	deletion tasks that deleted service-linked roles
//	account  accounts of this server with alias and root's first key
//
// Flow enters through Wire's operations, through Lookup and Authorize (wire asks
// them for every call), and through Assume, where sts, the metadata service and
// services that act with a role get sessions. Sessions have no row: the token is
// the sealed session, and role and policies are read again at each request, so
// that a deletion acts at once.
//
// It imports policy, store, stack (resource types) and wire; it calls other
// services through the Invoker given to Resources only.
package iam

import (
	"context"
	"log/slog"

	"github.com/hardstand/hardstand/internal/aws"
	"github.com/hardstand/hardstand/internal/clock"
	"github.com/hardstand/hardstand/internal/policy"
	"github.com/hardstand/hardstand/internal/store"
)

// Config is what New needs.
type Config struct {
	DB     *store.DB
	Sealer *store.Sealer
	Clock  clock.Clock
	Log    *slog.Logger
	// AuditOnly lets every authenticated call pass and logs what would have been
	// denied (serve --iam audit).
	AuditOnly bool
	// Recorder may be nil.
	Recorder Recorder
}

// nobody records nothing.
type nobody struct{}

func (nobody) Allowed(aws.Call, aws.Check)              {}
func (nobody) Refused(aws.Call, policy.Judgement, bool) {}

// Service implements IAM.
type Service struct {
	db        *store.DB
	sealer    *store.Sealer
	clock     clock.Clock
	log       *slog.Logger
	auditOnly bool
	documents documentCache
	uses      useLog
	recorder  Recorder
	known     known

	certificateUser func(ctx context.Context, certificate string) (string, error)
}

// New returns the service.
func New(cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Recorder == nil {
		cfg.Recorder = nobody{}
	}
	return &Service{db: cfg.DB, sealer: cfg.Sealer, clock: cfg.Clock, log: cfg.Log, auditOnly: cfg.AuditOnly, recorder: cfg.Recorder,
		uses: useLog{woken: make(chan struct{}, 1)}}
}

// view runs fn on a snapshot and returns its value.
func view[T any](ctx context.Context, s *Service, fn func(tx *store.Tx) (T, error)) (T, error) {
	var out T
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		out, err = fn(tx)
		return err
	})
	return out, err
}

// change runs fn as one transaction, with an event that says which operation
// changed the resource.
func (s *Service) change(ctx context.Context, fn func(tx *store.Tx) (resource string, err error)) error {
	call := aws.CallFrom(ctx)
	defer s.known.forget()
	return s.db.Update(ctx, func(tx *store.Tx) error {
		resource, err := fn(tx)
		if err != nil || resource == "" {
			return err
		}
		tx.Emit(store.Event{Account: call.Account, Service: "iam", Resource: resource, Kind: call.Operation,
			Cause: call.Principal.ARN, RequestID: call.RequestID})
		return nil
	})
}

func accountOf(ctx context.Context) string { return aws.CallFrom(ctx).Account }

// path returns a path argument with its default.
func pathOr(p *string) string {
	if aws.Val(p) == "" {
		return "/"
	}
	return *p
}

func iamARN(account, kind, path, name string) string {
	return "arn:aws:iam::" + account + ":" + kind + path + name
}
