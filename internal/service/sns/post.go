package sns

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/hardstand/hardstand/internal/store"
)

// newClient posts to the addresses that were subscribed and nowhere else: it follows
// no redirection and asks no proxy.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       requestTime,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// post posts a message to an endpoint.
func (s *Service) post(ctx context.Context, k store.Key, sub *subscription, contentType string, body []byte, raw bool, d *delivery) outcome {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.Endpoint, bytes.NewReader(body))
	if err != nil {
		return refused
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "Amazon Simple Notification Service Agent")
	r.Header.Set("x-amz-sns-message-type", d.Kind)
	r.Header.Set("x-amz-sns-message-id", d.Message.ID)
	r.Header.Set("x-amz-sns-topic-arn", topicARN(topicOf(k)))
	if d.Kind == notification {
		r.Header.Set("x-amz-sns-subscription-arn", topicARN(k))
	}
	if raw {
		r.Header.Set("x-amz-sns-rawdelivery", "true")
	}
	answer, err := s.cfg.Client.Do(r)
	if err != nil {
		s.cfg.Log.Warn("an endpoint cannot be reached", slog.String("subscription", topicARN(k)), slog.String("error", err.Error()))
		return failed
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBytes)) // so that the connection can be used again
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return arrived
	case code >= 400 && code < 500 && code != http.StatusTooManyRequests:
		return refused
	}
	return failed
}
