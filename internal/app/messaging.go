package app

import (
	"context"

	"github.com/hardstand/hardstand/internal/service/sns"
	"github.com/hardstand/hardstand/internal/service/sqs"
)

// openMessaging makes the services that carry messages.
func (w *world) openMessaging(context.Context) error {
	cfg := w.s.cfg
	w.sqs = sqs.New(sqs.Config{DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire, Endpoint: w.s.Endpoint()})
	w.sns = sns.New(sns.Config{
		DB: w.db, Sealer: w.s.sealer, Clock: cfg.Clock, Log: cfg.Log, Invoker: w.wire, Authority: w.s.ca, Endpoint: w.s.Endpoint(),
	})
	w.wire.Mount(sns.CertificatePrefix, w.sns.CertificateHandler())
	return nil
}
